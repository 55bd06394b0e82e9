//! Requests for ticks.

use futures_util::stream::{BoxStream, StreamExt as _};
use ibapi::contracts::Contract;
use ibapi::market_data::IgnoreSize;
use ibapi::market_data::realtime::{BidAsk, TickTypes, Trade, generic_tick};
use ibapi::subscriptions::SubscriptionItem;
use ibapi::{Client, Error};

/// A request for ticks: of which instrument, and what.
pub(super) type Ask = (usize, What);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum What {
    Level,
    Prints,
    Touch,
}

/// What comes of one.
pub(super) enum Tick {
    Level(TickTypes),
    Print(Trade),
    Touch(BidAsk),
}

pub(super) type Item = (Ask, Result<SubscriptionItem<Tick>, Error>);
pub(super) type Ticks = BoxStream<'static, Item>;

/// Asks for ticks; `prints` = time and sales with the best prices.
pub(super) async fn subscribe(
    client: &Client,
    contract: &Contract,
    ask: Ask,
    prints: bool,
) -> Result<Ticks, Error> {
    fn of<T: 'static>(
        ask: Ask,
        ticks: impl futures_core::Stream<Item = Result<SubscriptionItem<T>, Error>> + Send + 'static,
        as_tick: fn(T) -> Tick,
    ) -> Ticks {
        let item = move |item: Result<SubscriptionItem<T>, Error>| {
            let item = item.map(|item| match item {
                SubscriptionItem::Data(tick) => SubscriptionItem::Data(as_tick(tick)),
                SubscriptionItem::Notice(notice) => SubscriptionItem::Notice(notice),
            });
            (ask, item)
        };
        ticks.map(item).boxed()
    }
    Ok(match ask.1 {
        What::Level => {
            let more: &[&str] = if prints { &[generic_tick::RT_VOLUME] } else { &[] };
            of(ask, client.market_data(contract).generic_ticks(more).subscribe().await?, Tick::Level)
        }
        What::Prints => of(ask, client.tick_by_tick(contract, 0).all_last().await?, Tick::Print),
        What::Touch => of(ask, client.tick_by_tick(contract, 0).bid_ask(IgnoreSize::No).await?, Tick::Touch),
    })
}
