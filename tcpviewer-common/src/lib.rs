//! What both sides of the kernel boundary agree on: how a packet becomes a [`segment::Segment`], what is kept
//! of a connection, and how a segment changes that. Nothing in here allocates, reads a clock or knows where
//! the bytes come from, so the same code runs in the kernel, over capture files and under property tests.
//!
//! The modules stand in the order data passes them.
#![cfg_attr(not(any(test, feature = "user")), no_std)]

pub mod segment;

pub mod parse;

pub mod seq;

pub mod connection;

pub mod state;

pub mod analysis;

pub mod tracker;

pub mod half_open;

pub mod packet_filter;

pub mod event;

pub mod owner;

pub mod failure;

pub mod ledger;

pub mod limits;

pub mod bench;

pub mod abi;
