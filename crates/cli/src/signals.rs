//! SIGINT and SIGTERM: the first ends a run in order, between two sessions; the second ends the process.

use crate::error::{CliError, ExitKind, OrExit};
use mts_foundation::market_data::{DataFeed, DynDataFeed, FeedStats, MarketDataError, MarketEvent};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag::{register, register_conditional_shutdown, register_usize};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// The signals that ask a run to end, with what they end it as.
const SIGNALS: [(i32, ExitKind); 2] = [(SIGINT, ExitKind::Interrupted), (SIGTERM, ExitKind::Terminated)];

/// Place of the signal in [`SIGNALS`], counted from 1; 0 = none yet.
static RECEIVED: OnceLock<Arc<AtomicUsize>> = OnceLock::new();

/// Whether a run is asked to end.
#[derive(Debug, Clone)]
pub(crate) struct StopSignal(Arc<AtomicUsize>);

impl StopSignal {
    /// From here on the two signals are caught. The handlers stay to the end of the process.
    ///
    /// # Errors
    /// [`CliError`] when the system refuses a handler.
    pub(crate) fn install() -> Result<Self, CliError> {
        if let Some(received) = RECEIVED.get() {
            return Ok(Self(Arc::clone(received)));
        }
        let received = Arc::new(AtomicUsize::new(0));
        let armed = Arc::new(AtomicBool::new(false));
        for (place, (signal, kind)) in SIGNALS.into_iter().enumerate() {
            // In this order: the first signal arms what the second meets.
            register_conditional_shutdown(signal, i32::from(kind.code()), Arc::clone(&armed))
                .or_exit(ExitKind::Internal)?;
            register(signal, Arc::clone(&armed)).or_exit(ExitKind::Internal)?;
            register_usize(signal, Arc::clone(&received), place + 1).or_exit(ExitKind::Internal)?;
        }
        Ok(Self(Arc::clone(RECEIVED.get_or_init(|| received))))
    }

    /// How the run is to end, once it has been asked to.
    pub(crate) fn received(&self) -> Option<ExitKind> {
        let place = self.0.load(Ordering::Relaxed).checked_sub(1)?;
        SIGNALS.get(place).map(|(_, kind)| *kind)
    }
}

/// A feed that is at its end as soon as a signal has come.
pub(crate) struct UntilSignal<'a> {
    feed: &'a mut dyn DynDataFeed,
    signal: &'a StopSignal,
    /// How it was ended, if it was before its own end.
    pub(crate) stopped: Option<ExitKind>,
}

impl<'a> UntilSignal<'a> {
    /// Gives what the feed gives until the signal comes.
    pub(crate) fn new(feed: &'a mut dyn DynDataFeed, signal: &'a StopSignal) -> Self {
        Self { feed, signal, stopped: None }
    }
}

impl DataFeed for UntilSignal<'_> {
    fn name(&self) -> &str {
        self.feed.name()
    }

    async fn start(&mut self) -> Result<(), MarketDataError> {
        self.feed.start().await
    }

    async fn next(&mut self) -> Result<Option<MarketEvent>, MarketDataError> {
        self.stopped = self.signal.received();
        if self.stopped.is_some() {
            return Ok(None);
        }
        self.feed.next().await
    }

    async fn stop(&mut self) -> Result<(), MarketDataError> {
        self.feed.stop().await
    }

    fn stats(&self) -> FeedStats {
        self.feed.stats()
    }
}
