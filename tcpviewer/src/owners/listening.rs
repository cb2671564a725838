//! Who holds the listening sockets. In: listeners with their inodes, when somebody wants to know of them. Out: the same
//! with their processes. Those are searched for by a thread of its own and not too often: until the next search each
//! socket keeps the process that was found at it.

use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};

use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use super::{
    read::Reader,
    scan::{holders, oldest, rest_after},
};
use crate::model::{Clock, Listener, Owner, Work};

/// Questions that may wait. Those behind them are answered without processes.
const WAITING: usize = 16;
/// So long an answer waits for the processes. What is found later goes with the next one.
const PATIENCE: Duration = Duration::from_secs(1);

/// Names the processes that hold listening sockets.
#[derive(Clone, Debug)]
pub struct ListenerOwners(mpsc::Sender<Question>);

#[derive(Debug)]
struct Question {
    listeners: Vec<Listener>,
    reply: oneshot::Sender<Vec<Listener>>,
}

impl ListenerOwners {
    /// The way to ask, and the body of the thread that searches; it ends when nobody can ask any more.
    pub fn new(clock: Clock) -> (Self, impl FnOnce() + Send) {
        let (questions, mut questions_in) = mpsc::channel::<Question>(WAITING);
        let search = move || {
            let mut search = Search::new(clock);
            while let Some(Question { mut listeners, reply }) = questions_in.blocking_recv() {
                search.name(&mut listeners);
                // Who asked did not want to wait so long, or may have gone.
                reply.send(listeners).ok();
            }
        };
        (Self(questions), search)
    }

    /// The same listeners, with their processes as far as they are found in time.
    pub async fn name(&self, listeners: Vec<Listener>) -> Vec<Listener> {
        let (reply, named) = oneshot::channel();
        let question = Question {
            listeners: listeners.clone(),
            reply,
        };
        if self.0.try_send(question).is_err() {
            return listeners;
        }
        match timeout(PATIENCE, named).await {
            Ok(Ok(named)) => named,
            Ok(Err(_)) | Err(_) => listeners,
        }
    }
}

struct Search {
    reader: Reader,
    /// By cookie, which no other socket will have, and by inode, which is all there is where the cookie is not known.
    known: HashMap<(u64, u64), Owner>,
    rest_until: Option<Instant>,
}

impl Search {
    fn new(clock: Clock) -> Self {
        Self {
            reader: Reader::new(clock),
            known: HashMap::new(),
            rest_until: None,
        }
    }

    fn name(&mut self, listeners: &mut [Listener]) {
        if self.rest_until.is_none_or(|until| until <= Instant::now()) {
            let work = Work::begun();
            self.known = self.owners(listeners);
            self.rest_until = Some(rest_after(work.done()));
        }
        for listener in listeners {
            listener.owner = self.known.get(&identity(listener)).cloned();
        }
    }

    fn owners(&mut self, listeners: &[Listener]) -> HashMap<(u64, u64), Owner> {
        let inodes: HashSet<_> = listeners
            .iter()
            .map(|listener| listener.inode)
            .filter(|inode| *inode != 0)
            .collect();
        let holders = holders(&inodes, &mut self.reader);
        let owner = |listener: &Listener| Some((identity(listener), oldest(holders.get(&listener.inode)?)?));
        listeners.iter().filter_map(owner).collect()
    }
}

/// What tells a listening socket from others.
fn identity(listener: &Listener) -> (u64, u64) {
    (listener.cookie, listener.inode)
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, process, time::SystemTime};

    use rustix::{fs::fstat, net::sockopt::socket_cookie};

    use super::*;

    fn listener(socket: &TcpListener) -> Listener {
        Listener {
            address: socket.local_addr().unwrap(),
            is_dual_stack: None,
            accept_queue: 0,
            accept_queue_limit: None,
            syn_queue: None,
            drops: None,
            user_id: 0,
            cookie: socket_cookie(socket).unwrap(),
            inode: fstat(socket).unwrap().st_ino,
            network_namespace: None,
            owner: None,
        }
    }

    fn pids(listeners: &[Listener]) -> Vec<Option<u32>> {
        let pid = |listener: &Listener| listener.owner.as_ref().map(|owner| owner.process.pid);
        listeners.iter().map(pid).collect()
    }

    #[tokio::test]
    async fn a_listener_has_the_process_that_holds_it_and_one_that_is_gone_has_none() {
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let gone = TcpListener::bind("127.0.0.1:0").unwrap();
        let asked = vec![listener(&socket), listener(&gone)];
        drop(gone);
        let (owners, search) = ListenerOwners::new(Clock::new(SystemTime::UNIX_EPOCH));
        let thread = std::thread::spawn(search);

        let named = owners.name(asked.clone()).await;

        assert_eq!(pids(&named), [Some(process::id()), None]);
        drop(owners);
        thread.join().unwrap();
        // Nobody searches any more: what is not known holds nobody up.
        let (owners, search) = ListenerOwners::new(Clock::new(SystemTime::UNIX_EPOCH));
        drop(search);
        assert_eq!(owners.name(asked.clone()).await, asked);
    }

    #[test]
    fn between_two_searches_a_socket_keeps_its_process_and_a_new_one_has_none() {
        let first = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut search = Search::new(Clock::new(SystemTime::UNIX_EPOCH));
        let mut asked = [listener(&first)];
        search.name(&mut asked);
        let second = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut both = [listener(&first), listener(&second)];

        search.name(&mut both);

        assert_eq!(pids(&both), [Some(process::id()), None]);
        search.rest_until = None;
        search.name(&mut both);
        assert_eq!(pids(&both), [Some(process::id()); 2]);
    }
}
