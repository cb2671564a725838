//! The hooks. Each is one line, and the packet always passes, as does every call of a process.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod clock;
mod failure;
mod half_open;
mod lock;
mod maps;
mod observe;
mod owner;
mod packet;
mod report;
mod socket;
mod socket_events;

use aya_ebpf::{
    bindings::xdp_action::XDP_PASS,
    macros::{btf_tracepoint, cgroup_sock, cgroup_sock_addr, classifier, sock_ops, xdp},
    programs::{BtfTracePointContext, SockAddrContext, SockContext, SockOpsContext, TcContext, XdpContext},
};
use tcpviewer_common::parse::Link;

use crate::observe::observe;

/// `TCX_NEXT`, which to a clsact filter is `TC_ACT_UNSPEC`: whatever comes next decides.
const PASS: i32 = -1;

/// What a process does is allowed.
const ALLOW: i32 = 1;

/// Packets that come in through a device with Ethernet headers.
#[classifier]
fn ethernet_in(context: TcContext) -> i32 {
    observe(&context, Link::Ethernet, false);
    PASS
}

/// Packets that go out through a device with Ethernet headers.
#[classifier]
fn ethernet_out(context: TcContext) -> i32 {
    observe(&context, Link::Ethernet, true);
    PASS
}

/// Packets that come in through a device with Ethernet headers, before the kernel's stack has them.
#[xdp(frags)]
fn ethernet_xdp(context: XdpContext) -> u32 {
    observe(&context, Link::Ethernet, false);
    XDP_PASS
}

/// Packets that come in through a device without a link layer (tun, WireGuard, PPP).
#[classifier]
fn bare_in(context: TcContext) -> i32 {
    observe(&context, Link::None, false);
    PASS
}

/// Packets that go out through a device without a link layer.
#[classifier]
fn bare_out(context: TcContext) -> i32 {
    observe(&context, Link::None, true);
    PASS
}

/// A process connects a socket to an IPv4 address.
#[cgroup_sock_addr(connect4)]
fn connect4(context: SockAddrContext) -> i32 {
    owner::connects(&context);
    ALLOW
}

/// A process connects a socket to an IPv6 address.
#[cgroup_sock_addr(connect6)]
fn connect6(context: SockAddrContext) -> i32 {
    owner::connects(&context);
    ALLOW
}

/// A process accepts a connection, or asks for the other end of one, over IPv4.
#[cgroup_sock_addr(getpeername4)]
fn getpeername4(context: SockAddrContext) -> i32 {
    owner::asks_for_peer(&context);
    ALLOW
}

/// The same over IPv6.
#[cgroup_sock_addr(getpeername6)]
fn getpeername6(context: SockAddrContext) -> i32 {
    owner::asks_for_peer(&context);
    ALLOW
}

/// A process has bound a socket to an IPv4 address.
#[cgroup_sock(post_bind4)]
fn post_bind4(context: SockContext) -> i32 {
    owner::has_bound(&context);
    ALLOW
}

/// A process has bound a socket to an IPv6 address.
#[cgroup_sock(post_bind6)]
fn post_bind6(context: SockContext) -> i32 {
    owner::has_bound(&context);
    ALLOW
}

/// A socket is connected, accepted, or begins to listen.
#[sock_ops]
fn socket_event(context: SockOpsContext) -> u32 {
    socket_events::take(&context);
    1
}

/// A socket reports an error to its application.
#[btf_tracepoint(function = "inet_sk_error_report")]
fn socket_error(context: BtfTracePointContext) -> i32 {
    failure::reports_error(&context);
    0
}

/// The kernel is about to send a reset.
#[btf_tracepoint(function = "tcp_send_reset")]
fn reset_sent(context: BtfTracePointContext) -> i32 {
    failure::sends_reset(&context);
    0
}

/// The kernel hands some helpers only to programs under a licence compatible with its own.
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
#[expect(unsafe_code, reason = "the loader reads this section by its name")]
pub static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[cfg(not(test))]
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
