//! The hooks. Each is one line, and the packet always passes.
#![no_std]
#![no_main]

mod clock;
mod half_open;
mod maps;
mod observe;
mod packet;
mod report;
mod socket;

use aya_ebpf::{macros::classifier, programs::TcContext};
use tcpviewer_common::parse::Link;

use crate::observe::observe;

/// `TCX_NEXT`, which to a clsact filter is `TC_ACT_UNSPEC`: whatever comes next decides.
const PASS: i32 = -1;

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
