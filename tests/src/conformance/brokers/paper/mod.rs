//! The paper broker as its own venue: there is no wire between the two, and so nothing that could go wrong on it.

mod client;
mod desk;
mod mode;

pub use mode::Mode;

use client::Client;
use desk::{Desk, TICK, not_possible};
use futures_core::Stream;
use mode::symbols;
use mts_conformance::broker::{BoxError, Subject, Suite};
use mts_foundation::broker::{Broker, BrokerOrderRef, OrderChange, SimulatedBroker as _};
use mts_foundation::broker_event::Cursor;
use mts_foundation::double::{
    Act, Call, CallFault, DoubleAccount, DoubleFill, DoubleOrder, Happening, NotPossible, StreamFault,
    VenueDouble,
};
use mts_foundation::ready::ready;
use mts_foundation::{BrokerEvent, BrokerOrderId, Decimal, Fill, OrderType, Quote, Symbol};
use secrecy::SecretString;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::task::{Context, Poll, Waker};

pub(super) fn by_quotes() -> Suite {
    suite("paper", Mode::Quotes)
}

pub(super) fn by_bars() -> Suite {
    suite("paper-bars", Mode::Bars)
}

pub(super) fn with_latency() -> Suite {
    suite("paper-latency", Mode::Latency)
}

pub(super) fn of_cash() -> Suite {
    suite("paper-cash", Mode::Cash)
}

fn suite(name: &str, mode: Mode) -> Suite {
    Suite::new(
        name,
        move || PaperDouble::new(mode),
        |double: &PaperDouble, _| {
            let subject: Arc<dyn Subject> = Arc::new(Client(Arc::clone(&double.desk)));
            Box::pin(async { Ok(subject) })
        },
    )
}

/// The paper broker seen from the side of the venue.
#[derive(Debug)]
pub struct PaperDouble {
    desk: Arc<Desk>,
    /// Whoever lets the time go on ends when this is gone.
    _ticking: SyncSender<()>,
}

impl PaperDouble {
    /// A paper broker in one of its modes.
    ///
    /// # Errors
    /// None that can be met but that of a system without threads: the settings are constants.
    pub fn new(mode: Mode) -> Result<Self, BoxError> {
        let desk = Arc::new(Desk::new(mode)?);
        let (ticking, ended) = sync_channel(0);
        if mode != Mode::Quotes {
            let desk = Arc::clone(&desk);
            let tick = move || {
                while ended.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                    desk.tick();
                }
            };
            std::thread::Builder::new().name("paper-time".to_owned()).spawn(tick)?;
        }
        Ok(Self { desk, _ticking: ticking })
    }

    /// All executions so far.
    fn executions(&self) -> Vec<Fill> {
        let Ok(beginning) = Cursor::new("0") else { return Vec::new() };
        let mut events = Broker::events(&self.desk.paper, Some(beginning));
        let mut fills = Vec::new();
        let mut context = Context::from_waker(Waker::noop());
        while let Poll::Ready(Some(Ok(event))) = Stream::poll_next(events.as_mut(), &mut context) {
            if let BrokerEvent::Fill { fill, .. } = event {
                fills.push(fill);
            }
        }
        fills
    }

    /// Lets the market trade with an order, which must be the first in line.
    fn trade(
        &self,
        id: &BrokerOrderId,
        quantity: Decimal,
        price: Option<Decimal>,
    ) -> Result<(), NotPossible> {
        let working: Vec<DoubleOrder> =
            self.orders().into_iter().filter(|order| !order.state.is_terminal()).collect();
        let (Some(order), Some(taken)) = (working.iter().find(|order| order.id == *id), self.desk.taken(id))
        else {
            return not_possible("an order that has ended does not fill");
        };
        let first = working.iter().find(|other| other.symbol == order.symbol && other.buys == order.buys);
        if first.is_some_and(|first| first.id != *id) {
            return not_possible("the simulated market fills first what came first");
        }
        let Some(at) = price.or(order.limit_price) else {
            return not_possible("a trade needs a price");
        };
        self.desk.trade(&taken, quantity, at);
        Ok(())
    }

    fn happen(&self, happening: &Happening) -> Result<(), NotPossible> {
        match happening {
            Happening::Fill { order, quantity, price } => self.trade(order, *quantity, *price),
            Happening::Cancel { order } => {
                let Some(taken) = self.desk.taken(order) else { return Ok(()) };
                let reference = BrokerOrderRef {
                    order_id: taken.order.order_id.clone(),
                    idempotency_key: taken.order.idempotency_key.clone(),
                    broker_order_id: order.clone(),
                    symbol: taken.order.symbol.clone(),
                };
                drop(ready(Broker::cancel(&self.desk.paper, &reference)));
                self.desk.arrive();
                Ok(())
            }
            Happening::Expire { .. } => {
                self.desk.arrive();
                self.desk.paper.on_session_close();
                Ok(())
            }
            Happening::Reject { .. } => {
                not_possible("the simulated market refuses an order before it rests, or not at all")
            }
            Happening::Correct { .. } | Happening::Bust { .. } => {
                not_possible("what has traded on the simulated market is never corrected or annulled")
            }
            Happening::Cash { .. } => not_possible("the paper account has no cash but what it trades"),
        }
    }

    /// A call that goes wrong: of what can, only that an order is refused happens in one process.
    fn break_call(&self, call: Call, fault: CallFault, times: u32) -> Result<(), NotPossible> {
        match fault {
            CallFault::StrangeRefusal if call == Call::Submit => {
                self.desk.market().refusals = times;
                Ok(())
            }
            CallFault::StrangeRefusal => {
                not_possible("the paper broker refuses nothing but orders and changes")
            }
            CallFault::TooMany { .. } => {
                not_possible("capability rate_budgets: none stated, the paper broker counts no requests")
            }
            CallFault::NotAuthorised => {
                not_possible("the paper broker lets everybody in: it takes no credentials")
            }
            CallFault::Wrong(_) => {
                not_possible("the paper broker answers with values in memory: there is no text to be wrong")
            }
            CallFault::Down { .. } | CallFault::DownAfter { .. } => {
                not_possible("the paper broker is in this process: it is not down while its caller runs")
            }
            CallFault::NotRead
            | CallFault::AnswerLost
            | CallFault::AnswerCut
            | CallFault::Silent
            | CallFault::Ignored
            | CallFault::Late { .. } => {
                not_possible("the paper broker is in this process: a call answers before it returns")
            }
        }
    }

    fn break_stream(&self, fault: StreamFault) -> Result<(), NotPossible> {
        if fault != StreamFault::Cut {
            return not_possible(
                "events of the paper broker are read from its memory, each once and in order",
            );
        }
        let wakers = {
            let mut streams = self.desk.streams();
            streams.cuts += 1;
            std::mem::take(&mut streams.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// Quotes so low that every order to buy meets them as it arrives.
    fn fill_before_answer(&self) -> Result<(), NotPossible> {
        if self.desk.mode != Mode::Quotes {
            return not_possible(match self.desk.mode {
                Mode::Bars => "by bars an order meets the next one, after its acknowledgement",
                Mode::Cash => "by prints an order meets the next one, after its acknowledgement",
                _ => "with a delay an order meets the market after its acknowledgement",
            });
        }
        let quotes: Vec<Quote> = self.desk.market().quotes.values().cloned().collect();
        for quote in quotes {
            self.desk.show(&Quote { bid: Decimal::from(97), ask: Decimal::from(98), ..quote });
        }
        Ok(())
    }
}

impl VenueDouble for PaperDouble {
    fn name(&self) -> &str {
        "paper"
    }

    fn endpoints(&self) -> BTreeMap<SmolStr, String> {
        BTreeMap::new()
    }

    fn credentials(&self) -> BTreeMap<SmolStr, SecretString> {
        BTreeMap::new()
    }

    fn symbols(&self) -> Vec<Symbol> {
        symbols()
    }

    fn quote(&self, quote: &Quote) {
        let mut market = self.desk.market();
        market.quotes.insert(quote.symbol.clone(), quote.clone());
        if !market.still {
            drop(market);
            self.desk.show(quote);
        }
    }

    fn act(&self, act: &Act) -> Result<(), NotPossible> {
        match act {
            Act::Call { call, fault, times } => self.break_call(*call, *fault, *times),
            Act::Stream(fault) => self.break_stream(*fault),
            Act::Outage(_) => not_possible("the paper broker is in this process: nobody is cut off from it"),
            Act::ExpireTokens => {
                not_possible("the paper broker takes no credentials and hands out no tokens")
            }
            Act::Clock(_) => not_possible("the paper broker has no clock but the market's"),
            Act::CancelLosesRace if self.desk.mode == Mode::Latency => {
                self.desk.arrive();
                self.desk.market().overtaken = true;
                Ok(())
            }
            Act::CancelLosesRace => {
                not_possible("cancellations take effect at once unless a delay is configured (paper-latency)")
            }
            Act::FillInParts(_) => not_possible("what trades in parts is the market's matter"),
            Act::FeesLate(_) => not_possible("fees of the paper broker are known with the fill"),
            Act::HistoryLate(_) => not_possible("the paper broker's history is its stream"),
            Act::Happen(happening) => self.happen(happening),
            Act::FillBeforeAnswer => self.fill_before_answer(),
            Act::Matching(on) => {
                self.desk.market().still = !on;
                if *on {
                    self.desk.show_all();
                }
                Ok(())
            }
        }
    }

    fn orders(&self) -> Vec<DoubleOrder> {
        let now = self.desk.now();
        let taken = self.desk.market().taken.clone();
        let order = |taken: desk::Taken| {
            let report = self.desk.report(&taken.order)?;
            let change = if taken.since <= now { taken.change } else { OrderChange::default() };
            let order = taken.order;
            Some(DoubleOrder {
                id: report.broker_order_id,
                client_id: Some(order.idempotency_key.as_str().into()),
                symbol: report.symbol,
                buys: report.side.sign() > 0,
                order_type: if report.order_type == OrderType::MarketableLimit {
                    OrderType::Limit
                } else {
                    report.order_type
                },
                tif: order.tif,
                quantity: report.quantity,
                limit_price: change.limit_price.or(order.limit_price),
                stop_price: change.stop_price.or(order.stop_price),
                extended_hours: order.extended_hours,
                filled: report.filled,
                state: report.state,
            })
        };
        taken.into_iter().filter_map(order).collect()
    }

    fn fills(&self) -> Vec<DoubleFill> {
        let taken = self.desk.market().taken.clone();
        let fill = |fill: Fill| {
            let of = taken.iter().find(|taken| taken.order.order_id == fill.order_id)?;
            Some(DoubleFill {
                id: fill.fill_id,
                order: of.order.broker_order_id.clone()?,
                symbol: fill.symbol,
                bought: fill.side.sign() > 0,
                quantity: fill.quantity,
                price: fill.price,
                fees: fill.fees,
                time: fill.timestamp,
            })
        };
        self.executions().into_iter().filter_map(fill).collect()
    }

    /// What its executions make of the first cash, and not what the broker says of itself.
    fn account(&self) -> DoubleAccount {
        let mut account = DoubleAccount { cash: mode::CASH, positions: BTreeMap::new() };
        for fill in self.executions() {
            let signed = fill.side.signed(fill.quantity);
            account.cash -= signed * fill.price + fill.fees;
            *account.positions.entry(fill.symbol).or_default() += signed;
        }
        account.positions.retain(|_, units| !units.is_zero());
        account
    }

    fn calls(&self, _: Call) -> u64 {
        0
    }

    fn streams(&self) -> usize {
        self.desk.streams().open
    }
}
