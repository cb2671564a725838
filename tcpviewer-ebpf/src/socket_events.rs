//! What the kernel tells of sockets themselves: on which endpoints a socket of another network namespace is, so that
//! packets of containers find theirs, and, in every one, that a socket begins to listen.
#![expect(unsafe_code, reason = "contexts and map values are behind raw pointers")]

use aya_ebpf::{
    EbpfContext as _, Global,
    bindings::{
        BPF_ANY, BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB, BPF_SOCK_OPS_TCP_CONNECT_CB, BPF_SOCK_OPS_TCP_LISTEN_CB,
    },
    helpers::{bpf_get_netns_cookie, bpf_get_socket_cookie, bpf_ktime_get_boot_ns},
    programs::SockOpsContext,
};
use tcpviewer_common::{
    owner::{FoundSocket, SocketEnds, SocketOwner},
    segment::{Address, mapped},
};

use crate::{
    maps::SOCKET_ENDS,
    owner::{of_socket, tell},
};

/// `AF_INET`.
const IPV4: u32 = 2;
/// `AF_INET6`.
const IPV6: u32 = 10;

/// The daemon's own network namespace, by its cookie; 0 where that is not known. Its sockets' packets tell which socket
/// they are of, so their endpoints need not be noted. The loader finds it by this name.
#[unsafe(no_mangle)]
static OWN_NETWORK: Global<u64> = Global::new(0);

/// Takes what the kernel tells of a socket. Most of it, nine calls for each connection in all, is of no interest.
#[inline(always)]
pub(crate) fn take(context: &SockOpsContext) {
    match context.op() {
        BPF_SOCK_OPS_TCP_CONNECT_CB | BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB => found(context),
        BPF_SOCK_OPS_TCP_LISTEN_CB => listens(context),
        _ => {}
    }
}

/// Notes on which endpoints the socket is.
#[inline(always)]
fn found(context: &SockOpsContext) {
    // SAFETY: a helper that takes the context it was called with.
    let network_cookie = unsafe { bpf_get_netns_cookie(context.as_ptr()) };
    if network_cookie == OWN_NETWORK.load() {
        return;
    }
    let Some((local, remote)) = addresses(context) else {
        return;
    };
    let ends = SocketEnds {
        local,
        remote,
        local_port: local_port(context),
        // In the upper half of a number in network order.
        remote_port: (u32::from_be(context.remote_port()) as u16).to_be_bytes(),
        alignment: [],
    };
    // SAFETY: helpers that take the context they were called with, or nothing; the map entry is read at once.
    unsafe {
        let cookie = bpf_get_socket_cookie(context.as_ptr());
        let time_ns = bpf_ktime_get_boot_ns();
        let rival_ns = match SOCKET_ENDS.get_ptr(ends) {
            Some(before) if (*before).network_cookie != network_cookie => time_ns,
            Some(before) => (*before).rival_ns,
            None => 0,
        };
        let socket = FoundSocket {
            cookie,
            network_cookie,
            time_ns,
            rival_ns,
        };
        // Where it finds no room its packets have no owner, which is what is said of them.
        SOCKET_ENDS.insert(ends, socket, u64::from(BPF_ANY)).ok();
    }
}

/// Tells user space that a socket listens, and whose it is.
#[inline(always)]
fn listens(context: &SockOpsContext) {
    let Some((address, _remote)) = addresses(context) else {
        return;
    };
    // SAFETY: a helper that takes the context it was called with.
    let cookie = unsafe { bpf_get_socket_cookie(context.as_ptr()) };
    let Some(owner) = of_socket(cookie) else {
        return;
    };
    // SAFETY: a helper without preconditions.
    let time_ns = unsafe { bpf_ktime_get_boot_ns() };
    let owner = SocketOwner {
        act: SocketOwner::LISTENS,
        time_ns,
        ..*owner
    };
    tell(cookie, &owner, address, local_port(context), false);
}

/// The socket's own address and the other end's. All fields are read, and only then it is looked which of them count:
/// the verifier knows the context by fixed offsets, and reads in branches are made one at an offset that is not.
#[inline(always)]
fn addresses(context: &SockOpsContext) -> Option<(Address, Address)> {
    let ops = context.ops;
    // SAFETY: the context is valid while the program runs.
    let (local_v4, remote_v4, local_v6, remote_v6) = unsafe {
        (
            (&raw const (*ops).local_ip4).read_volatile(),
            (&raw const (*ops).remote_ip4).read_volatile(),
            [
                (&raw const (*ops).local_ip6[0]).read_volatile(),
                (&raw const (*ops).local_ip6[1]).read_volatile(),
                (&raw const (*ops).local_ip6[2]).read_volatile(),
                (&raw const (*ops).local_ip6[3]).read_volatile(),
            ],
            [
                (&raw const (*ops).remote_ip6[0]).read_volatile(),
                (&raw const (*ops).remote_ip6[1]).read_volatile(),
                (&raw const (*ops).remote_ip6[2]).read_volatile(),
                (&raw const (*ops).remote_ip6[3]).read_volatile(),
            ],
        )
    };
    match context.family() {
        IPV4 => Some((mapped(local_v4.to_ne_bytes()), mapped(remote_v4.to_ne_bytes()))),
        IPV6 => Some((joined(local_v6), joined(remote_v6))),
        _ => None,
    }
}

/// An address of four words that are in network order.
#[inline(always)]
const fn joined([a, b, c, d]: [u32; 4]) -> Address {
    let (a, b, c, d) = (a.to_ne_bytes(), b.to_ne_bytes(), c.to_ne_bytes(), d.to_ne_bytes());
    [
        a[0], a[1], a[2], a[3], b[0], b[1], b[2], b[3], c[0], c[1], c[2], c[3], d[0], d[1], d[2], d[3],
    ]
}

/// The socket's own port.
#[inline(always)]
fn local_port(context: &SockOpsContext) -> [u8; 2] {
    (context.local_port() as u16).to_be_bytes()
}
