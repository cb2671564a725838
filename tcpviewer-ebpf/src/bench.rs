//! Programs for the benchmark, in an object of their own that no daemon carries: the packet path as it is, what it is
//! compared with, and before each the same change to the packet, so that one run stands for many different packets.
#![no_std]
#![no_main]
#![feature(asm_experimental_arch)]

mod clock;
mod floor;
mod half_open;
mod lock;
mod maps;
mod observe;
mod packet;
mod report;
mod socket;
mod vary;

use aya_ebpf::{macros::classifier, programs::TcContext};
use tcpviewer_common::parse::Link;

use crate::{observe::observe, vary::vary};

/// `TCX_NEXT`.
const PASS: i32 = -1;

/// What calling any program costs.
#[classifier]
fn empty(_context: TcContext) -> i32 {
    PASS
}

/// What the change to the packet costs.
#[classifier]
fn varied(context: TcContext) -> i32 {
    match vary(&context, 0) {
        Some(()) | None => PASS,
    }
}

/// What every tracker has to do.
#[classifier]
fn floor(context: TcContext) -> i32 {
    if vary(&context, 1).is_some() {
        floor::count(&context);
    }
    PASS
}

/// The packet path where packets come in.
#[classifier]
fn tracker_in(context: TcContext) -> i32 {
    if vary(&context, 2).is_some() {
        observe(&context, Link::Ethernet, false);
    }
    PASS
}

/// The packet path where they go out.
#[classifier]
fn tracker_out(context: TcContext) -> i32 {
    if vary(&context, 3).is_some() {
        observe(&context, Link::Ethernet, true);
    }
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
