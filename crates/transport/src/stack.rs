//! All layers in their order, with defaults that suit a venue.

use crate::http_client::ReqwestClient;
use crate::layers::{
    Budget, ClockSkew, Jitter, KeepAlive, KeepAliveOptions, Limit, Observe, Reconnect, ReconnectOptions,
    Reconnects, Retry, RetryOptions, Skew,
};
use crate::redact::Redactor;
use crate::sockets::{WebSocketConnector, WebSocketOptions};
use crate::tape::{Recorder, Recording, TapeError};
use crate::tls::{SetupError, Tls};
use mts_foundation::Clock;
use mts_foundation::io::{DynHttpClient, DynSocketConnector, HttpClient, SocketConnector};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A stack that cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StackError {
    /// TLS or the client.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The tape.
    #[error(transparent)]
    Tape(#[from] TapeError),
}

/// A client and a connector with everything around them, for one adapter.
///
/// From the outside in: for requests tape, log, retries, rate limits, clock skew, client; for connections tape, log, pauses
/// between attempts, keep-alive, connector.
#[derive(Clone)]
pub struct Stack {
    http: Arc<dyn DynHttpClient>,
    sockets: Arc<dyn DynSocketConnector>,
    skew: ClockSkew,
    reconnects: Reconnects,
    tape: Option<Arc<Path>>,
}

impl Stack {
    /// Begins one for an adapter, which gives a tape its name.
    #[must_use]
    pub fn builder(adapter: &str, clock: Arc<dyn Clock>) -> StackBuilder {
        StackBuilder {
            adapter: adapter.to_owned(),
            clock,
            redactor: Redactor::default(),
            certificates: Vec::new(),
            retry: RetryOptions::default(),
            budgets: Vec::new(),
            keep_alive: KeepAliveOptions::default(),
            reconnect: ReconnectOptions::default(),
            socket: WebSocketOptions::default(),
            seed: None,
            record: None,
        }
    }

    /// For requests.
    #[must_use]
    pub fn http(&self) -> Arc<dyn DynHttpClient> {
        Arc::clone(&self.http)
    }

    /// For connections.
    #[must_use]
    pub fn sockets(&self) -> Arc<dyn DynSocketConnector> {
        Arc::clone(&self.sockets)
    }

    /// The clocks of the hosts that answered.
    #[must_use]
    pub const fn skew(&self) -> &ClockSkew {
        &self.skew
    }

    /// The failures of hosts that were connected to.
    #[must_use]
    pub const fn reconnects(&self) -> &Reconnects {
        &self.reconnects
    }

    /// Where the tape is, if one is written.
    #[must_use]
    pub fn tape(&self) -> Option<&Path> {
        self.tape.as_deref()
    }
}

/// What a [`Stack`] is made of; every setting has a default.
pub struct StackBuilder {
    adapter: String,
    clock: Arc<dyn Clock>,
    redactor: Redactor,
    certificates: Vec<u8>,
    retry: RetryOptions,
    budgets: Vec<Budget>,
    keep_alive: KeepAliveOptions,
    reconnect: ReconnectOptions,
    socket: WebSocketOptions,
    seed: Option<u64>,
    record: Option<PathBuf>,
}

impl StackBuilder {
    /// The one that knows the secrets: that of the [`Secrets`](crate::Secrets) which the adapter gets.
    #[must_use]
    pub fn redactor(self, redactor: Redactor) -> Self {
        Self { redactor, ..self }
    }

    /// Certificates of further authorities, in PEM form; none by default.
    #[must_use]
    pub fn certificates(self, pem: impl Into<Vec<u8>>) -> Self {
        Self { certificates: pem.into(), ..self }
    }

    /// When reads are asked again.
    #[must_use]
    pub fn retry(self, retry: RetryOptions) -> Self {
        Self { retry, ..self }
    }

    /// The venue's rate budgets; none by default.
    #[must_use]
    pub fn budgets(self, budgets: impl IntoIterator<Item = Budget>) -> Self {
        Self { budgets: budgets.into_iter().collect(), ..self }
    }

    /// How long connections may be silent.
    #[must_use]
    pub fn keep_alive(self, keep_alive: KeepAliveOptions) -> Self {
        Self { keep_alive, ..self }
    }

    /// When is connected again.
    #[must_use]
    pub fn reconnect(self, reconnect: ReconnectOptions) -> Self {
        Self { reconnect, ..self }
    }

    /// The bounds of connections.
    #[must_use]
    pub fn socket(self, socket: WebSocketOptions) -> Self {
        Self { socket, ..self }
    }

    /// Makes pauses and ids the same every time; by default they are the system's choice.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed: Some(seed), ..self }
    }

    /// Writes a tape into this folder.
    #[must_use]
    pub fn record(self, folder: impl Into<PathBuf>) -> Self {
        Self { record: Some(folder.into()), ..self }
    }

    /// Over real connections. Must be called inside a tokio runtime with I/O and time, where the stack is used, too.
    ///
    /// # Errors
    /// [`StackError`] when TLS cannot be set up or the tape cannot be begun.
    pub fn build(self) -> Result<Stack, StackError> {
        let tls = Tls::new(&self.certificates)?;
        let http = ReqwestClient::with_tls(&tls)?;
        let sockets = WebSocketConnector::new(tls, self.socket.clone());
        Ok(self.build_over(http, sockets)?)
    }

    /// Over somebody else's client and connector.
    ///
    /// # Errors
    /// [`TapeError`] when the tape cannot be begun.
    pub fn build_over<C, S>(self, http: C, sockets: S) -> Result<Stack, TapeError>
    where
        C: HttpClient + 'static,
        S: SocketConnector + 'static,
    {
        let (clock, redactor) = (self.clock, self.redactor);
        let jitter = Arc::new(self.seed.map_or_else(Jitter::of_system, Jitter::new));
        let (skew, reconnects) = (ClockSkew::default(), Reconnects::default());
        let recorder = self
            .record
            .map(|folder| Recorder::create(&folder, &self.adapter, redactor.clone(), clock.as_ref()))
            .transpose()?;
        let tape = recorder.as_ref().map(|recorder| Arc::from(recorder.path()));

        let http = Skew::new(http, skew.clone(), Arc::clone(&clock));
        let http = Limit::new(http, self.budgets, Arc::clone(&clock));
        let http = Retry::new(http, self.retry, Arc::clone(&jitter), clock);
        let http = Observe::new(http, redactor.clone(), &jitter);
        let http = Recording::new(http, recorder.clone());

        let sockets = KeepAlive::new(sockets, self.keep_alive);
        let sockets = Reconnect::new(sockets, self.reconnect, reconnects.clone(), Arc::clone(&jitter));
        let sockets = Observe::new(sockets, redactor, &jitter);
        let sockets = Recording::new(sockets, recorder);
        Ok(Stack { http: Arc::new(http), sockets: Arc::new(sockets), skew, reconnects, tape })
    }
}
