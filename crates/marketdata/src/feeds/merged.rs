//! Several feeds as one.

use mts_foundation::Timestamp;
use mts_foundation::market_data::{DataFeed, DynDataFeed, FeedStats, MarketDataError, MarketEvent};
use std::future::poll_fn;
use std::task::Poll;

/// Most feeds in one.
pub const MAX_SOURCES: usize = 1_000;

/// Several feeds, by event time or as they come.
///
/// By time, an event is handed out when every feed that has not ended shows its next one: for recorded feeds. As they come,
/// nobody waits for anybody: for live feeds. It ends when all have ended. An error names its feed; the others lose nothing by it.
pub struct MergedFeed {
    sources: Vec<Source>,
    by_time: bool,
    /// Who is asked first, so that a busy feed does not silence the others.
    turn: usize,
    stats: FeedStats,
}

struct Source {
    feed: Box<dyn DynDataFeed>,
    /// What it has shown, and nobody has taken.
    shown: Option<MarketEvent>,
    ended: bool,
    /// The time of the last of its events that had one: what it says between them belongs there.
    time: Timestamp,
}

impl std::fmt::Debug for MergedFeed {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.sources.iter().map(|source| source.feed.name()).collect();
        out.debug_struct("MergedFeed").field("sources", &names).field("by_time", &self.by_time).finish()
    }
}

impl MergedFeed {
    /// By event time; of one instant, in the order of the feeds.
    ///
    /// # Errors
    /// [`MarketDataError::Unsupported`] for no feed, or more than [`MAX_SOURCES`].
    pub fn by_time(feeds: Vec<Box<dyn DynDataFeed>>) -> Result<Self, MarketDataError> {
        Self::of(feeds, true)
    }

    /// As they come.
    ///
    /// # Errors
    /// As [`MergedFeed::by_time`].
    pub fn as_they_come(feeds: Vec<Box<dyn DynDataFeed>>) -> Result<Self, MarketDataError> {
        Self::of(feeds, false)
    }

    fn of(feeds: Vec<Box<dyn DynDataFeed>>, by_time: bool) -> Result<Self, MarketDataError> {
        if feeds.is_empty() || feeds.len() > MAX_SOURCES {
            let what = format!("a merger of {} feeds: give 1 to {MAX_SOURCES}", feeds.len());
            return Err(MarketDataError::Unsupported { source_name: "merged".to_owned(), what });
        }
        let source = |feed| Source { feed, shown: None, ended: false, time: Timestamp::EPOCH };
        let sources = feeds.into_iter().map(source).collect();
        Ok(Self { sources, by_time, turn: 0, stats: FeedStats::default() })
    }

    /// Has every feed show its next event.
    async fn show_all(&mut self) -> Result<(), MarketDataError> {
        for source in self.sources.iter_mut().filter(|source| source.shown.is_none() && !source.ended) {
            match source.feed.next().await.map_err(|error| named(source.feed.name(), error))? {
                Some(event) => source.show(event),
                None => source.ended = true,
            }
        }
        Ok(())
    }

    /// Waits until some feed shows an event, or all have ended.
    async fn show_one(&mut self) -> Result<(), MarketDataError> {
        let count = self.sources.len();
        self.turn = (self.turn + 1) % count;
        let (after, before) = self.sources.split_at_mut(self.turn.min(count));
        let mut waiting: Vec<_> = before
            .iter_mut()
            .chain(after)
            .filter(|source| !source.ended)
            .map(|source| {
                let Source { feed, shown, ended, time } = source;
                let name = feed.name().to_owned();
                (name, feed.next(), shown, ended, time)
            })
            .collect();
        poll_fn(|context| {
            let mut left = false;
            for (name, next, shown, ended, time) in &mut waiting {
                if **ended {
                    continue;
                }
                match next.as_mut().poll(context) {
                    Poll::Pending => left = true,
                    Poll::Ready(Ok(Some(event))) => {
                        **time = event.priced_at().unwrap_or(**time);
                        **shown = Some(event);
                        return Poll::Ready(Ok(()));
                    }
                    Poll::Ready(Ok(None)) => **ended = true,
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(named(name, error))),
                }
            }
            if left { Poll::Pending } else { Poll::Ready(Ok(())) }
        })
        .await
    }

    /// The earliest that is shown.
    fn take(&mut self) -> Option<MarketEvent> {
        let shown = self.sources.iter_mut().filter(|source| source.shown.is_some());
        shown.min_by_key(|source| source.time)?.shown.take()
    }
}

impl Source {
    fn show(&mut self, event: MarketEvent) {
        self.time = event.priced_at().unwrap_or(self.time);
        self.shown = Some(event);
    }
}

/// An error that names its feed.
fn named(name: &str, error: MarketDataError) -> MarketDataError {
    MarketDataError::Venue { source_name: name.to_owned(), message: error.to_string() }
}

impl DataFeed for MergedFeed {
    fn name(&self) -> &str {
        "merged"
    }

    async fn start(&mut self) -> Result<(), MarketDataError> {
        for source in &mut self.sources {
            source.feed.start().await.map_err(|error| named(source.feed.name(), error))?;
            source.ended = false;
        }
        self.stats.running = true;
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<MarketEvent>, MarketDataError> {
        if !self.stats.running {
            return Ok(None);
        }
        if self.by_time {
            self.show_all().await?;
        } else if self.sources.iter().all(|source| source.shown.is_none()) {
            self.show_one().await?;
        }
        let event = self.take();
        if let Some(event) = &event {
            self.stats.ticks = self.stats.ticks.saturating_add(1);
            self.stats.last_time = event.priced_at().or(self.stats.last_time);
        }
        Ok(event)
    }

    /// Stops every feed; the first error is told when all have been asked.
    async fn stop(&mut self) -> Result<(), MarketDataError> {
        self.stats.running = false;
        let mut verdict = Ok(());
        for source in &mut self.sources {
            let stopped = source.feed.stop().await.map_err(|error| named(source.feed.name(), error));
            verdict = verdict.and(stopped);
        }
        verdict
    }

    /// Instruments that several feeds follow are counted once for each.
    fn stats(&self) -> FeedStats {
        let each = || self.sources.iter().map(|source| source.feed.stats());
        let symbols = each().map(|stats| stats.symbols).sum();
        let throttled = each().map(|stats| stats.throttled).sum();
        FeedStats { symbols, throttled, ..self.stats }
    }
}
