//! A feed of made-up prices in real time, for drills: each instrument walks at random from its last close.

use super::SystemClock;
use crate::app::{FeedContext, FeedParts};
use crate::error::{CliError, ExitKind, OrExit};
use crate::random::Xorshift;
use mts_foundation::market_data::{DataFeed, FeedStats, MarketDataError, MarketEvent};
use mts_foundation::{Clock, Decimal, Quote, Symbol, VenueName};
use mts_marketdata::ClosesFeed;
use std::time::Duration;

/// Quotes of made-up prices, one instrument after the other.
struct WalkFeed {
    venue: VenueName,
    /// Instruments, their middle prices and ticks.
    prices: Vec<(Symbol, Decimal, Decimal)>,
    next: usize,
    every: Duration,
    /// Quotes that are left; `None` = without end.
    left: Option<u64>,
    random: Xorshift,
    stats: FeedStats,
}

impl DataFeed for WalkFeed {
    fn name(&self) -> &str {
        "walk"
    }

    async fn start(&mut self) -> Result<(), MarketDataError> {
        self.stats.running = true;
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<MarketEvent>, MarketDataError> {
        if self.left == Some(0) {
            return Ok(None);
        }
        self.left = self.left.map(|left| left - 1);
        tokio::time::sleep(self.every).await;
        let step = Decimal::from(self.random.draw() % 5) - Decimal::TWO;
        let place = self.next;
        self.next = (place + 1) % self.prices.len().max(1);
        let Some((symbol, price, tick)) = self.prices.get_mut(place) else { return Ok(None) };
        let (tick, least) = (*tick, *tick * Decimal::TEN);
        *price = (*price + step * tick).max(least);
        let now = SystemClock.now();
        self.stats.ticks += 1;
        self.stats.last_time = Some(now);
        Ok(Some(MarketEvent::Quote(Quote {
            symbol: symbol.clone(),
            bid: *price - tick,
            ask: *price + tick,
            bid_size: Decimal::ONE_THOUSAND,
            ask_size: Decimal::ONE_THOUSAND,
            venue: self.venue.clone(),
            timestamp: now,
        })))
    }

    async fn stop(&mut self) -> Result<(), MarketDataError> {
        self.stats.running = false;
        Ok(())
    }

    fn stats(&self) -> FeedStats {
        self.stats
    }
}

/// The feed of a configuration: `data.path` is a file of closes, `data.params` may have `every_ms` (100), `quotes` (no end)
/// and `seed` (1).
pub(crate) fn make(context: FeedContext<'_>) -> Result<FeedParts, CliError> {
    let (path, text) = context.file;
    let closes =
        ClosesFeed::from_csv(&path.display().to_string(), text, context.instruments, context.calendar)
            .or_exit(ExitKind::Data)?;
    let params = super::numbers("data", "walk", &context.section.params, &["every_ms", "quotes", "seed"])?;
    let number = |name: &str, default: u64| params.get(name).copied().unwrap_or(default);
    let prices: Vec<_> = closes
        .last_closes()
        .into_iter()
        .filter_map(|(symbol, close)| {
            let tick = context.instruments.get(&symbol)?.tick;
            Some((symbol, (close / tick).round() * tick, tick))
        })
        .collect();
    let symbols = prices.iter().map(|(symbol, ..)| symbol.clone()).collect();
    let feed = WalkFeed {
        venue: VenueName::new("walk").or_exit(ExitKind::Internal)?,
        prices,
        next: 0,
        every: Duration::from_millis(number("every_ms", 100)),
        left: params.get("quotes").copied(),
        random: Xorshift::new(number("seed", 1)),
        stats: FeedStats::default(),
    };
    Ok(FeedParts { feed: Box::new(feed), symbols, range: (closes.first(), closes.last()) })
}
