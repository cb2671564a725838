//! What both sides of the kernel boundary agree on.
#![cfg_attr(not(test), no_std)]

pub mod state;
