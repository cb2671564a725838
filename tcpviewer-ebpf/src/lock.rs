//! The lock of a record: one word of the map entry, 0 while nobody holds it. The kernel's own `bpf_spin_lock` costs
//! more, because it turns interrupts off; there is no need, for programs at these hooks run with bottom
//! halves disabled, and nothing else takes this lock. And while the kernel's is held no function can be called.
#![expect(
    unsafe_code,
    reason = "the word is behind a raw pointer, and for this target the language has no atomic operations that return a value"
)]

use core::{arch::asm, ffi::c_void};

use aya_ebpf::helpers::bpf_loop;

const FREE: u64 = 0;
const HELD: u64 = 1;

/// BPF_MAX_LOOPS (Linux 5.17, include/linux/bpf_verifier.h): a second and more.
const ATTEMPTS: u32 = 8 << 20;

/// Takes the lock, whoever holds it and for however long. Returns whether that succeeded: the kernel wants an end to
/// every loop, and this one ends after months.
///
/// # Safety
///
/// `lock` must be a word of a map entry that is used for nothing else, and [`release`] must follow.
#[inline(always)]
pub(crate) unsafe fn acquire(lock: *mut u64) -> bool {
    // SAFETY: as the caller says.
    unsafe { try_acquire(lock) || wait(lock) }
}

/// Gives the lock back.
///
/// # Safety
///
/// `lock` must have been acquired.
#[inline(always)]
pub(crate) unsafe fn release(lock: *mut u64) {
    // SAFETY: as the caller says.
    unsafe { publish(lock, FREE) };
}

/// Writes a number of a map entry behind all that was written before, and before all that is written after.
///
/// # Safety
///
/// `number` must be a word of a map entry.
#[inline(always)]
pub(crate) unsafe fn publish(number: *mut u64, value: u64) {
    // SAFETY: as the caller says.
    unsafe {
        if cfg!(bpf_target_arch = "x86_64") {
            // Stores become visible in their order there (Intel SDM, volume 3, section 10.2.2), and the compiler moves
            // none across the statements around it.
            asm!("", options(nostack));
            number.write_volatile(value);
            asm!("", options(nostack));
        } else {
            exchange(number, value);
        }
    }
}

/// Adds one to a number of a map entry. Returns what it was before.
///
/// # Safety
///
/// `number` must be a word of a map entry.
#[inline(always)]
pub(crate) unsafe fn increment(number: *mut u64) -> u64 {
    let mut value = 1_u64;
    // SAFETY: as the caller says; an atomic operation of this target (Linux 5.12).
    unsafe {
        asm!("{value} = atomic_fetch_add((u64 *)({number} + 0), {value})", value = inout(reg) value, number = in(reg) number, options(nostack))
    };
    value
}

/// Writes another value. Returns what it was before.
#[inline(always)]
unsafe fn exchange(word: *mut u64, mut value: u64) -> u64 {
    // SAFETY: as the callers say; an atomic operation of this target (Linux 5.12).
    unsafe {
        asm!("{value} = xchg_64({word} + 0, {value})", value = inout(reg) value, word = in(reg) word, options(nostack))
    };
    value
}

#[inline(always)]
unsafe fn try_acquire(lock: *mut u64) -> bool {
    // SAFETY: as the caller of `acquire` says.
    unsafe { exchange(lock, HELD) == FREE }
}

/// Tries until it succeeds. A function of its own, as it is seldom needed.
#[inline(never)]
unsafe fn wait(lock: *mut u64) -> bool {
    let mut waiting = Waiting { lock, acquired: 0 };
    // SAFETY: the callback is given what lives on this function's stack.
    unsafe {
        bpf_loop(
            ATTEMPTS,
            attempt_often as *mut c_void,
            (&raw mut waiting).cast(),
            0,
        )
    };
    waiting.acquired != 0
}

/// What the attempts share.
#[repr(C)]
struct Waiting {
    lock: *mut u64,
    acquired: u64,
}

/// Up to so many attempts. Returns 1 to stop.
unsafe extern "C" fn attempt_often(_number: u64, waiting: *mut c_void) -> u64 {
    // SAFETY: as in `wait`, on whose stack `waiting` lives.
    unsafe {
        bpf_loop(ATTEMPTS, attempt as *mut c_void, waiting, 0);
        (*waiting.cast::<Waiting>()).acquired
    }
}

/// One attempt. Returns 1 to stop.
unsafe extern "C" fn attempt(_number: u64, waiting: *mut c_void) -> u64 {
    // SAFETY: as in `wait`, on whose stack `waiting` lives.
    unsafe {
        let waiting = waiting.cast::<Waiting>();
        let acquired = u64::from(try_acquire((*waiting).lock));
        (*waiting).acquired = acquired;
        acquired
    }
}
