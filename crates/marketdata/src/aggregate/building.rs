//! A bar that is being made.

/// What a tick may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Open and close, and with them high and low.
    pub price: bool,
    /// High and low, even where open and close may not change.
    pub range: bool,
    /// The volume, and the count.
    pub volume: bool,
}

impl Part {
    /// Everything.
    pub const ALL: Self = Self { price: true, range: true, volume: true };
    /// High, low and volume.
    pub const RANGE: Self = Self { price: false, range: true, volume: true };
    /// Volume alone.
    pub const VOLUME: Self = Self { price: false, range: false, volume: true };
    /// Prices alone.
    pub const PRICE: Self = Self { price: true, range: true, volume: false };
    /// Nothing.
    pub const NONE: Self = Self { price: false, range: false, volume: false };

    /// What both allow.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            price: self.price && other.price,
            range: self.range && other.range,
            volume: self.volume && other.volume,
        }
    }
}

/// A print, or one side of a quote, in the whole numbers of its instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick {
    /// When, at the venue; nanoseconds since 1970.
    pub time: i64,
    /// Price per unit.
    pub price: i64,
    /// Units.
    pub size: i64,
}

/// A bar in the whole numbers of its instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FixedBar {
    /// The first instant, of bars by ticks the time of the first; nanoseconds since 1970.
    pub start: i64,
    /// The first instant after it, of bars by ticks the time of the last.
    pub end: i64,
    /// First price.
    pub open: i64,
    /// Highest price.
    pub high: i64,
    /// Lowest price.
    pub low: i64,
    /// Last price.
    pub close: i64,
    /// Units.
    pub volume: i128,
    /// Price times units.
    pub value: i128,
    /// How many ticks.
    pub count: u64,
}

/// By what numbers grow that get more digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Factors {
    pub(crate) price: i64,
    pub(crate) size: i64,
}

impl FixedBar {
    /// The same in numbers with more digits; `None` = it does not fit.
    pub(crate) fn rescaled(&self, by: Factors) -> Option<Self> {
        let price = |value: i64| value.checked_mul(by.price);
        let value = i128::from(by.price).checked_mul(by.size.into())?;
        Some(Self {
            open: price(self.open)?,
            high: price(self.high)?,
            low: price(self.low)?,
            close: price(self.close)?,
            volume: self.volume.checked_mul(by.size.into())?,
            value: self.value.checked_mul(value)?,
            ..*self
        })
    }
}

/// The open bar of one instrument; as it begins it has no length and takes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Building {
    pub(crate) start: i64,
    /// Nanoseconds; 0 = there is no bar.
    length: u64,
    /// Ticks before this many nanoseconds are taken without a look at the bars before.
    reach: u64,
    /// When the open and the close were.
    first: i64,
    last: i64,
    open: i64,
    high: i64,
    low: i64,
    close: i64,
    volume: i128,
    value: i128,
    count: u64,
}

impl Building {
    /// No bar.
    pub(crate) const NONE: Self = Self::over(0, 0);

    /// An empty bar over `[start, end)`.
    pub(crate) const fn over(start: i64, end: i64) -> Self {
        let length = end.wrapping_sub(start).cast_unsigned();
        Self {
            start,
            length,
            reach: length,
            first: i64::MAX,
            last: i64::MIN,
            open: 0,
            high: i64::MIN,
            low: i64::MAX,
            close: 0,
            volume: 0,
            value: 0,
            count: 0,
        }
    }

    pub(crate) const fn is_none(&self) -> bool {
        self.length == 0
    }

    pub(crate) const fn end(&self) -> i64 {
        self.start.wrapping_add(self.length.cast_signed())
    }

    /// Whether an instant lies within, and nothing else is to be done for it.
    #[inline]
    pub(crate) const fn takes(&self, time: i64) -> bool {
        time.wrapping_sub(self.start).cast_unsigned() < self.reach
    }

    /// Whether an instant lies within.
    pub(crate) const fn has(&self, time: i64) -> bool {
        time.wrapping_sub(self.start).cast_unsigned() < self.length
    }

    /// From an instant on, the bars before are to be looked at; `None` = there are none.
    pub(crate) fn look_from(&mut self, time: Option<i64>) {
        let before = time.map(|time| time.saturating_sub(self.start).max(0).cast_unsigned());
        self.reach = before.map_or(self.length, |reach| reach.min(self.length));
    }

    /// As far as another.
    pub(crate) const fn reaches_as(&mut self, other: &Self) {
        self.reach = other.reach;
    }

    /// Takes a tick. Open and close go by the time at the venue; of one instant the later to come is the later.
    #[inline]
    pub(crate) fn add(&mut self, tick: Tick) {
        self.add_price(tick);
        self.add_volume(tick.price, tick.size);
    }

    /// Takes of a tick what it may change.
    #[inline]
    pub(crate) fn add_part(&mut self, tick: Tick, part: Part) {
        if part.price {
            self.add_price(tick);
        } else if part.range {
            self.add_range(tick.price);
        }
        if part.volume {
            self.add_volume(tick.price, tick.size);
        }
    }

    #[inline]
    fn add_price(&mut self, Tick { time, price, .. }: Tick) {
        if time >= self.last {
            (self.last, self.close) = (time, price);
        }
        if time < self.first {
            (self.first, self.open) = (time, price);
        }
        self.add_range(price);
    }

    #[inline]
    fn add_range(&mut self, price: i64) {
        self.high = self.high.max(price);
        self.low = self.low.min(price);
    }

    /// A sum that no decimal holds stays where it cannot be taken for one.
    #[inline]
    fn add_volume(&mut self, price: i64, size: i64) {
        self.volume += i128::from(size);
        self.value = self.value.saturating_add(i128::from(price) * i128::from(size));
        self.count += 1;
    }

    /// Takes a smaller bar whole.
    pub(crate) fn merge(&mut self, bar: &FixedBar) {
        // The instant before its end stands for its last price.
        let last = bar.end.saturating_sub(1);
        if last >= self.last {
            (self.last, self.close) = (last, bar.close);
        }
        if bar.start < self.first {
            (self.first, self.open) = (bar.start, bar.open);
        }
        self.high = self.high.max(bar.high);
        self.low = self.low.min(bar.low);
        self.volume = self.volume.saturating_add(bar.volume);
        self.value = self.value.saturating_add(bar.value);
        self.count = self.count.saturating_add(bar.count);
    }

    /// The same bar in numbers with more digits: prices and sizes grow by these factors. Whether it still fits; nothing has
    /// changed where it does not.
    pub(crate) fn rescale(&mut self, by: Factors) -> bool {
        let Self { start, open, high, low, close, volume, value, count, .. } = *self;
        // Where nothing had a price, high and low may be none.
        let (high, low) = if low <= high { (high, low) } else { (0, 0) };
        let now = FixedBar { start, end: start, open, high, low, close, volume, value, count };
        let Some(FixedBar { open, high, low, close, volume, value, .. }) = now.rescaled(by) else {
            return false;
        };
        if self.low <= self.high {
            (self.high, self.low) = (high, low);
        }
        *self = Self { open, close, volume, value, ..*self };
        true
    }

    /// Whether nothing is in it.
    pub(crate) const fn is_untouched(&self) -> bool {
        self.count == 0 && self.low > self.high
    }

    /// Whether open and close are known.
    pub(crate) const fn has_price(&self) -> bool {
        self.last >= self.first
    }

    pub(crate) const fn volume(&self) -> i128 {
        self.volume
    }

    pub(crate) const fn value(&self) -> i128 {
        self.value
    }

    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    /// The bar; `None` = nothing in it had a price.
    pub(crate) fn done(&self) -> Option<FixedBar> {
        let &Self { start, open, high, low, close, volume, value, count, .. } = self;
        let bar = FixedBar { start, end: self.end(), open, high, low, close, volume, value, count };
        self.has_price().then_some(bar)
    }

    /// The bar from its first price to its last; `None` = nothing in it had a price.
    pub(crate) fn spanned(&self) -> Option<FixedBar> {
        self.done().map(|bar| FixedBar { start: self.first, end: self.last, ..bar })
    }
}
