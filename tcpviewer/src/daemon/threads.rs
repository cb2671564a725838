//! Threads of their own for tasks that must not be in the way of others: the kernel shares the processors out between
//! these threads and those of everybody else. In: a task. Out: its result.

use std::io;

use tokio::{
    runtime::{Builder, Handle, Runtime},
    task::JoinHandle,
};

/// As many threads as there are processors. What still runs on them ends with this value.
#[derive(Debug)]
pub(super) struct Threads {
    handle: Handle,
    /// Taken when they end.
    runtime: Option<Runtime>,
}

impl Threads {
    /// Starts them under this name, of which the kernel shows 15 bytes.
    pub(super) fn start(name: &str) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .enable_all()
            .thread_name(name)
            .build()?;
        Ok(Self {
            handle: runtime.handle().clone(),
            runtime: Some(runtime),
        })
    }

    /// Runs a task on them.
    pub(super) fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.handle.spawn(task)
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waiting for them would hold up the task in which this value goes.
            runtime.shutdown_background();
        }
    }
}
