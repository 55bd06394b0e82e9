#![doc = include_str!("../README.md")]
//!
//! Real I/O behind foundation's traits (decision H3). So far: HTTP requests, and where secrets come from.

#[cfg(feature = "http")]
mod http_client;
mod secret;

#[cfg(feature = "http")]
pub use http_client::{ReqwestClient, SetupError};
pub use secret::{SecretError, SecretRef};
