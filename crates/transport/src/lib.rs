#![doc = include_str!("../README.md")]
//!
//! Real I/O behind foundation's traits (decision H3).

mod clock;
#[cfg(any(feature = "http", feature = "layers"))]
mod faults;
#[cfg(feature = "http")]
mod http_client;
#[cfg(feature = "layers")]
mod layers;
mod redact;
mod secrets;
#[cfg(feature = "tcp")]
mod sockets;
#[cfg(feature = "stack")]
mod stack;
#[cfg(feature = "state")]
mod state;
#[cfg(any(feature = "layers", feature = "state"))]
mod system;
#[cfg(feature = "layers")]
mod tape;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "layers")]
mod waiting;

pub use clock::SystemClock;
#[cfg(feature = "http")]
pub use http_client::ReqwestClient;
#[cfg(feature = "layers")]
pub use layers::{
    Attempts, Budget, ClockSkew, Jitter, KeepAlive, KeepAliveOptions, Limit, Observe, Reconnect,
    ReconnectOptions, Reconnects, RequestId, Retry, RetryOptions, Skew,
};
pub use mts_foundation::secret::SecretRef;
pub use redact::{REDACTED, Redactor};
pub use secrets::Secrets;
#[cfg(feature = "vault")]
pub use secrets::{Vault, VaultAuth, VaultConfig, VaultConfigError};
#[cfg(feature = "tcp")]
pub use sockets::{TcpConnector, TcpReach};
#[cfg(feature = "websocket")]
pub use sockets::{WebSocketConnector, WebSocketOptions};
#[cfg(feature = "stack")]
pub use stack::{Stack, StackBuilder, StackError};
#[cfg(feature = "state")]
pub use state::FileState;
#[cfg(feature = "layers")]
pub use tape::{Player, Recorder, Recording, TAPE_VERSION, TapeError};
#[cfg(feature = "tls")]
pub use tls::{SetupError, Tls};
#[cfg(feature = "layers")]
pub use waiting::TokioSleep;
