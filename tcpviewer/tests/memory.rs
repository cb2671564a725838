//! Memory that is free goes back to the kernel. Alone in its process: what others take meanwhile would count as well.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use procfs::process::Process;
use tcpviewer::memory;

#[test]
fn memory_that_is_free_goes_back() {
    // MiB.
    let resident = || {
        let status = Process::myself().unwrap().status().unwrap();
        status.vmrss.unwrap() >> 10
    };
    let rows: Vec<_> = (0..200_000).map(|row| vec![row as u8 | 1; 512]).collect();
    let before = resident();

    drop(rows);
    memory::give_back();

    // The allocator's own thread may be at it.
    let asked = Instant::now();
    while resident() + 60 >= before {
        let patience = Duration::from_secs(5);
        assert!(
            asked.elapsed() < patience,
            "{before} MiB, then {} MiB",
            resident()
        );
        sleep(Duration::from_millis(10));
    }
}
