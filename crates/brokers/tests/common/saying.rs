//! A venue that says whatever it is told to: for the fuzz targets of the adapters, the replay of their corpora, and benchmarks.

#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "a helper of several programs; the worlds it makes are constants"
)]

use bytes::Bytes;
use futures_core::Stream;
use mts_brokers::kit::Connections;
use mts_foundation::broker::{BoxFuture, Broker, BrokerOrderRef, OrderRef};
use mts_foundation::broker_event::Cursor;
use mts_foundation::io::{
    Frame, HttpClient, RequestOptions, SharedState, Sleep, Socket, SocketConnector, StateChange, StateError,
    TransportError,
};
use mts_foundation::ready::ready;
use mts_foundation::secret::{SecretRef, SecretSource, SecretUnavailable};
use mts_foundation::{BrokerOrderId, Clock, Order, OrderId, Timestamp};
use secrecy::SecretString;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// Most answers to one input: what asks for more is stopped as by a connection that is lost.
const MOST_ANSWERS: usize = 400;
/// Most events that are taken from one input.
const MOST_EVENTS: usize = 2_000;

/// The public test key of the venue's own client.
pub(crate) const SECRET: &str = "k0BUni0p0vZG1BdpVjS6ogBJ7kxm630AJ2dN+tuputA=";

/// Says the same lines, each as an answer to a request and as a frame of the stream.
#[derive(Clone)]
pub(crate) struct Venue {
    lines: Arc<Vec<Bytes>>,
    answered: Arc<AtomicUsize>,
    status: u16,
    /// The last request.
    pub(crate) heard: Arc<Mutex<Option<http::Request<Bytes>>>>,
}

struct Lines {
    lines: Arc<Vec<Bytes>>,
    next: usize,
}

fn lost() -> TransportError {
    TransportError {
        departure: mts_foundation::io::Departure::MayHaveLeft,
        timed_out: false,
        message: "no more is said".to_owned(),
        source: None,
    }
}

impl HttpClient for Venue {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        _: &RequestOptions,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let number = self.answered.fetch_add(1, Ordering::Relaxed);
        *self.heard.lock().unwrap() = Some(request);
        let line = self.lines.get(number % self.lines.len().max(1)).filter(|_| number < MOST_ANSWERS);
        let mut response = http::Response::new(line.cloned().ok_or_else(lost)?);
        *response.status_mut() = http::StatusCode::from_u16(self.status).unwrap();
        Ok(response)
    }
}

impl SocketConnector for Venue {
    async fn connect(&self, _: http::Request<()>, _: Duration) -> Result<Box<dyn Socket>, TransportError> {
        Ok(Box::new(Lines { lines: self.lines.clone(), next: 0 }))
    }
}

impl Socket for Lines {
    fn send(&mut self, _: Frame) -> BoxFuture<'_, Result<(), TransportError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn receive(&mut self) -> BoxFuture<'_, Result<Option<Frame>, TransportError>> {
        let line = self.lines.get(self.next).cloned();
        self.next += 1;
        Box::pin(std::future::ready(Ok(line.map(Frame::Text))))
    }
}

impl Clock for Venue {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000)
    }
}

impl Sleep for Venue {
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

impl SecretSource for Venue {
    fn secret<'a>(&'a self, _: &'a SecretRef) -> BoxFuture<'a, Result<SecretString, SecretUnavailable>> {
        Box::pin(std::future::ready(Ok(SECRET.into())))
    }
}

impl SharedState for Venue {
    fn update(&self, _: &str, _: &mut StateChange<'_>) -> Result<Option<Vec<u8>>, StateError> {
        Ok(None)
    }
}

impl Venue {
    /// A venue that answers with this status.
    pub(crate) fn saying(lines: Vec<Bytes>, status: u16) -> Self {
        Self { lines: Arc::new(lines), answered: Arc::default(), status, heard: Arc::default() }
    }

    /// The same venue, which has said nothing yet.
    pub(crate) fn fresh(&self) -> Self {
        Self { answered: Arc::default(), heard: Arc::default(), ..self.clone() }
    }

    /// The world of an adapter.
    pub(crate) fn connections(&self) -> Connections {
        let world = Arc::new(self.clone());
        Connections {
            http: world.clone(),
            sockets: world.clone(),
            clock: world.clone(),
            sleep: world.clone(),
            secrets: world.clone(),
            state: world,
        }
    }
}

/// Lets the venue say the lines of an input, and asks an adapter everything: each answer is one of our types, and nothing
/// panics. How many events there were.
pub(crate) fn check<B: Broker>(input: &[u8], order: &Order, make: impl Fn(Connections) -> B) -> usize {
    let mut count = 0;
    let lines: Vec<Bytes> = input.split(|byte| *byte == b'\n').map(Bytes::copy_from_slice).collect();
    for status in [200, 400] {
        let id = BrokerOrderId::new("v1").unwrap();
        let reference = BrokerOrderRef {
            order_id: OrderId::new("o1").unwrap(),
            idempotency_key: order.idempotency_key.clone(),
            broker_order_id: id.clone(),
            symbol: order.symbol.clone(),
        };
        let fresh = || make(Venue::saying(lines.clone(), status).connections());
        drop(ready(Broker::submit(&fresh(), order)).unwrap());
        drop(ready(Broker::cancel(&fresh(), &reference)).unwrap());
        drop(ready(Broker::order(&fresh(), &OrderRef::Venue(id))).unwrap());
        drop(ready(Broker::order(&fresh(), &OrderRef::Key(order.idempotency_key.clone()))).unwrap());
        drop(ready(Broker::open_orders(&fresh())).unwrap());
        drop(ready(Broker::positions(&fresh())).unwrap());
        drop(ready(Broker::account(&fresh())).unwrap());
        drop(ready(Broker::diagnose(&fresh(), None)).unwrap());
        for cursor in [None, Cursor::new("2023-11-14T00:00:00Z").ok()] {
            let broker = fresh();
            broker.recall(std::slice::from_ref(order));
            let mut events = Broker::events(&broker, cursor);
            let mut context = Context::from_waker(Waker::noop());
            for _ in 0..MOST_EVENTS {
                match Stream::poll_next(events.as_mut(), &mut context) {
                    Poll::Ready(Some(Ok(_))) => count += 1,
                    Poll::Ready(Some(Err(_)) | None) | Poll::Pending => break,
                }
            }
        }
    }
    count
}
