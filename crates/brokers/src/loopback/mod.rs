#![doc = include_str!("docs.md")]

mod client;
mod config;
mod connection;
mod stream;
pub mod wire;

pub use client::LoopbackBroker;
pub use config::{InvalidAddress, LoopbackConfig};
