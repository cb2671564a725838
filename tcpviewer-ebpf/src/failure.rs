//! Why connections fail, as the kernel's own trace points tell: the error that a socket reports to its application, and
//! the reason for which a reset is sent. Both are rare, and a flood of them is cut off before anything is read. Which
//! connection it is about, user space finds out by the endpoints.
#![expect(
    unsafe_code,
    reason = "map values and the kernel's own structures are behind raw pointers"
)]

use aya_ebpf::{
    Global, bindings::BPF_RB_NO_WAKEUP, helpers::bpf_ktime_get_boot_ns, programs::BtfTracePointContext,
};
use tcpviewer_common::{
    failure::{FAILURE_WINDOW_NS, FAILURES_PER_WINDOW, FailureEvent, SocketLayout},
    ledger::LedgerCounters,
    segment::{Address, mapped},
};

use crate::{
    maps::{FAILURE_EVENTS, LEDGER},
    owner::read,
};

/// `AF_INET`.
const IPV4: u16 = 2;
/// `AF_INET6`.
const IPV6: u16 = 10;
/// `IPPROTO_TCP`.
const TCP: u16 = 6;
/// `TCP_CLOSE` (include/net/tcp_states.h).
const CLOSED: u8 = 7;

/// Where the kernel keeps what is read of sockets and packets. The loader finds it by this name; without it the programs
/// are not attached.
#[unsafe(no_mangle)]
static SOCKET_LAYOUT: Global<SocketLayout> = Global::new(SocketLayout {
    family: 0,
    state: 0,
    remote_v4: 0,
    local_v4: 0,
    remote_v6: 0,
    local_v6: 0,
    remote_port: 0,
    local_port: 0,
    protocol: 0,
    error: 0,
    packet_head: 0,
    network_header: 0,
    transport_header: 0,
});

/// The endpoints of a connection as one of them sees it.
struct Ends {
    local: Address,
    remote: Address,
    local_port: [u8; 2],
    remote_port: [u8; 2],
}

/// A socket reports an error to its application: `inet_sk_error_report(sk)`.
#[inline(always)]
pub(crate) fn reports_error(context: &BtfTracePointContext) {
    let layout = SOCKET_LAYOUT.load();
    let socket: u64 = context.arg(0);
    // SAFETY: reads of the kernel's memory fail where there is nothing to read.
    unsafe {
        // The same is called where there is no error but a message, such as the time at which a packet was sent.
        let (Some(TCP), Some(number @ 1..)) = (
            read::<u16>(socket, layout.protocol),
            read::<i32>(socket, layout.error),
        ) else {
            return;
        };
        let Some((now_ns, ledger)) = admitted() else {
            return;
        };
        let is_over = read::<u8>(socket, layout.state) == Some(CLOSED);
        if let Some(ends) = ends_of_socket(socket, &layout) {
            tell(&ends, FailureEvent::ERROR, number as u32, is_over, now_ns, ledger);
        }
    }
}

/// The kernel is about to send a reset: `tcp_send_reset(sk, skb, reason)`, the reason since Linux 6.10. The packet is the
/// one that it answers, if it answers one; else the socket sends it by itself.
#[inline(always)]
pub(crate) fn sends_reset(context: &BtfTracePointContext) {
    let layout = SOCKET_LAYOUT.load();
    let Some((now_ns, ledger)) = admitted() else {
        return;
    };
    let (socket, packet, reason): (u64, u64, u32) = (context.arg(0), context.arg(1), context.arg(2));
    // SAFETY: reads of the kernel's memory fail where there is nothing to read.
    unsafe {
        let head = if packet == 0 {
            None
        } else {
            read::<u64>(packet, layout.packet_head)
        };
        let ends = match head {
            Some(head) => ends_of_packet(packet, head, &layout),
            None if socket == 0 => None,
            None => ends_of_socket(socket, &layout),
        };
        if let Some(ends) = ends {
            tell(&ends, FailureEvent::RESET, reason, false, now_ns, ledger);
        }
    }
}

/// The time, and this CPU's ledger; `None` where this CPU has told of enough failures lately, which is counted.
#[inline(always)]
fn admitted() -> Option<(u64, *mut LedgerCounters)> {
    let ledger = LEDGER.get_ptr_mut(0)?;
    // SAFETY: a helper without preconditions; this CPU's own entry. Should another program of this kind come in between,
    // one of the two is not counted.
    unsafe {
        let now_ns = bpf_ktime_get_boot_ns();
        if now_ns.saturating_sub((*ledger).failure_window_ns) > FAILURE_WINDOW_NS {
            (*ledger).failure_window_ns = now_ns;
            (*ledger).failures_in_window = 0;
        }
        if (*ledger).failures_in_window >= FAILURES_PER_WINDOW {
            (*ledger).failure_events_withheld += 1;
            return None;
        }
        (*ledger).failures_in_window += 1;
        Some((now_ns, ledger))
    }
}

/// The endpoints of a socket.
#[inline(always)]
unsafe fn ends_of_socket(socket: u64, layout: &SocketLayout) -> Option<Ends> {
    // SAFETY: as the caller says.
    unsafe {
        let (local, remote) = match read::<u16>(socket, layout.family)? {
            IPV4 => (
                mapped(read(socket, layout.local_v4)?),
                mapped(read(socket, layout.remote_v4)?),
            ),
            IPV6 => (read(socket, layout.local_v6)?, read(socket, layout.remote_v6)?),
            _ => return None,
        };
        Some(Ends {
            local,
            remote,
            local_port: read(socket, layout.local_port)?,
            remote_port: read(socket, layout.remote_port)?,
        })
    }
}

/// The endpoints of a packet that came in, as the one that it came to sees them.
#[inline(always)]
unsafe fn ends_of_packet(packet: u64, head: u64, layout: &SocketLayout) -> Option<Ends> {
    // SAFETY: as the caller says.
    unsafe {
        let network = head + u64::from(read::<u16>(packet, layout.network_header)?);
        let transport = head + u64::from(read::<u16>(packet, layout.transport_header)?);
        let (remote, local) = match read::<u8>(network, 0)? >> 4 {
            4 => (mapped(read(network, 12)?), mapped(read(network, 16)?)),
            6 => (read(network, 8)?, read(network, 24)?),
            _ => return None,
        };
        Some(Ends {
            local,
            remote,
            local_port: read(transport, 2)?,
            remote_port: read(transport, 0)?,
        })
    }
}

/// Tells user space, which looks into this ring whenever packets of connections make it look into theirs.
#[inline(always)]
unsafe fn tell(ends: &Ends, what: u32, number: u32, is_over: bool, now_ns: u64, ledger: *mut LedgerCounters) {
    let event = FailureEvent {
        time_ns: now_ns,
        local: ends.local,
        remote: ends.remote,
        local_port: ends.local_port,
        remote_port: ends.remote_port,
        what,
        number,
        is_over: u32::from(is_over),
    };
    let sent = FAILURE_EVENTS.output(event, u64::from(BPF_RB_NO_WAKEUP)).is_ok();
    // SAFETY: this CPU's own entry, as the caller says.
    unsafe {
        if sent {
            (*ledger).failure_events += 1;
        } else {
            (*ledger).failure_events_lost += 1;
        }
    }
}
