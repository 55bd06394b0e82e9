//! A bar that is being made.

/// What a tick may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Open, high, low and close.
    pub price: bool,
    /// The volume.
    pub volume: bool,
}

impl Part {
    /// Everything.
    pub const ALL: Self = Self { price: true, volume: true };
    /// Nothing.
    pub const NONE: Self = Self { price: false, volume: false };
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
    /// The first instant; nanoseconds since 1970.
    pub start: i64,
    /// The first instant after it.
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

/// The open bar of one instrument; as it begins it has no length and takes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Building {
    pub(crate) start: i64,
    /// Nanoseconds; 0 = there is no bar.
    length: u64,
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
        Self {
            start,
            length: end.wrapping_sub(start).cast_unsigned(),
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

    /// Whether an instant lies within.
    #[inline]
    pub(crate) const fn has(&self, time: i64) -> bool {
        time.wrapping_sub(self.start).cast_unsigned() < self.length
    }

    /// Takes a tick. Open and close go by the time at the venue; of one instant the later to come is the later.
    #[inline]
    pub(crate) fn add(&mut self, tick: Tick) {
        let Tick { time, price, size } = tick;
        if time >= self.last {
            (self.last, self.close) = (time, price);
        }
        if time < self.first {
            (self.first, self.open) = (time, price);
        }
        self.high = self.high.max(price);
        self.low = self.low.min(price);
        self.add_volume(price, size);
    }

    /// Takes of a tick what it may change.
    #[inline]
    pub(crate) fn add_part(&mut self, tick: Tick, part: Part) {
        match part {
            Part::ALL => self.add(tick),
            Part { price: true, .. } => {
                let before = (self.volume, self.value);
                self.add(tick);
                (self.volume, self.value) = before;
            }
            Part { volume: true, .. } => self.add_volume(tick.price, tick.size),
            Part::NONE => {}
        }
    }

    #[inline]
    fn add_volume(&mut self, price: i64, size: i64) {
        self.volume += i128::from(size);
        self.value += i128::from(price) * i128::from(size);
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
        self.volume += bar.volume;
        self.value += bar.value;
        self.count += bar.count;
    }

    /// The same bar in numbers with more digits: prices and sizes grow by these factors. Whether it still fits; nothing has changed
    /// where it does not.
    pub(crate) fn rescale(&mut self, by: Factors) -> bool {
        let price = |value: i64| value.checked_mul(by.price);
        let (size, value) = (i128::from(by.size), i128::from(by.price).checked_mul(by.size.into()));
        let sums = self.volume.checked_mul(size).zip(value.and_then(|by| self.value.checked_mul(by)));
        let Some((volume, value)) = sums else { return false };
        if self.last < self.first {
            (self.volume, self.value) = (volume, value);
            return true;
        }
        let prices = (price(self.open), price(self.high), price(self.low), price(self.close));
        let (Some(open), Some(high), Some(low), Some(close)) = prices else { return false };
        *self = Self { open, high, low, close, volume, value, ..*self };
        true
    }

    /// The bar; `None` = nothing in it had a price.
    pub(crate) fn done(&self) -> Option<FixedBar> {
        let &Self { start, open, high, low, close, volume, value, count, .. } = self;
        let bar = FixedBar { start, end: self.end(), open, high, low, close, volume, value, count };
        (self.last >= self.first).then_some(bar)
    }
}
