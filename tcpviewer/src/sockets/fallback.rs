//! What is told of the sockets of this host where the kernel answers no questions about them: /proc/net/tcp and tcp6 have
//! the listening ones, with less, and the counters of TCP are in procfs anyway. In: users' wishes. Out: answers.

use procfs::{
    ProcResult,
    net::{TcpNetEntry, TcpState, tcp, tcp6},
};
use tokio::{sync::mpsc, time::Instant};

use super::{
    Request,
    host::HostCounters,
    listeners::{Handshakes, completed},
};
use crate::model::Listener;

/// Answers in place of the kernel.
#[derive(Default)]
pub struct Fallback {
    counters: HostCounters,
}

impl Fallback {
    /// Answers until the requests end. Reading takes time in which nothing else is done, so this wants a thread of its
    /// own.
    pub async fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        while let Some(request) = requests.recv().await {
            match request {
                Request::Watch(_) => {}
                // Who asked may have gone; then nobody misses the answer.
                Request::Listeners(reply) => drop(reply.send(listeners().map_err(|error| error.to_string()))),
                Request::HostCounters(reply) => {
                    let counters = self.counters.read(Instant::now());
                    let counters =
                        counters.inspect_err(|error| tracing::debug!(%error, "counters of the host"));
                    drop(reply.send(counters.unwrap_or_default()));
                }
            }
        }
    }
}

/// All of them, by address.
fn listeners() -> ProcResult<Vec<Listener>> {
    // Without IPv6 there is no second file.
    let v6 = tcp6().unwrap_or_default();
    Ok(among(tcp()?.into_iter().chain(v6)))
}

fn among(sockets: impl Iterator<Item = TcpNetEntry>) -> Vec<Listener> {
    let (mut listeners, mut handshakes) = (Vec::new(), Handshakes::new());
    for socket in sockets {
        let mut address = socket.local_address;
        address.set_ip(address.ip().to_canonical());
        if socket.state == TcpState::Listen {
            listeners.push(Listener {
                address,
                is_dual_stack: None,
                accept_queue: socket.rx_queue,
                accept_queue_limit: None,
                syn_queue: Some(0),
                drops: None,
                user_id: socket.uid,
                cookie: 0,
                inode: socket.inode,
                owner: None,
            });
        } else if matches!(socket.state, TcpState::SynRecv | TcpState::NewSynRecv) {
            *handshakes.entry(address).or_default() += 1;
        }
    }
    completed(listeners, handshakes)
}

#[cfg(test)]
mod tests {
    use procfs::{FromReadSI as _, current_system_info, net::TcpNetEntries};

    use super::*;

    /// As Linux 6.18 writes it: a listener with three that wait, a handshake at it, and an open connection.
    const TABLE: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000003 00:00000000 00000000  1000        0 4242 1 0 100 0 0 10 0
   1: 0100007F:1F90 0200007F:C001 03 00000000:00000000 01:00000064 00000000     0        0 0 1 0
   2: 0100007F:1F90 0200007F:C000 01 00000000:00000000 00:00000000 00000000  1000        0 4243 1 0 20 4 30 10 -1
";

    #[test]
    fn a_listener_is_read_with_what_waits_for_it() {
        let table = TcpNetEntries::from_read(TABLE.as_bytes(), current_system_info()).unwrap();

        let found = among(table.0.into_iter());

        let [listener] = &found[..] else {
            unreachable!("{found:?}")
        };
        assert_eq!(listener.address, "127.0.0.1:8080".parse().unwrap());
        assert_eq!(
            (
                listener.accept_queue,
                listener.syn_queue,
                listener.user_id,
                listener.inode
            ),
            (3, Some(1), 1000, 4242)
        );
        assert_eq!((listener.accept_queue_limit, listener.drops), (None, None));
    }
}
