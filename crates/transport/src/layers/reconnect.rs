//! Pauses between attempts to connect, and an end to them.

use super::host;
use super::jitter::{Jitter, longer};
use http::Request;
use mts_foundation::broker::BoxFuture;
use mts_foundation::io::{Departure, Frame, Socket, SocketConnector, TransportError};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// When to connect again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReconnectOptions {
    /// Pause before the first attempt after a failure; each later one is 1.5 times the one before, and all vary by a quarter.
    pub first_pause: Duration,
    /// Longest pause.
    pub longest_pause: Duration,
    /// Failures in a row after which nobody is let through any more.
    pub failures: u32,
    /// A connection that lived so long was no failure.
    pub lived: Duration,
}

impl Default for ReconnectOptions {
    /// 1 s growing to 30 s, 50 failures (about 22 minutes), a life of 60 s.
    fn default() -> Self {
        Self {
            first_pause: Duration::from_secs(1),
            longest_pause: Duration::from_secs(30),
            failures: 50,
            lived: Duration::from_secs(60),
        }
    }
}

/// The failures of hosts, for those who look at them or forgive them. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Reconnects {
    hosts: Arc<Mutex<BTreeMap<String, Failures>>>,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    in_a_row: u32,
    pause: Duration,
    /// The first moment at which somebody may try again.
    next: Instant,
}

impl Reconnects {
    /// Failures in a row of a host; a connection that ended early is one.
    #[must_use]
    pub fn failures(&self, host: &str) -> u32 {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.get(host).map_or(0, |failures| failures.in_a_row)
    }

    /// Forgets the failures of a host, so that it is tried again at once.
    pub fn forgive(&self, host: &str) {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner).remove(host);
    }

    fn get(&self, host: &str) -> Option<Failures> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner).get(host).copied()
    }

    fn failed(&self, host: &str, options: &ReconnectOptions, jitter: &Jitter) {
        let now = Instant::now();
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let known = hosts.get(host).copied();
        let pause = known.map_or(options.first_pause, |known| longer(known.pause, options.longest_pause));
        let in_a_row = known.map_or(0, |known| known.in_a_row).saturating_add(1);
        let next = now.checked_add(jitter.spread(pause)).unwrap_or(now);
        hosts.insert(host.to_owned(), Failures { in_a_row, pause, next });
    }
}

/// Lets attempts to connect to a host wait their pause, which is not part of the deadline, and refuses them after too many
/// failures in a row. A connection that ends early counts as one.
///
/// Must be used inside a tokio runtime with time.
pub struct Reconnect<C> {
    inner: C,
    shared: Shared,
}

#[derive(Clone)]
struct Shared {
    options: Arc<ReconnectOptions>,
    hosts: Reconnects,
    jitter: Arc<Jitter>,
}

impl Shared {
    fn failed(&self, host: &str) {
        self.hosts.failed(host, &self.options, &self.jitter);
    }
}

impl<C> Reconnect<C> {
    /// Around a connector.
    pub fn new(inner: C, options: ReconnectOptions, hosts: Reconnects, jitter: Arc<Jitter>) -> Self {
        Self { inner, shared: Shared { options: Arc::new(options), hosts, jitter } }
    }
}

impl<C: SocketConnector> SocketConnector for Reconnect<C> {
    async fn connect(
        &self,
        request: Request<()>,
        deadline: Duration,
    ) -> Result<Box<dyn Socket>, TransportError> {
        let host = host(request.uri()).to_owned();
        if let Some(known) = self.shared.hosts.get(&host) {
            if known.in_a_row >= self.shared.options.failures {
                let message = format!(
                    "{host}: {} connections in a row failed or ended early, no more are tried; mend the address, the network or \
                     the credentials, then start again",
                    known.in_a_row
                );
                return Err(TransportError {
                    departure: Departure::NotSent,
                    timed_out: false,
                    message,
                    source: Some(Box::new(crate::faults::KeptBack)),
                });
            }
            tokio::time::sleep_until(known.next).await;
        }
        match self.inner.connect(request, deadline).await {
            Ok(socket) => {
                let life = Life { host, began: Instant::now(), shared: self.shared.clone() };
                Ok(Box::new(Counted { socket, _life: life }))
            }
            Err(error) => {
                self.shared.failed(&host);
                Err(error)
            }
        }
    }
}

/// Judges a connection at its end.
struct Life {
    host: String,
    began: Instant,
    shared: Shared,
}

impl Drop for Life {
    fn drop(&mut self) {
        if self.began.elapsed() >= self.shared.options.lived {
            self.shared.hosts.forgive(&self.host);
        } else {
            self.shared.failed(&self.host);
        }
    }
}

struct Counted {
    socket: Box<dyn Socket>,
    _life: Life,
}

impl Socket for Counted {
    fn send(&mut self, frame: Frame) -> BoxFuture<'_, Result<(), TransportError>> {
        self.socket.send(frame)
    }

    fn receive(&mut self) -> BoxFuture<'_, Result<Option<Frame>, TransportError>> {
        self.socket.receive()
    }
}
