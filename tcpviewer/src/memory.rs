//! The memory of the process: who gives it out, and how what is free goes back to the kernel. Rows come and go in a few
//! sizes; jemalloc keeps those of one size apart from others, so what is free can go back. glibc keeps nearly all of what
//! a busy minute took: 476 MiB where 100,000 connections came and rested, that need 110.

use std::{ffi::CStr, ptr::null_mut};

use tikv_jemalloc_sys::mallctl;
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

/// `arena.<i>.purge` of all arenas (jemalloc(3), MALLCTL_ARENAS_ALL).
const PURGE_ALL: &CStr = c"arena.4096.purge";

/// Gives memory that is free back to the kernel at once. Else that is done within seconds.
#[expect(unsafe_code, reason = "a function of the allocator, which is in C")]
pub fn give_back() {
    // SAFETY: the name ends with a zero, and this control neither reads nor writes a value (jemalloc(3)); it may be used at
    // any time from any thread.
    let code = unsafe { mallctl(PURGE_ALL.as_ptr(), null_mut(), null_mut(), null_mut(), 0) };
    if code != 0 {
        tracing::warn!(code, "the allocator keeps what is free");
    }
}
