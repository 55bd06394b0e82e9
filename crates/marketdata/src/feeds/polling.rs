//! A feed that asks: prints, closed candles and funding rates of an exchange that has no stream, or none that we speak.
//!
//! No task is spawned: [`next`](DataFeed::next) drives everything. Questions leave at the exchange's pace, four at a time,
//! the one that has waited longest first. One that fails is asked again after a pause of its own; the others go on.

mod line;
mod prints;

use crate::exchanges::{Candles, DescribedExchange, Funding};
use futures_util::future::{Either, select};
use line::Line;
use mts_foundation::broker::BoxFuture;
use mts_foundation::io::Sleep;
use mts_foundation::market_data::{DataFeed, FeedStats, MarketDataError, MarketEvent, StaleCause};
use mts_foundation::{Bar, Clock, FundingRate, Interval, Symbol, Timestamp, Trade, VenueName};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// Questions that are on their way at once, at most.
const AT_ONCE: usize = 4;

/// Most questions of one feed.
pub const MAX_QUESTIONS: usize = 1_000;

/// Least time that is waited: a clock that was set back must not make a loop of it.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// What is asked of an instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asked {
    /// The rate that holders of a perpetual future pay.
    Funding,
    /// Closed candles of this length.
    Bars(Interval),
    /// Prints.
    Trades,
}

/// How often is asked, and how patiently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PollingOptions {
    /// Pause between two questions for the prints of an instrument.
    pub trades_every: Duration,
    /// Pause between two questions for the funding rate of an instrument.
    pub funding_every: Duration,
    /// How long after its end a candle is asked for: until then the exchange may still change it.
    pub settle: Duration,
    /// How long the candles of an instant wait for those of other instruments.
    pub together: Duration,
    /// Longest wait for an answer.
    pub answer_within: Duration,
    /// First pause after a failure; it doubles with each.
    pub backoff: Duration,
    /// Longest pause after a failure.
    pub backoff_cap: Duration,
    /// How long an instrument may fail until prices are stale.
    pub failing: Duration,
    /// How long an instrument may have nothing new until prices are stale; of candles it is two of them at least.
    pub silence: Duration,
}

impl Default for PollingOptions {
    fn default() -> Self {
        Self {
            trades_every: Duration::from_secs(1),
            funding_every: Duration::from_secs(60),
            settle: Duration::from_secs(3),
            together: Duration::from_secs(5),
            answer_within: Duration::from_secs(30),
            backoff: Duration::from_secs(1),
            backoff_cap: Duration::from_secs(60),
            failing: Duration::from_secs(5),
            silence: Duration::from_secs(300),
        }
    }
}

/// What a feed that asks has counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PollingCounts {
    /// Questions.
    pub asked: u64,
    /// Those that were not answered, or not in time, or with an error.
    pub failed: u64,
    /// Prints and candles that cannot be, refused; each is in a `Gap`.
    pub refused: u64,
}

/// What an exchange has answered.
enum Answer {
    Trades(Vec<Trade>),
    Bars(Candles, Timestamp),
    Funding(Funding),
}

type Flight = BoxFuture<'static, Result<Answer, MarketDataError>>;

/// Market data of an exchange that is asked for it.
pub struct PollingFeed {
    exchange: DescribedExchange,
    venue: VenueName,
    clock: Arc<dyn Clock>,
    sleep: Arc<dyn Sleep>,
    options: PollingOptions,
    lines: Vec<Line>,
    flights: Vec<(usize, Flight)>,
    /// The exchange's pace, and when it lets the next question leave.
    pace: Duration,
    next_launch: Duration,
    events: VecDeque<MarketEvent>,
    /// Candles that wait for those of other instruments, and since when.
    candles: BTreeMap<Timestamp, (Duration, BTreeMap<Symbol, Bar>)>,
    /// What was said last to be stale.
    stale: Option<(Arc<[Symbol]>, StaleCause)>,
    is_begun: bool,
    fault: Option<String>,
    counts: PollingCounts,
    stats: FeedStats,
}

impl std::fmt::Debug for PollingFeed {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("PollingFeed").field("venue", &self.venue).finish_non_exhaustive()
    }
}

impl PollingFeed {
    /// A feed that does not run yet. The exchange should have a client that keeps its pace over the pages of an answer.
    ///
    /// # Errors
    /// [`MarketDataError::Unsupported`] for what the exchange does not have, and for no question or more than
    /// [`MAX_QUESTIONS`].
    pub fn new(
        exchange: DescribedExchange,
        questions: impl IntoIterator<Item = (Symbol, Asked)>,
        options: PollingOptions,
        clock: Arc<dyn Clock>,
        sleep: Arc<dyn Sleep>,
    ) -> Result<Self, MarketDataError> {
        let questions: BTreeSet<_> = questions.into_iter().collect();
        let name = mts_foundation::MarketData::name(&exchange);
        if questions.is_empty() || questions.len() > MAX_QUESTIONS {
            let what = format!("a feed of {} questions; ask 1 to {MAX_QUESTIONS}", questions.len());
            return Err(MarketDataError::Unsupported { source_name: name.to_owned(), what });
        }
        for (symbol, asked) in &questions {
            match asked {
                Asked::Trades => exchange.has_trades(symbol),
                Asked::Bars(interval) => exchange.has_candles(symbol, *interval),
                Asked::Funding => exchange.has_funding(symbol),
            }?;
        }
        let symbols: BTreeSet<_> = questions.iter().map(|(symbol, _)| symbol).collect();
        let stats = FeedStats { symbols: symbols.len() as u64, ..FeedStats::default() };
        Ok(Self {
            venue: exchange.venue().clone(),
            pace: Duration::from_millis(exchange.descriptor().pace_ms.into()),
            exchange,
            clock,
            sleep,
            options,
            lines: questions.into_iter().map(|(symbol, asked)| Line::new(symbol, asked)).collect(),
            flights: Vec::new(),
            next_launch: Duration::ZERO,
            events: VecDeque::new(),
            candles: BTreeMap::new(),
            stale: None,
            is_begun: false,
            fault: None,
            counts: PollingCounts::default(),
            stats,
        })
    }

    /// What it has counted.
    #[must_use]
    pub const fn counts(&self) -> PollingCounts {
        self.counts
    }

    /// What the last question that failed was answered.
    #[must_use]
    pub fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    /// Lets questions leave that are due, as far as the exchange's pace allows.
    fn launch(&mut self) {
        let now = self.clock.monotonic();
        while self.flights.len() < AT_ONCE && self.next_launch <= now {
            let due = |(_, line): &(usize, &mut Line)| !line.is_asked && line.due <= now;
            let next = self.lines.iter_mut().enumerate().filter(due).min_by_key(|(_, line)| line.due);
            let Some((index, line)) = next else { return };
            (line.is_asked, line.asked_at) = (true, now);
            let (exchange, symbol, asked) = (self.exchange.clone(), line.symbol.clone(), line.asked);
            let until = line.until(self.clock.now(), self.options.settle);
            let (start, gap) = line.start(until);
            if let Some((from, to)) = gap {
                self.events.push_back(MarketEvent::Gap { venue: self.venue.clone(), from, to });
            }
            let limit = self.sleep.sleep(self.options.answer_within);
            let question = async move {
                Ok(match asked {
                    Asked::Trades => {
                        // Stamps that are ahead are refused, and told, where it is known what has come.
                        let asof = Timestamp::from_nanos(i64::MAX);
                        Answer::Trades(mts_foundation::MarketData::trades(&exchange, &symbol, asof).await?)
                    }
                    Asked::Bars(interval) => {
                        Answer::Bars(exchange.candles(&symbol, interval, start, Some(until)).await?, until)
                    }
                    Asked::Funding => Answer::Funding(exchange.funding(&symbol).await?),
                })
            };
            let venue = self.venue.to_string();
            let flight: Flight = Box::pin(async move {
                match select(Box::pin(question), limit).await {
                    Either::Left((answer, _)) => answer,
                    Either::Right(_) => Err(MarketDataError::Venue {
                        source_name: venue,
                        message: "it did not answer in time".to_owned(),
                    }),
                }
            });
            self.flights.push((index, flight));
            self.counts.asked = self.counts.asked.saturating_add(1);
            self.next_launch = now.saturating_add(self.pace);
        }
    }

    /// An answer, or none.
    fn take(&mut self, index: usize, answer: Result<Answer, MarketDataError>) {
        let (now, mono) = (self.clock.now(), self.clock.monotonic());
        let Some(line) = self.lines.get_mut(index) else { return };
        line.is_asked = false;
        let taken = answer.and_then(|answer| {
            line.take(answer, now, &self.options)
                .map_err(|message| MarketDataError::Venue { source_name: self.venue.to_string(), message })
        });
        let news = match taken {
            Ok(news) => news,
            Err(error) => {
                self.counts.failed = self.counts.failed.saturating_add(1);
                self.fault = Some(error.to_string());
                return line.failed(now, mono, &self.options);
            }
        };
        let was_away = line.answered(now, mono, &self.options, &news);
        self.counts.refused = self.counts.refused.saturating_add(news.refused);
        let symbol = line.symbol.clone();
        for (from, to) in news.gaps {
            self.events.push_back(MarketEvent::Gap { venue: self.venue.clone(), from, to });
        }
        let newest = news.trades.iter().map(|trade| trade.timestamp);
        let newest = newest.chain(news.bars.iter().map(|bar| bar.timestamp)).max();
        if let Some(to) = newest.filter(|_| was_away) {
            let (venue, from) = (self.venue.clone(), news.from.min(to));
            self.events.push_back(MarketEvent::Backfilled { venue, symbol: symbol.clone(), from, to });
        }
        self.events.extend(news.trades.into_iter().map(MarketEvent::Trade));
        for bar in news.bars {
            let waiting = self.candles.entry(bar.timestamp).or_insert_with(|| (mono, BTreeMap::new()));
            waiting.1.insert(symbol.clone(), bar);
        }
        if let Some(funding) = news.funding {
            self.events.push_back(MarketEvent::Funding(FundingRate {
                venue: self.venue.clone(),
                symbol,
                rate: funding.rate,
                time: funding.time,
                next_rate: funding.next_rate,
                next_time: funding.next_time,
            }));
        }
    }

    /// The next event: what has come, and candles when nobody of their instant is waited for any more.
    fn ready(&mut self) -> Option<MarketEvent> {
        if let Some(event) = self.events.pop_front() {
            return Some(event);
        }
        let first = self.candles.first_entry()?;
        let is_over = self.clock.monotonic() >= first.get().0.saturating_add(self.options.together);
        if !is_over && self.lines.iter().any(|line| line.is_waited_for(*first.key())) {
            return None;
        }
        let (time, (_, bars)) = first.remove_entry();
        Some(MarketEvent::Bars { time, bars: bars.into_values().collect() })
    }

    /// Says that prices are stale, or are not any more.
    fn judge(&mut self) {
        let (now, mono, options) = (self.clock.now(), self.clock.monotonic(), &self.options);
        let venue = self.venue.clone();
        let stale = self.lines.iter().filter(|line| line.stale_at(options).is_some_and(|at| at <= mono));
        let stale: Vec<&Line> = stale.collect();
        let Some(since) = stale.iter().map(|line| line.news_at).min() else {
            if self.stale.take().is_some() {
                self.events.push_back(MarketEvent::Recovered { venue, time: now });
            }
            return;
        };
        let symbols: BTreeSet<&Symbol> = stale.iter().map(|line| &line.symbol).collect();
        let cause = match stale.iter().any(|line| line.is_failing()) {
            true => StaleCause::Interrupted,
            false => StaleCause::Silent,
        };
        let is_told = |(told, why): &(Arc<[Symbol]>, StaleCause)| {
            *why == cause && told.len() == symbols.len() && told.iter().eq(symbols.iter().copied())
        };
        if !self.stale.as_ref().is_some_and(is_told) {
            let symbols: Arc<[Symbol]> = symbols.into_iter().cloned().collect();
            self.stale = Some((Arc::clone(&symbols), cause));
            self.events.push_back(MarketEvent::Stale { venue, since, symbols, cause });
        }
    }

    /// When something is to be done although nothing has come.
    fn next_tick(&self) -> Duration {
        let room = self.flights.len() < AT_ONCE;
        let due = self.lines.iter().filter(|line| room && !line.is_asked);
        let due = due.map(|line| line.due.max(self.next_launch));
        let stale = self.lines.iter().filter_map(|line| line.stale_at(&self.options));
        let mono = self.clock.monotonic();
        let stale = stale.filter(|at| *at > mono);
        let together = self.candles.values().map(|(since, _)| since.saturating_add(self.options.together));
        due.chain(stale).chain(together).min().unwrap_or(Duration::MAX)
    }

    /// Waits for an answer, at most until something else is to be done.
    async fn wait(&mut self) -> Option<(usize, Result<Answer, MarketDataError>)> {
        let patience = self.next_tick().saturating_sub(self.clock.monotonic());
        let mut sleep = self.sleep.sleep(patience.max(SHORTEST_WAIT));
        let flights = &mut self.flights;
        poll_fn(|context| {
            for place in 0..flights.len() {
                let Some((index, flight)) = flights.get_mut(place) else { continue };
                if let Poll::Ready(answer) = flight.as_mut().poll(context) {
                    let index = *index;
                    drop(flights.swap_remove(place));
                    return Poll::Ready(Some((index, answer)));
                }
            }
            sleep.as_mut().poll(context).map(|()| None)
        })
        .await
    }
}

impl DataFeed for PollingFeed {
    fn name(&self) -> &str {
        self.venue.as_str()
    }

    async fn start(&mut self) -> Result<(), MarketDataError> {
        if !self.stats.running {
            self.stats.running = true;
            let (now, mono) = (self.clock.now(), self.clock.monotonic());
            for line in &mut self.lines {
                line.start_at(now, mono, self.is_begun, &self.options);
            }
            self.is_begun = true;
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<MarketEvent>, MarketDataError> {
        while self.stats.running {
            self.judge();
            if let Some(event) = self.ready() {
                self.stats.ticks = self.stats.ticks.saturating_add(1);
                self.stats.last_time = event.priced_at().or(self.stats.last_time);
                return Ok(Some(event));
            }
            self.launch();
            if !self.events.is_empty() {
                continue;
            }
            if let Some((index, answer)) = self.wait().await {
                self.take(index, answer);
            }
        }
        Ok(None)
    }

    /// Questions that are on their way are dropped. A new start goes on where this one ends.
    async fn stop(&mut self) -> Result<(), MarketDataError> {
        self.stats.running = false;
        self.flights.clear();
        for line in &mut self.lines {
            line.is_asked = false;
        }
        Ok(())
    }

    fn stats(&self) -> FeedStats {
        self.stats
    }
}
