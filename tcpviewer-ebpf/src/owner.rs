//! Whose a socket is. Programs on the root of the cgroup hierarchy run in the process that connects, binds or accepts,
//! whatever its network namespace, and note it under the socket's cookie; user space looks there when packets of that
//! cookie pass. Of a process it may not have met, user space is told at once, for many live no longer than their
//! connection. Nothing in here keeps anybody from doing what he does.
#![expect(
    unsafe_code,
    reason = "contexts, map values and the kernel's own structures are behind raw pointers"
)]

use core::mem::offset_of;

use aya_ebpf::{
    EbpfContext as _, Global,
    bindings::{BPF_ANY, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP},
    helpers::{
        bpf_get_current_cgroup_id, bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_get_current_task,
        bpf_get_current_uid_gid, bpf_get_netns_cookie, bpf_get_socket_cookie, bpf_ktime_get_boot_ns,
        bpf_probe_read_kernel, generated::bpf_probe_read_user,
    },
    programs::{SockAddrContext, SockContext},
};
use tcpviewer_common::{
    ledger::LedgerCounters,
    limits::URGENT_WAKEUP_NS,
    owner::{ARGUMENT_BYTES, OwnedSocket, OwnerEvent, SocketOwner, TELL_AGAIN_NS, TaskLayout},
    segment::Address,
};

use crate::{
    lock,
    maps::{LEDGER, OWNER_EVENTS, OWNERS, TOLD, Told},
};

/// `SOCK_STREAM` (include/linux/net.h).
const STREAM: u32 = 1;
/// `IPPROTO_TCP`.
const TCP: u32 = 6;

/// Where the kernel keeps what is read of a process. The loader finds it by this name.
#[unsafe(no_mangle)]
static TASK_LAYOUT: Global<TaskLayout> = Global::new(TaskLayout {
    group_leader: 0,
    start_boottime: 0,
    comm: 0,
    mm: 0,
    arg_start: 0,
    arg_end: 0,
});

/// A process connects a socket.
#[inline(always)]
pub(crate) fn connects(context: &SockAddrContext) {
    if !is_tcp(context) {
        return;
    }
    // SAFETY: helpers that take the context they were called with.
    let (cookie, network) = unsafe {
        (
            bpf_get_socket_cookie(context.as_ptr()),
            bpf_get_netns_cookie(context.as_ptr()),
        )
    };
    note(cookie, &current(network, SocketOwner::CONNECTED));
}

/// A process asks who is at the other end: `accept` does so for whoever calls it with room for the answer. Who connected
/// or bound the socket stays its owner.
#[inline(always)]
pub(crate) fn asks_for_peer(context: &SockAddrContext) {
    if !is_tcp(context) {
        return;
    }
    // SAFETY: helpers that take the context they were called with.
    unsafe {
        let cookie = bpf_get_socket_cookie(context.as_ptr());
        if of_socket(cookie).is_some_and(|owner| owner.act != SocketOwner::ASKED_FOR_PEER) {
            return;
        }
        let network = bpf_get_netns_cookie(context.as_ptr());
        note(cookie, &current(network, SocketOwner::ASKED_FOR_PEER));
    }
}

/// A process has bound a socket.
#[inline(always)]
pub(crate) fn has_bound(context: &SockContext) {
    // SAFETY: the context is valid while the program runs; helpers that take it.
    unsafe {
        let socket = context.sock;
        if (*socket).type_ != STREAM || (*socket).protocol != TCP {
            return;
        }
        let cookie = bpf_get_socket_cookie(context.as_ptr());
        let network = bpf_get_netns_cookie(context.as_ptr());
        note(cookie, &current(network, SocketOwner::BOUND));
    }
}

#[inline(always)]
fn is_tcp(context: &SockAddrContext) -> bool {
    // SAFETY: the context is valid while the program runs.
    unsafe { (*context.sock_addr).type_ == STREAM && (*context.sock_addr).protocol == TCP }
}

/// The process at work.
#[inline(always)]
fn current(network_cookie: u64, act: u32) -> SocketOwner {
    let layout = TASK_LAYOUT.load();
    // SAFETY: helpers without preconditions; reads of the kernel's memory fail where there is nothing to read.
    unsafe {
        let leader = leader(&layout);
        let started_ns = leader
            .and_then(|leader| read(leader, layout.start_boottime))
            .unwrap_or(0);
        let command = leader
            .and_then(|leader| read(leader, layout.comm))
            .or_else(|| bpf_get_current_comm().ok())
            .unwrap_or([0; 16]);
        SocketOwner {
            time_ns: bpf_ktime_get_boot_ns(),
            started_ns,
            cgroup_id: bpf_get_current_cgroup_id(),
            network_cookie,
            process_id: (bpf_get_current_pid_tgid() >> 32) as u32,
            user_id: bpf_get_current_uid_gid() as u32,
            act,
            padding: 0,
            command,
        }
    }
}

/// The first thread of the current process, as an address; `None` where the layout is unknown.
#[inline(always)]
unsafe fn leader(layout: &TaskLayout) -> Option<u64> {
    if layout.group_leader == 0 {
        return None;
    }
    // SAFETY: as the caller says.
    unsafe { read(bpf_get_current_task(), layout.group_leader) }
}

/// A field of one of the kernel's structures.
#[inline(always)]
pub(crate) unsafe fn read<T>(structure: u64, offset: u32) -> Option<T> {
    // SAFETY: the helper fails where there is nothing to read.
    unsafe { bpf_probe_read_kernel((structure + u64::from(offset)) as *const T).ok() }
}

/// Whose the socket is, if that was noted.
#[inline(always)]
pub(crate) fn of_socket(cookie: u64) -> Option<&'static SocketOwner> {
    // SAFETY: a map entry, valid while the program runs. Whoever noted it worked on the same socket; for another one its
    // place is free only after as many others as there are places.
    OWNERS
        .get_ptr(OwnedSocket::place(cookie))
        .and_then(|socket| unsafe { (*socket).owner_of(cookie) })
}

/// Notes whose the socket is, and tells user space of its process.
#[inline(always)]
fn note(cookie: u64, owner: &SocketOwner) {
    let Some(socket) = OWNERS.get_ptr_mut(OwnedSocket::place(cookie)) else {
        return;
    };
    // SAFETY: a map entry, valid while the program runs; its times are written in the order that `OwnedSocket` asks for.
    unsafe {
        lock::publish(&raw mut (*socket).noted_ns, 0);
        (*socket).owner = SocketOwner { time_ns: 0, ..*owner };
        (*socket).cookie = cookie;
        lock::publish(&raw mut (*socket).owner.time_ns, owner.time_ns);
        lock::publish(&raw mut (*socket).noted_ns, owner.time_ns);
    }
    let told = Told {
        started_ns: owner.started_ns,
        time_ns: owner.time_ns,
        command: owner.command,
    };
    if let Some(before) = TOLD.get_ptr(owner.process_id) {
        // SAFETY: the map entry is read at once.
        let before = unsafe { *before };
        if before.started_ns == told.started_ns
            && before.command == told.command
            && told.time_ns.saturating_sub(before.time_ns) < TELL_AGAIN_NS
        {
            return;
        }
    }
    if tell(cookie, owner, [0; 16], [0; 2], true) {
        // Without an entry it is told once more.
        TOLD.insert(owner.process_id, told, u64::from(BPF_ANY)).ok();
    }
}

/// Tells user space of a process, or of a socket that listens. Returns whether there was room.
#[inline(always)]
pub(crate) fn tell(
    cookie: u64,
    owner: &SocketOwner,
    address: Address,
    port: [u8; 2],
    with_arguments: bool,
) -> bool {
    let Some(ledger) = LEDGER.get_ptr_mut(0) else {
        return false;
    };
    let Some(mut entry) = OWNER_EVENTS.reserve(0) else {
        // SAFETY: this CPU's own entry. Should another program of this kind come in between, one of the two is not
        // counted.
        unsafe { (*ledger).owner_events_lost += 1 };
        return false;
    };
    let event: *mut OwnerEvent = entry.as_mut_ptr();
    // SAFETY: the entry has the size of the event, and all fields of it are written; as above.
    unsafe {
        (*event).cookie = cookie;
        (*event).owner = *owner;
        (*event).address = address;
        (*event).port = port;
        (*event).argument_bytes = 0;
        (*event).all_argument_bytes = 0;
        if with_arguments {
            write_arguments(event);
        }
        entry.submit(wake_up(owner.time_ns, ledger));
        (*ledger).owner_events += 1;
    }
    true
}

/// Writes the command line of the current process into the event, as far as it is in memory and finds room.
#[inline(always)]
unsafe fn write_arguments(event: *mut OwnerEvent) {
    let layout = TASK_LAYOUT.load();
    if layout.mm == 0 {
        return;
    }
    // SAFETY: helpers that fail where there is nothing to read. `length` is no more than there is room for.
    unsafe {
        let Some(memory) = read::<u64>(bpf_get_current_task(), layout.mm).filter(|memory| *memory != 0)
        else {
            return;
        };
        let (Some(start), Some(end)) = (
            read::<u64>(memory, layout.arg_start),
            read::<u64>(memory, layout.arg_end),
        ) else {
            return;
        };
        let all = end.saturating_sub(start);
        let length = if all >= ARGUMENT_BYTES as u64 {
            ARGUMENT_BYTES as u32
        } else {
            all as u32 & (ARGUMENT_BYTES as u32 - 1)
        };
        let to = event.cast::<u8>().add(offset_of!(OwnerEvent, arguments));
        if length > 0 && bpf_probe_read_user(to.cast(), length, start as *const _) == 0 {
            (*event).argument_bytes = length as u16;
            (*event).all_argument_bytes = all as u32;
        }
    }
}

/// Whether to wake the reader: when this CPU has not done so for a while.
#[inline(always)]
unsafe fn wake_up(now_ns: u64, ledger: *mut LedgerCounters) -> u64 {
    // SAFETY: as the caller says: this CPU's own entry.
    unsafe {
        if now_ns.saturating_sub((*ledger).owner_woke_ns) < URGENT_WAKEUP_NS {
            return u64::from(BPF_RB_NO_WAKEUP);
        }
        (*ledger).owner_woke_ns = now_ns;
    }
    u64::from(BPF_RB_FORCE_WAKEUP)
}
