//! A feed whose prices a venue's double gets before the engine does, by its control channel.

use super::SystemClock;
use crate::error::{CliError, ExitKind, OrExit};
use bytes::Bytes;
use mts_foundation::io::{DynHttpClient, RequestOptions};
use mts_foundation::market_data::{DataFeed, DynDataFeed, FeedStats, MarketDataError, MarketEvent};
use mts_foundation::{InstrumentTable, Quote, VenueName};
use mts_transport::Stack;
use std::sync::Arc;

/// Gives what the feed gives, once the double has its prices.
pub(crate) struct Driven {
    feed: Box<dyn DynDataFeed>,
    control: Control,
}

/// A double's control channel.
struct Control {
    http: Arc<dyn DynHttpClient>,
    /// Where quotes go.
    url: String,
    instruments: InstrumentTable,
    venue: VenueName,
}

impl Driven {
    /// For the double whose control channel is at `control`.
    pub(crate) fn new(
        feed: Box<dyn DynDataFeed>,
        control: &str,
        instruments: &InstrumentTable,
    ) -> Result<Self, CliError> {
        let stack = Stack::builder("control", Arc::new(SystemClock)).build().or_exit(ExitKind::Internal)?;
        let control = Control {
            http: stack.http(),
            url: format!("{}/_mts/quotes", control.trim_end_matches('/')),
            instruments: instruments.clone(),
            venue: VenueName::new("control").or_exit(ExitKind::Internal)?,
        };
        Ok(Self { feed, control })
    }
}

impl Control {
    /// The prices of an event as quotes; those of a bar are a tick around its close.
    fn quotes(&self, event: &MarketEvent) -> Vec<Quote> {
        match event {
            MarketEvent::Quote(quote) => vec![quote.clone()],
            MarketEvent::Bars { bars, .. } => {
                let quotes = bars.iter().filter_map(|bar| {
                    let tick = self.instruments.get(&bar.symbol)?.tick;
                    Some(Quote {
                        symbol: bar.symbol.clone(),
                        bid: bar.close - tick,
                        ask: bar.close + tick,
                        bid_size: bar.volume,
                        ask_size: bar.volume,
                        venue: self.venue.clone(),
                        timestamp: bar.timestamp,
                    })
                });
                quotes.collect()
            }
            _ => Vec::new(),
        }
    }

    async fn drive(&self, event: &MarketEvent) -> Result<(), String> {
        let quotes = self.quotes(event);
        if quotes.is_empty() {
            return Ok(());
        }
        let body = serde_json::to_vec(&quotes).map_err(|error| error.to_string())?;
        let request =
            http::Request::post(&self.url).body(Bytes::from(body)).map_err(|error| error.to_string())?;
        let options = RequestOptions { idempotent: true, ..RequestOptions::default() };
        let reply = self.http.send(request, &options).await.map_err(|error| error.message)?;
        match reply.status().is_success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(reply.body()).into_owned()),
        }
    }
}

impl DataFeed for Driven {
    fn name(&self) -> &str {
        self.feed.name()
    }

    async fn start(&mut self) -> Result<(), MarketDataError> {
        self.feed.start().await
    }

    async fn next(&mut self) -> Result<Option<MarketEvent>, MarketDataError> {
        let event = self.feed.next().await?;
        if let Some(event) = &event
            && let Err(error) = self.control.drive(event).await
        {
            // Prices that the double has not got change nothing here; its orders meet those of before.
            tracing::warn!("broker.control: {}: {error}", self.control.url);
        }
        Ok(event)
    }

    async fn stop(&mut self) -> Result<(), MarketDataError> {
        self.feed.stop().await
    }

    fn stats(&self) -> FeedStats {
        self.feed.stats()
    }
}
