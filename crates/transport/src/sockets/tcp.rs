//! Plain TCP, behind the socket trait.

use super::{in_time, not_connected, open};
use bytes::{Bytes, BytesMut};
use mts_foundation::broker::BoxFuture;
use mts_foundation::io::{Departure, Frame, Socket, SocketConnector, TransportError};
use std::net::IpAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Most bytes of one chunk.
const CHUNK: usize = 64 << 10;

/// Where plain TCP may lead: what it carries is not encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TcpReach {
    /// To a loopback address and nowhere else.
    #[default]
    ThisMachine,
    /// Wherever a request says, by address or name; for a network that one trusts, such as a gateway's own.
    Anywhere,
}

/// Connects to `tcp://host:port`. A chunk of what comes is a binary frame of at most 64 KiB; the end of the stream is the end of
/// the connection.
///
/// Must be used inside a tokio runtime with I/O and time.
#[derive(Debug, Clone, Copy, Default)]
pub struct TcpConnector {
    reach: TcpReach,
}

impl TcpConnector {
    /// Leads no further than that.
    #[must_use]
    pub const fn new(reach: TcpReach) -> Self {
        Self { reach }
    }

    /// The `host:port` that a request names.
    fn place<'a>(&self, address: &'a http::Uri) -> Result<&'a str, TransportError> {
        let host = address.host().unwrap_or_default();
        let is_here = host.trim_matches(['[', ']']).parse().is_ok_and(|host: IpAddr| host.is_loopback());
        let place = address.authority().filter(|place| place.port_u16().is_some() && !host.is_empty());
        match (address.scheme_str(), place) {
            (Some("tcp"), Some(place)) if place.as_str().contains('@') => {
                Err(not_connected(format!("tcp://{host} names a user; write tcp://host:port"), None))
            }
            (Some("tcp"), Some(place)) if is_here || self.reach == TcpReach::Anywhere => Ok(place.as_str()),
            (Some("tcp"), Some(_)) => {
                let message = format!(
                    "{address} is no loopback address; write tcp://127.0.0.1:PORT, the connection is not encrypted"
                );
                Err(not_connected(message, None))
            }
            _ => {
                let message = format!("{address} names no port of TCP; write tcp://127.0.0.1:PORT");
                Err(not_connected(message, None))
            }
        }
    }
}

impl SocketConnector for TcpConnector {
    async fn connect(
        &self,
        request: http::Request<()>,
        deadline: Duration,
    ) -> Result<Box<dyn Socket>, TransportError> {
        let place = self.place(request.uri())?;
        let stream = in_time(place, deadline, open(place)).await?;
        Ok(Box::new(TcpSocket { stream, place: place.to_owned() }))
    }
}

struct TcpSocket {
    stream: TcpStream,
    place: String,
}

impl TcpSocket {
    fn broken(&self, error: std::io::Error) -> TransportError {
        TransportError {
            departure: Departure::MayHaveLeft,
            timed_out: false,
            message: format!("{}: {error}; connect again", self.place),
            source: Some(Box::new(error)),
        }
    }
}

impl Socket for TcpSocket {
    fn send(&mut self, frame: Frame) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(async move {
            let sent = match frame {
                Frame::Text(bytes) | Frame::Binary(bytes) => self.stream.write_all(&bytes).await,
                Frame::Close => self.stream.shutdown().await,
                // TCP itself knows whether the peer lives.
                Frame::Ping(_) | Frame::Pong(_) => Ok(()),
            };
            sent.map_err(|error| self.broken(error))
        })
    }

    fn receive(&mut self) -> BoxFuture<'_, Result<Option<Frame>, TransportError>> {
        Box::pin(async move {
            let mut chunk = BytesMut::with_capacity(CHUNK);
            match self.stream.read_buf(&mut chunk).await {
                Ok(0) => Ok(None),
                Ok(_) => Ok(Some(Frame::Binary(Bytes::from(chunk)))),
                Err(error) => Err(self.broken(error)),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    fn request(uri: &str) -> http::Request<()> {
        http::Request::builder().uri(uri).body(()).unwrap()
    }

    #[test]
    fn only_this_machine_is_reached_unless_somebody_allows_more() {
        let (here, anywhere) = (TcpConnector::default(), TcpConnector::new(TcpReach::Anywhere));
        for good in ["tcp://127.0.0.1:7", "tcp://127.8.8.8:7", "tcp://[::1]:7"] {
            assert!(here.place(request(good).uri()).is_ok(), "{good}");
        }
        for bad in ["tcp://10.0.0.1:7", "tcp://localhost:7", "ws://127.0.0.1:7", "tcp://127.0.0.1", "/x"] {
            let error = here.place(request(bad).uri()).unwrap_err();
            assert_eq!(error.departure, Departure::NotSent);
            assert!(error.message.contains("tcp://127.0.0.1:PORT"), "{error}");
        }
        assert_eq!(anywhere.place(request("tcp://gateway:4001").uri()).unwrap(), "gateway:4001");
        for bad in ["tcp://gateway", "ws://gateway:4001", "tcp://me:hunter2@gateway:4001"] {
            let error = anywhere.place(request(bad).uri()).unwrap_err();
            assert!(!error.message.contains("hunter2"), "{error}");
        }
    }

    #[tokio::test]
    async fn bytes_go_both_ways_and_the_end_is_seen() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("tcp://{}", listener.local_addr().unwrap());
        let connector = TcpConnector::default();
        let mut socket =
            SocketConnector::connect(&connector, request(&uri), Duration::from_secs(5)).await.unwrap();
        let (mut peer, _) = listener.accept().await.unwrap();
        socket.send(Frame::Text(Bytes::from_static(b"ask\n"))).await.unwrap();
        let mut asked = [0; 4];
        peer.read_exact(&mut asked).await.unwrap();
        peer.write_all(&asked).await.unwrap();
        drop(peer);
        assert_eq!(socket.receive().await.unwrap(), Some(Frame::Binary(Bytes::from_static(b"ask\n"))));
        assert_eq!(socket.receive().await.unwrap(), None);
        drop(listener);
        let refused = SocketConnector::connect(&connector, request(&uri), Duration::from_secs(5)).await;
        assert_eq!(refused.err().map(|error| error.departure), Some(Departure::NotSent));
    }
}
