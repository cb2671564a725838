//! tcpviewer: follows every TCP connection of a host in the kernel and publishes them live.
//!
//! The modules stand in the order data passes them; a stage names `model` and its own children only, and
//! `daemon` alone knows the order.

pub mod memory;

pub mod model;

pub mod config;

pub mod budget;

pub mod attach;

pub mod capture;

pub mod sockets;

pub mod owners;

pub mod verdict;

pub mod filter;

pub mod table;

pub mod publish;

pub mod history;

pub mod proto;

pub mod api;

pub mod daemon;

pub mod cli;
