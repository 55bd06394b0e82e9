//! Plain TCP to a process on this machine, behind the socket trait.

use bytes::Bytes;
use mts_foundation::broker::BoxFuture;
use mts_foundation::io::{Departure, Frame, Socket, SocketConnector, TransportError};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Most bytes of one chunk.
const CHUNK: usize = 64 << 10;

/// Connects to `tcp://address:port` on the loopback address and nowhere else: what it carries is not encrypted.
///
/// Must be used inside a tokio runtime with I/O and time.
#[derive(Debug, Clone, Copy, Default)]
pub struct LoopbackConnector;

impl SocketConnector for LoopbackConnector {
    async fn connect(
        &self,
        request: http::Request<()>,
        deadline: Duration,
    ) -> Result<Box<dyn Socket>, TransportError> {
        let address = address(request.uri())?;
        let failed = |timed_out, message, source| TransportError {
            departure: Departure::NotSent,
            timed_out,
            message,
            source,
        };
        let stream = match tokio::time::timeout(deadline, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                return Err(failed(false, format!("{address}: {error}"), Some(Box::new(error))));
            }
            Err(_) => {
                let message = format!("{address}: no connection within {} ms", deadline.as_millis());
                return Err(failed(true, message, None));
            }
        };
        // An order waits for nothing; a system that cannot say so is slower, not wrong.
        stream.set_nodelay(true).ok();
        Ok(Box::new(LoopbackSocket { stream, address }))
    }
}

/// The address that a request names.
fn address(uri: &http::Uri) -> Result<SocketAddr, TransportError> {
    let refused = |message: String| TransportError {
        departure: Departure::NotSent,
        timed_out: false,
        message,
        source: None,
    };
    let host: Option<IpAddr> = uri.host().and_then(|host| host.trim_matches(['[', ']']).parse().ok());
    match (uri.scheme_str(), host, uri.port_u16()) {
        (Some("tcp"), Some(host), Some(port)) if host.is_loopback() => Ok(SocketAddr::new(host, port)),
        _ => Err(refused(format!(
            "{uri} is no loopback address; write tcp://127.0.0.1:PORT, the connection is not encrypted"
        ))),
    }
}

struct LoopbackSocket {
    stream: TcpStream,
    address: SocketAddr,
}

impl LoopbackSocket {
    fn broken(&self, error: std::io::Error) -> TransportError {
        TransportError {
            departure: Departure::MayHaveLeft,
            timed_out: false,
            message: format!("{}: {error}", self.address),
            source: Some(Box::new(error)),
        }
    }
}

impl Socket for LoopbackSocket {
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
            let mut chunk = bytes::BytesMut::with_capacity(CHUNK);
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
    fn only_this_machine_is_reached() {
        for good in ["tcp://127.0.0.1:7", "tcp://127.8.8.8:7", "tcp://[::1]:7"] {
            assert!(address(request(good).uri()).is_ok(), "{good}");
        }
        for bad in ["tcp://10.0.0.1:7", "tcp://localhost:7", "ws://127.0.0.1:7", "tcp://127.0.0.1", "/x"] {
            let error = address(request(bad).uri()).unwrap_err();
            assert_eq!(error.departure, Departure::NotSent);
            assert!(error.message.contains("tcp://127.0.0.1:PORT"), "{error}");
        }
    }

    #[tokio::test]
    async fn bytes_go_both_ways_and_the_end_is_seen() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let uri = format!("tcp://{}", listener.local_addr().unwrap());
        let mut socket = SocketConnector::connect(&LoopbackConnector, request(&uri), Duration::from_secs(5))
            .await
            .unwrap();
        let (mut peer, _) = listener.accept().await.unwrap();
        socket.send(Frame::Text(Bytes::from_static(b"ask\n"))).await.unwrap();
        let mut asked = [0; 4];
        peer.read_exact(&mut asked).await.unwrap();
        peer.write_all(&asked).await.unwrap();
        drop(peer);
        assert_eq!(socket.receive().await.unwrap(), Some(Frame::Binary(Bytes::from_static(b"ask\n"))));
        assert_eq!(socket.receive().await.unwrap(), None);
        drop(listener);
        let refused =
            SocketConnector::connect(&LoopbackConnector, request(&uri), Duration::from_secs(5)).await;
        assert_eq!(refused.err().map(|error| error.departure), Some(Departure::NotSent));
    }
}
