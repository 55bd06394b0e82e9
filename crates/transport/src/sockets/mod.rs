//! Connections that stay open.

mod tcp;
#[cfg(feature = "websocket")]
mod websocket;

pub use tcp::{TcpConnector, TcpReach};
#[cfg(feature = "websocket")]
pub use websocket::{WebSocketConnector, WebSocketOptions};

use mts_foundation::io::{Departure, TransportError};
use std::error::Error;
use std::future::Future;
use std::time::Duration;
use tokio::net::TcpStream;

/// Nothing left that the caller meant to send: there was no connection yet, at most a part of its handshake.
fn not_connected(message: String, source: Option<Box<dyn Error + Send + Sync>>) -> TransportError {
    TransportError { departure: Departure::NotSent, timed_out: false, message, source }
}

/// The way to a connection, within the deadline.
async fn in_time<T>(
    place: &str,
    deadline: Duration,
    step: impl Future<Output = Result<T, TransportError>>,
) -> Result<T, TransportError> {
    match tokio::time::timeout(deadline, step).await {
        Ok(done) => done,
        Err(_) => {
            let message = format!(
                "no connection to {place} within {} ms; check the address and the network",
                deadline.as_millis()
            );
            Err(TransportError { timed_out: true, ..not_connected(message, None) })
        }
    }
}

/// Opens a TCP connection to `host:port`.
async fn open(place: &str) -> Result<TcpStream, TransportError> {
    let stream = TcpStream::connect(place).await.map_err(|error| {
        let message = format!("no connection to {place}: {error}; check the address and the network");
        not_connected(message, Some(Box::new(error)))
    })?;
    // An order waits for nothing; a system that cannot say so is slower, not wrong.
    stream.set_nodelay(true).ok();
    Ok(stream)
}
