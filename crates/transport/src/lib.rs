#![doc = include_str!("../README.md")]
//!
//! Real I/O behind foundation's traits (decision H3). So far: HTTP requests, plain TCP on this machine, and where secrets
//! come from.

#[cfg(feature = "http")]
mod http_client;
#[cfg(feature = "loopback")]
mod loopback;
mod secret;

#[cfg(feature = "http")]
pub use http_client::{ReqwestClient, SetupError};
#[cfg(feature = "loopback")]
pub use loopback::LoopbackConnector;
pub use secret::{SecretError, SecretRef};
