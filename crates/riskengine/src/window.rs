//! Orders that were accepted a moment ago: what the windows of duplicates, rates and repeated executions look at.

use mts_foundation::num::{exact, exact_option};
use mts_foundation::order::{OrderType, Side};
use mts_foundation::{Decimal, Order, StrategyId, Symbol, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::VecDeque;

/// Most orders that one window holds. A full window refuses (gate 10): what it cannot remember it cannot limit.
pub(crate) const MAX_RECENT: usize = 65_536;

/// A minute.
pub(crate) const MINUTE_MS: u64 = 60_000;

/// Heads of chains at the beginning; doubled whenever the window holds more orders than heads.
const FIRST_HEADS: usize = 64;

/// An accepted order, as far as windows look at it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Accepted {
    pub(crate) time: Timestamp,
    pub(crate) symbol: Symbol,
    pub(crate) strategy: StrategyId,
    pub(crate) side: Side,
    pub(crate) order_type: OrderType,
    #[serde(with = "exact")]
    pub(crate) quantity: Decimal,
    #[serde(with = "exact_option")]
    pub(crate) limit_price: Option<Decimal>,
    #[serde(with = "exact_option")]
    pub(crate) stop_price: Option<Decimal>,
}

impl Accepted {
    fn of(order: &Order, time: Timestamp) -> Self {
        Self {
            time,
            symbol: order.symbol.clone(),
            strategy: order.strategy_id.clone(),
            side: order.side,
            order_type: order.order_type,
            quantity: order.quantity,
            limit_price: order.limit_price,
            stop_price: order.stop_price,
        }
    }

    fn same_content(&self, order: &Order) -> bool {
        self.symbol == order.symbol
            && self.side == order.side
            && self.order_type == order.order_type
            && self.quantity == order.quantity
            && self.limit_price == order.limit_price
            && self.stop_price == order.stop_price
    }

    fn same_execution(&self, order: &Order) -> bool {
        self.symbol == order.symbol && self.side == order.side && self.strategy == order.strategy_id
    }

    fn content(&self) -> u64 {
        let prices = [self.limit_price, self.stop_price];
        content(&self.symbol, self.side, self.order_type, self.quantity, prices)
    }

    fn execution(&self) -> u64 {
        execution(&self.symbol, self.side, &self.strategy)
    }
}

/// A hash of what makes orders the same. Only places of chains depend on it, never a result.
fn content(
    symbol: &Symbol,
    side: Side,
    order_type: OrderType,
    quantity: Decimal,
    [limit, stop]: [Option<Decimal>; 2],
) -> u64 {
    let kind = (side as u64) << 8 | (order_type as u64);
    [Some(quantity), limit, stop].into_iter().fold(fold(text(symbol.as_str()), kind), number)
}

fn execution(symbol: &Symbol, side: Side, strategy: &StrategyId) -> u64 {
    fold(fold(text(symbol.as_str()), text(strategy.as_str())), side as u64)
}

/// Mixes a word into a hash: Knuth's multiplicative hashing by the golden ratio.
fn fold(hash: u64, word: u64) -> u64 {
    (hash ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29)
}

fn text(text: &str) -> u64 {
    text.bytes().fold(0, |hash, byte| fold(hash, u64::from(byte)))
}

fn number(hash: u64, value: Option<Decimal>) -> u64 {
    let Some((digits, scale)) = value.map(plain) else { return fold(hash, u64::MAX) };
    // The upper half of longer numbers may be lost: their chains are longer then, nothing else.
    let low = u64::try_from(digits & i128::from(u64::MAX)).unwrap_or(0);
    fold(fold(hash, low), u64::from(scale))
}

/// Digits and places of a number without zeros at its end, so that equal numbers are equal here; quicker than
/// [`Decimal::normalize`] where the digits fit in 64 bits, as they do.
fn plain(value: Decimal) -> (i128, u32) {
    let (mantissa, mut scale) = (value.mantissa(), value.scale());
    let Ok(mut digits) = i64::try_from(mantissa) else {
        let value = value.normalize();
        return (value.mantissa(), value.scale());
    };
    while scale > 0 && digits % 10 == 0 {
        digits /= 10;
        scale -= 1;
    }
    (i128::from(digits), scale)
}

/// An order with the numbers of the orders before it in its two chains; 0 = none.
#[derive(Debug, Clone)]
struct Entry {
    accepted: Accepted,
    before_content: u64,
    before_execution: u64,
}

/// Accepted orders in time order, with chains through those of the same content and of the same execution, so that a
/// question costs as much as its answer is long, however many orders the window holds. Keeping it costs no allocation
/// once it has grown to the size that it needs.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    entries: VecDeque<Entry>,
    /// Number of the oldest entry; numbers begin with 1 and are never used again.
    first: u64,
    content: Vec<u64>,
    execution: Vec<u64>,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            entries: VecDeque::new(),
            first: 1,
            content: vec![0; FIRST_HEADS],
            execution: vec![0; FIRST_HEADS],
        }
    }
}

/// Whether `then` is less than `window_ms` ago.
pub(crate) fn within(now: Timestamp, then: Timestamp, window_ms: u64) -> bool {
    let window = i64::try_from(window_ms).unwrap_or(i64::MAX).saturating_mul(1_000_000);
    now.nanos().saturating_sub(then.nanos()) < window
}

/// The slot of a hash among heads, whose number is a power of two.
fn slot(heads: &mut [u64], hash: u64) -> Option<&mut u64> {
    let mask = heads.len().wrapping_sub(1);
    heads.get_mut(usize::try_from(hash & u64::try_from(mask).unwrap_or(0)).unwrap_or(0))
}

fn head(heads: &[u64], hash: u64) -> u64 {
    let mask = u64::try_from(heads.len().wrapping_sub(1)).unwrap_or(0);
    heads.get(usize::try_from(hash & mask).unwrap_or(0)).copied().unwrap_or(0)
}

impl Window {
    /// Remembers an order and forgets those that are `longest_ms` or more old. Time does not go back here: an order
    /// that a clock puts before the last one counts as sent with it.
    pub(crate) fn push(&mut self, order: &Order, now: Timestamp, longest_ms: u64) {
        let now = self.entries.back().map_or(now, |last| last.accepted.time.max(now));
        while self.entries.front().is_some_and(|oldest| !within(now, oldest.accepted.time, longest_ms))
            || self.entries.len() >= MAX_RECENT
        {
            self.entries.pop_front();
            self.first = self.first.saturating_add(1);
        }
        self.link(Accepted::of(order, now));
    }

    /// Forgets the newest order of this content. The others are linked anew: it happens when a venue cannot be reached, and
    /// not on the way of an order.
    pub(crate) fn withdraw(&mut self, order: &Order) {
        let newest = self.entries.iter().rposition(|entry| entry.accepted.same_content(order));
        let Some(place) = newest else { return };
        self.entries.remove(place);
        self.content.fill(0);
        self.execution.fill(0);
        let entries: Vec<Entry> = self.entries.drain(..).collect();
        entries.into_iter().for_each(|entry| self.append(entry.accepted));
    }

    fn link(&mut self, accepted: Accepted) {
        if self.entries.len() >= self.content.len() {
            let heads = self.content.len().saturating_mul(2);
            self.content = vec![0; heads];
            self.execution = vec![0; heads];
            let entries: Vec<Entry> = self.entries.drain(..).collect();
            entries.into_iter().for_each(|entry| self.append(entry.accepted));
        }
        self.append(accepted);
    }

    fn append(&mut self, accepted: Accepted) {
        let number = self.first.saturating_add(u64::try_from(self.entries.len()).unwrap_or(u64::MAX));
        let (content, execution) = (accepted.content(), accepted.execution());
        let chain = |heads: &mut [u64], hash: u64| {
            slot(heads, hash).map_or(0, |slot| std::mem::replace(slot, number))
        };
        let before_content = chain(&mut self.content, content);
        let before_execution = chain(&mut self.execution, execution);
        self.entries.push_back(Entry { accepted, before_content, before_execution });
    }

    fn numbered(&self, number: u64) -> Option<&Entry> {
        let place = number.checked_sub(self.first).filter(|_| number != 0)?;
        self.entries.get(usize::try_from(place).ok()?)
    }

    fn chain<'a>(
        &'a self,
        newest: u64,
        before: impl Fn(&Entry) -> u64 + 'a,
    ) -> impl Iterator<Item = &'a Accepted> + 'a {
        let next = move |entry: &&'a Entry| self.numbered(before(entry));
        std::iter::successors(self.numbered(newest), next).map(|entry| &entry.accepted)
    }

    /// When the same content was accepted last.
    pub(crate) fn last_same_content(&self, order: &Order) -> Option<Timestamp> {
        let prices = [order.limit_price, order.stop_price];
        let content = content(&order.symbol, order.side, order.order_type, order.quantity, prices);
        self.chain(head(&self.content, content), |entry| entry.before_content)
            .find(|accepted| accepted.same_content(order))
            .map(|accepted| accepted.time)
    }

    /// Orders of the same strategy, instrument and side within a window, counted up to `enough`.
    pub(crate) fn same_executions(
        &self,
        order: &Order,
        now: Timestamp,
        window_ms: u64,
        enough: u32,
    ) -> usize {
        let execution = execution(&order.symbol, order.side, &order.strategy_id);
        self.chain(head(&self.execution, execution), |entry| entry.before_execution)
            .take_while(|accepted| within(now, accepted.time, window_ms))
            .filter(|accepted| accepted.same_execution(order))
            .take(usize::try_from(enough).unwrap_or(usize::MAX))
            .count()
    }

    /// Orders within a window.
    pub(crate) fn count(&self, now: Timestamp, window_ms: u64) -> usize {
        // Mostly the window holds what is asked for and little else: the first that counts is near its beginning, and
        // looking for it from there leaves the rest of a long window alone.
        let old = |place: usize| {
            self.entries.get(place).is_some_and(|entry| !within(now, entry.accepted.time, window_ms))
        };
        let mut step = 1;
        while old(step - 1) {
            step *= 2;
        }
        let (mut from, mut to) = (step / 2, step.min(self.entries.len()));
        while from < to {
            let middle = from.midpoint(to);
            if old(middle) { from = middle + 1 } else { to = middle }
        }
        self.entries.len().saturating_sub(from)
    }

    /// Whether the window holds as many orders as it can, all of them within `longest_ms`.
    pub(crate) fn is_full(&self, now: Timestamp, longest_ms: u64) -> bool {
        self.entries.len() >= MAX_RECENT
            && self.entries.front().is_some_and(|oldest| within(now, oldest.accepted.time, longest_ms))
    }
}

impl PartialEq for Window {
    /// What was accepted when; numbers and chains follow from it.
    fn eq(&self, other: &Self) -> bool {
        self.entries.iter().map(|entry| &entry.accepted).eq(other.entries.iter().map(|entry| &entry.accepted))
    }
}

impl Serialize for Window {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.entries.iter().map(|entry| &entry.accepted))
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut window = Self::default();
        Vec::<Accepted>::deserialize(deserializer)?.into_iter().for_each(|accepted| window.link(accepted));
        Ok(window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn equal_numbers_have_one_form_and_others_another() {
        let plain = |text: &str| plain(text.parse().unwrap());
        assert_eq!((plain("1.50"), plain("1.5")), ((15, 1), (15, 1)));
        assert_eq!((plain("150"), plain("-0.25"), plain("0.00")), ((150, 0), (-25, 2), (0, 0)));
        // Longer than 64 bits.
        assert_eq!(plain("79228162514264337593543950330"), (79_228_162_514_264_337_593_543_950_330, 0));
        assert_eq!(plain("7922816251426433759354395033.0"), (7_922_816_251_426_433_759_354_395_033, 0));
    }

    fn order(name: u8, side: Side, quantity: u8) -> Order {
        Order::builder()
            .order_id("o")
            .idempotency_key("k")
            .symbol(format!("S{name}"))
            .side(side)
            .quantity(Decimal::from(quantity))
            .order_type(OrderType::Market)
            .fund_id("f")
            .strategy_id("s")
            .broker("b")
            .actor("a")
            .created_at(Timestamp::EPOCH)
            .build()
            .unwrap()
    }

    proptest! {
        /// The chains find what looking at every order finds, also after a round trip through bytes.
        #[test]
        fn chains_find_what_a_scan_finds(
            sent in prop::collection::vec((0_u8..6, any::<bool>(), 1_u8..4, 0_i64..40), 1..400),
        ) {
            let longest = 500;
            let mut window = Window::default();
            let mut all: Vec<(Order, Timestamp)> = Vec::new();
            let mut now = Timestamp::EPOCH;
            for (name, buys, quantity, pause) in sent {
                now = Timestamp::from_nanos(now.nanos() + pause * 1_000_000);
                let order = order(name, if buys { Side::Buy } else { Side::Sell }, quantity);
                let alive = |window: u64| all.iter().rev().take_while(move |(_, time)| within(now, *time, window));
                let bytes = postcard::to_stdvec(&window).unwrap();
                let again: Window = postcard::from_bytes(&bytes).unwrap();
                prop_assert_eq!(&again, &window);
                for window in [&window, &again] {
                    let same = alive(longest).find(|(other, _)| other.same_content(&order)).map(|(_, time)| *time);
                    let found = window.last_same_content(&order).filter(|time| within(now, *time, longest));
                    prop_assert_eq!(found, same);
                    prop_assert_eq!(window.count(now, 300), alive(300).count());
                    let same = alive(300)
                        .filter(|(other, _)| other.symbol == order.symbol && other.side == order.side)
                        .count();
                    prop_assert_eq!(window.same_executions(&order, now, 300, 1_000), same);
                    prop_assert_eq!(window.same_executions(&order, now, 300, 2), same.min(2));
                }
                window.push(&order, now, longest);
                all.push((order, now));
            }
        }
    }

    #[test]
    fn a_full_window_says_so_until_its_oldest_order_is_over() {
        let mut window = Window::default();
        let order = order(1, Side::Buy, 1);
        for _ in 0..MAX_RECENT {
            assert!(!window.is_full(Timestamp::EPOCH, MINUTE_MS));
            window.push(&order, Timestamp::EPOCH, MINUTE_MS);
        }
        assert!(window.is_full(Timestamp::from_millis(59_999), MINUTE_MS));
        assert!(!window.is_full(Timestamp::from_millis(60_000), MINUTE_MS));
        assert_eq!(window.count(Timestamp::EPOCH, MINUTE_MS), MAX_RECENT);
    }
}
