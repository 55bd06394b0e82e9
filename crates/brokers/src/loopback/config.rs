//! Where the venue is.

use smol_str::SmolStr;
use std::net::SocketAddr;
use std::time::Duration;

/// Where the venue is, and how it is spoken to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoopbackConfig {
    /// Its address, on this machine.
    pub address: SocketAddr,
    /// Who speaks, for the venue's log.
    pub client: SmolStr,
    /// Longest wait for a connection.
    pub connect_within: Duration,
}

/// An address of another machine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("address is {address}; the rehearsal venue is on this machine, write 127.0.0.1:PORT")]
pub struct InvalidAddress {
    /// The address.
    pub address: SocketAddr,
}

impl LoopbackConfig {
    /// A venue at an address, with two seconds for a connection.
    #[must_use]
    pub fn new(address: SocketAddr) -> Self {
        Self { address, client: SmolStr::new_static("mts"), connect_within: Duration::from_secs(2) }
    }

    /// Checks the address.
    ///
    /// # Errors
    /// [`InvalidAddress`] of another machine.
    pub fn validate(&self) -> Result<(), InvalidAddress> {
        if self.address.ip().is_loopback() {
            return Ok(());
        }
        Err(InvalidAddress { address: self.address })
    }
}
