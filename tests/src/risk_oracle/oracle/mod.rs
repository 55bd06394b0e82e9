//! The oracle: lists of what happened, and answers counted from them anew each time.
//!
//! It is written from `docs/risk.md` and the decisions, slow and plain on purpose. It imports nothing from the risk
//! machine, the engine or the ledger; of `foundation` it uses the words (orders, codes, limits) and no arithmetic.

mod counts;
pub mod deviations;
mod gates;
mod halts;
mod losses;

pub use counts::Counts;
pub use deviations::{Deviation, KNOWN};
pub use halts::Consequence;

use halts::{Halt, Kill};
use losses::Baselines;
use mts_foundation::reference::Borrow;
use mts_foundation::risk::{GateLimits, RejectCode, RiskEnvelope, SessionPhase};
use mts_foundation::{
    ActorId, Decimal, FundConfig, FundId, Instrument, Order, OrderId, OrderType, Side, Symbol, Timestamp,
};
use std::collections::BTreeMap;

/// A fund as it is set up: what the machine is told as well.
#[derive(Debug, Clone)]
pub struct FundSetup {
    /// The fund.
    pub config: FundConfig,
    /// Its envelope.
    pub envelope: Option<RiskEnvelope>,
    /// Its further limits.
    pub limits: GateLimits,
    /// Terms of borrowing.
    pub borrow: BTreeMap<Symbol, Borrow>,
    /// Cash at the beginning.
    pub cash: Decimal,
}

/// A price of an instrument.
#[derive(Debug, Clone, Copy)]
pub struct Price {
    /// What values positions.
    pub mark: Decimal,
    /// Bid and ask, where it is a quote.
    pub touch: Option<(Decimal, Decimal)>,
    /// When it was true.
    pub time: Timestamp,
    /// How many batches of bars had come.
    pub bar: u64,
}

/// Units that changed hands.
#[derive(Debug, Clone, Copy)]
pub struct Trade {
    /// Place of the instrument.
    pub instrument: usize,
    /// Which way.
    pub side: Side,
    /// How many, above zero.
    pub units: Decimal,
    /// At which price.
    pub price: Decimal,
    /// What it cost.
    pub fees: Decimal,
}

/// An order that is reserved or working.
#[derive(Debug, Clone)]
struct Live {
    order: Order,
    instrument: usize,
    left: Decimal,
    /// What a unit would cost at worst, as known when it was reserved or sent.
    cost: Decimal,
    /// Value of its units at the mark of that moment; nothing for what reduces.
    value: Decimal,
}

/// An order that was accepted once.
#[derive(Debug, Clone)]
struct Sent {
    order: Order,
    time: Timestamp,
}

/// A fund, with everything that happened to it.
#[derive(Debug, Clone)]
struct Fund {
    setup: FundSetup,
    flows: Vec<Decimal>,
    trades: Vec<Trade>,
    working: Vec<Live>,
    reserved: Vec<Live>,
    sent: Vec<Sent>,
    baselines: Option<Baselines>,
    /// Instruments whose stop was reached, and whether the position was long.
    stopped: BTreeMap<usize, bool>,
}

/// An order and the moment in which it is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The order.
    pub order: &'a Order,
    /// The present instant.
    pub now: Timestamp,
    /// Where the market stands.
    pub phase: SessionPhase,
    /// Whether it comes from `close_position`.
    pub closing: bool,
}

/// Who may resume.
#[derive(Debug, Clone, Default)]
pub struct Operators {
    /// Those of the configuration.
    pub known: Vec<ActorId>,
    /// One suffices.
    pub single: bool,
    /// How long one alone must wait, in milliseconds.
    pub delay_ms: u64,
}

/// The model.
#[derive(Debug, Clone)]
pub struct Oracle {
    instruments: Vec<Instrument>,
    funds: Vec<Fund>,
    operators: Operators,
    prices: Vec<Option<Price>>,
    bars: u64,
    halts: Vec<Halt>,
    killed: Option<Kill>,
    day: Option<chrono::NaiveDate>,
    known: Vec<Deviation>,
}

/// Whether a side adds units.
pub(crate) fn rises(side: Side) -> bool {
    matches!(side, Side::Buy | Side::Cover)
}

/// A limit as it was written: 0.05 is five hundredths.
pub(crate) fn written(limit: f64) -> Decimal {
    limit.to_string().parse().unwrap_or_default()
}

impl Oracle {
    /// A world in which nothing has happened.
    #[must_use]
    pub fn new(
        instruments: Vec<Instrument>,
        funds: Vec<FundSetup>,
        operators: Operators,
        known: &[Deviation],
    ) -> Self {
        let fund = |setup| Fund {
            setup,
            flows: Vec::new(),
            trades: Vec::new(),
            working: Vec::new(),
            reserved: Vec::new(),
            sent: Vec::new(),
            baselines: None,
            stopped: BTreeMap::new(),
        };
        Self {
            prices: vec![None; instruments.len()],
            instruments,
            funds: funds.into_iter().map(fund).collect(),
            operators,
            bars: 0,
            halts: Vec::new(),
            killed: None,
            day: None,
            known: known.to_vec(),
        }
    }

    fn deviates(&self, deviation: Deviation) -> bool {
        self.known.contains(&deviation)
    }

    fn fund(&self, id: &FundId) -> Option<usize> {
        self.funds.iter().position(|fund| fund.setup.config.fund_id == *id)
    }

    fn instrument(&self, symbol: &Symbol) -> Option<usize> {
        self.instruments.iter().position(|instrument| instrument.symbol == *symbol)
    }

    /// Batches of bars that have come.
    #[must_use]
    pub fn bars(&self) -> u64 {
        self.bars
    }

    /// Another batch of bars comes.
    pub fn next_bar(&mut self) {
        self.bars += 1;
    }

    /// A price comes; what follows from it is asked for with [`Oracle::marked`].
    pub fn price(&mut self, instrument: usize, price: Price) {
        self.prices[instrument] = Some(price);
    }

    /// The last price of an instrument.
    #[must_use]
    pub fn price_of(&self, instrument: usize) -> Option<Price> {
        self.prices[instrument]
    }

    /// What a new order would meet: the touch, else the last price; a price of zero is none (R6, R7).
    fn reference(&self, instrument: usize, side: Side) -> Option<Decimal> {
        let price = self.prices[instrument]?;
        let met = match price.touch {
            Some((_, ask)) if rises(side) => ask,
            Some((bid, _)) => bid,
            None => price.mark,
        };
        (met > Decimal::ZERO).then_some(met)
    }

    /// The price at which an order counts for its value (R6).
    fn notional_price(&self, order: &Order, instrument: usize) -> Option<Decimal> {
        let reference = self.reference(instrument, order.side);
        match order.order_type {
            OrderType::Market => reference,
            OrderType::Limit | OrderType::StopLimit | OrderType::MarketableLimit => order.limit_price,
            OrderType::Stop => [order.stop_price, reference].into_iter().flatten().max(),
        }
    }

    /// An order that passed; until it is sent or given up its units are reserved.
    pub fn reserve(&mut self, order: &Order) {
        if let (Some(fund), Some(live)) = (self.fund(&order.fund_id), self.live(order)) {
            self.funds[fund].reserved.push(live);
        }
    }

    /// A reserved order is not sent after all.
    pub fn release(&mut self, id: &OrderId) {
        for fund in &mut self.funds {
            fund.reserved.retain(|live| live.order.order_id != *id);
        }
    }

    /// A reserved order is sent.
    pub fn commit(&mut self, order: &Order, now: Timestamp) {
        self.release(&order.order_id);
        if let (Some(fund), Some(live)) = (self.fund(&order.fund_id), self.live(order)) {
            self.funds[fund].working.push(live);
            self.funds[fund].sent.push(Sent { order: order.clone(), time: now });
        }
    }

    fn live(&self, order: &Order) -> Option<Live> {
        let instrument = self.instrument(&order.symbol)?;
        let cost = self.notional_price(order, instrument).unwrap_or_default();
        let mark = self.prices[instrument].map_or(cost, |price| price.mark);
        let multiplier = self.instruments[instrument].multiplier;
        let opens = matches!(order.side, Side::Buy | Side::Short);
        let value = if opens { order.quantity * mark * multiplier } else { Decimal::ZERO };
        Some(Live { order: order.clone(), instrument, left: order.quantity, cost, value })
    }

    /// A working order ends without a fill.
    pub fn end(&mut self, id: &OrderId) {
        for fund in &mut self.funds {
            fund.working.retain(|live| live.order.order_id != *id);
        }
    }

    /// What the oracle thinks of an order: nothing, or the code of the first gate that objects.
    #[must_use]
    pub fn verdict(&self, question: &Question<'_>) -> Option<RejectCode> {
        gates::verdict(self, question).err()
    }
}
