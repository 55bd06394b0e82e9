//! Quotes as they change, of a [`StreamFeed`].

use crate::stream::{Options, Patience, Protocol, StreamFeed, World};
use futures_util::stream::unfold;
use mts_foundation::Quote;
use mts_foundation::io::{DynSocketConnector, Sleep};
use mts_foundation::market_data::{DataFeed, MarketDataError, MarketEvent, QuoteStream};
use mts_foundation::time::Clock;
use std::fmt;
use std::sync::Arc;

/// What an adapter needs besides its HTTP client to stream quotes.
#[derive(Clone)]
pub struct Streams {
    /// Opens sockets.
    pub connector: Arc<dyn DynSocketConnector>,
    /// Waits.
    pub sleep: Arc<dyn Sleep>,
    /// Spreads the attempts of programs that lost their connections together: differs from one to the next.
    pub random: u64,
}

impl fmt::Debug for Streams {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Streams")
    }
}

impl Streams {
    /// A stream of the quotes of a protocol. It ends after an error that no connection mends; that prices are stale is an
    /// error too, after which it goes on. Dropping it closes the connection.
    pub(crate) fn quotes<P: Protocol + 'static>(
        &self,
        protocol: Result<P, MarketDataError>,
        patience: &Patience,
        clock: &Arc<dyn Clock>,
    ) -> QuoteStream<'static> {
        let protocol = match protocol {
            Ok(protocol) => protocol,
            Err(error) => return refused(error),
        };
        let world = World {
            connector: Arc::clone(&self.connector),
            sleep: Arc::clone(&self.sleep),
            clock: Arc::clone(clock),
            history: None,
        };
        let feed = StreamFeed::new(protocol, |_| patience.clone(), Options::default(), world, self.random);
        quotes_of(feed)
    }
}

/// A stream of the quotes of a feed, which it starts. Dropping it drops the feed.
pub(crate) fn quotes_of(feed: impl DataFeed + 'static) -> QuoteStream<'static> {
    Box::pin(unfold(Some(feed), |feed| async move {
        let mut feed = feed?;
        Some(match next(&mut feed).await? {
            Ok(quote) => (Ok(quote), Some(feed)),
            Err((error, is_last)) => (Err(error), (!is_last).then_some(feed)),
        })
    }))
}

/// A stream of one refusal.
pub(crate) fn refused(error: MarketDataError) -> QuoteStream<'static> {
    Box::pin(unfold(Some(error), |error| async move { error.map(|error| (Err(error), None)) }))
}

/// The next quote, or an error and whether it is the last.
async fn next(feed: &mut impl DataFeed) -> Option<Result<Quote, (MarketDataError, bool)>> {
    let last = |error| Some(Err((error, true)));
    if let Err(error) = DataFeed::start(feed).await {
        return last(error);
    }
    loop {
        match DataFeed::next(feed).await {
            Ok(Some(MarketEvent::Quote(quote))) => return Some(Ok(quote)),
            Ok(Some(MarketEvent::Stale { venue, since, .. })) => {
                let message = format!("no quotes that can be trusted since {since}; more may come");
                return Some(Err((
                    MarketDataError::Venue { source_name: venue.to_string(), message },
                    false,
                )));
            }
            Ok(Some(MarketEvent::Fatal { venue, message })) => {
                return last(MarketDataError::Venue { source_name: venue.to_string(), message });
            }
            Ok(Some(_)) => {}
            Ok(None) => return None,
            Err(error) => return last(error),
        }
    }
}
