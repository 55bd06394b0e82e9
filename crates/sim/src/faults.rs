//! What can go wrong, and how often.

use crate::random::Random;

/// Makes the list of faults: each has a name for command lines and seed files.
macro_rules! faults {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)+) => {
        /// One way in which the world misbehaves.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Fault { $($(#[$doc])* $name,)+ }

        impl Fault {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Its name in command lines and seed files.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text),+ }
            }
        }
    };
}

faults! {
    /// An order never reaches the venue, and no answer comes.
    SubmitLost = "submit-lost",
    /// The venue has the order, and no answer comes.
    AnswerLost = "answer-lost",
    /// The answer takes long: fills come first.
    LateAnswer = "late-answer",
    /// The order provably did not leave.
    NotSent = "not-sent",
    /// The venue refuses the order.
    Reject = "reject",
    /// The venue took the order and says for a while that it does not know it.
    NotFound = "not-found",
    /// An order is filled after its cancellation was confirmed.
    FillAfterCancel = "fill-after-cancel",
    /// More is filled than was ordered.
    Overfill = "overfill",
    /// A fill is told twice.
    DuplicateFill = "duplicate-fill",
    /// A fill is told again with another price under the same id.
    OtherPrice = "other-price",
    /// An order report is told twice.
    DuplicateReport = "duplicate-report",
    /// Events overtake each other.
    Reordered = "reordered",
    /// A fill is told with the opposite side.
    WrongSide = "wrong-side",
    /// A fill is told with a symbol that nobody knows.
    UnknownSymbol = "unknown-symbol",
    /// Two orders get the same venue id.
    ReusedId = "reused-id",
    /// The account is shown as it was some time ago.
    StaleSnapshot = "stale-snapshot",
    /// The account is shown with a wrong position, for a while.
    WrongSnapshot = "wrong-snapshot",
    /// A question is not answered.
    QueryFails = "query-fails",
    /// The connection breaks; what was missed can be had.
    Disconnect = "disconnect",
    /// The connection breaks; what was missed is lost for ever.
    LostGap = "lost-gap",
    /// A fill is annulled.
    Bust = "bust",
    /// A fill gets another price.
    Correction = "correction",
    /// Somebody else's order appears in the account.
    ForeignOrder = "foreign-order",
    /// Somebody trades in the account by hand.
    ManualTrade = "manual-trade",
    /// The venue restarts and forgets its open orders.
    VenueForgets = "venue-forgets",
    /// Our clock jumps.
    ClockJump = "clock-jump",
    /// A cancellation takes long to work.
    SlowCancel = "slow-cancel",
    /// The answer to a cancellation is lost.
    CancelLost = "cancel-lost",
    /// A sync of the disk fails.
    DiskFails = "disk-fails",
    /// The disk is full.
    DiskFull = "disk-full",
    /// The process dies.
    Crash = "crash",
    /// The venue's stream leaves an event out, without a word.
    EventDropped = "event-dropped",
}

impl std::str::FromStr for Fault {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.iter().copied().find(|fault| fault.name() == text).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|fault| fault.name()).collect();
            format!("there is no fault {text:?}; use one of {}", names.join(", "))
        })
    }
}

const COUNT: usize = Fault::ALL.len();

/// How often each fault happens, in a thousand chances, and how often it did.
#[derive(Debug, Clone)]
pub struct Faults {
    rates: [u32; COUNT],
    happened: [u32; COUNT],
    calm: bool,
    random: Random,
    /// For what came later than the seeds that are kept.
    drops: Random,
}

impl Faults {
    fn with(seed: u64, rates: [u32; COUNT]) -> Self {
        Self {
            rates,
            happened: [0; COUNT],
            calm: false,
            random: Random::new(seed, 2),
            drops: Random::new(seed, 12),
        }
    }

    /// Rates drawn for a seed: about a third of all faults, each with a rate of its own.
    #[must_use]
    pub fn mixed(seed: u64) -> Self {
        let mut draw = Random::new(seed, 1);
        let rates = std::array::from_fn(|place| {
            let (on, rate) = (draw.chance(350), draw.between(5, 120));
            let rate = u32::try_from(rate).unwrap_or(0);
            // A process that dies all the time, or a disk that always fails, shows nothing else.
            let rare = place >= Fault::DiskFails as usize;
            match (on, rare) {
                (false, _) => 0,
                (true, true) => rate.div_ceil(10),
                (true, false) => rate,
            }
        });
        Self::with(seed, rates)
    }

    /// A day at a venue whose stream cannot be relied upon: what is dropped, doubled and reordered has one rate, and what was
    /// missed is sometimes older than the venue's history.
    #[must_use]
    pub fn day(seed: u64) -> Self {
        let rate = u32::try_from(Random::new(seed, 1).between(10, 200)).unwrap_or(10);
        let mut faults = Self::none(seed);
        let much = [Fault::EventDropped, Fault::DuplicateFill, Fault::DuplicateReport, Fault::Reordered];
        let some = [Fault::Disconnect, Fault::LostGap];
        for (fault, rate) in much.map(|fault| (fault, rate)).into_iter().chain(some.map(|fault| (fault, 10)))
        {
            if let Some(known) = faults.rates.get_mut(fault as usize) {
                *known = rate;
            }
        }
        faults
    }

    /// This one alone, often.
    #[must_use]
    pub fn only(seed: u64, fault: Fault) -> Self {
        let rate = if matches!(fault, Fault::Crash | Fault::DiskFails | Fault::DiskFull) { 20 } else { 250 };
        let rates = std::array::from_fn(|place| if place == fault as usize { rate } else { 0 });
        Self::with(seed, rates)
    }

    /// None at all.
    #[must_use]
    pub fn none(seed: u64) -> Self {
        Self::with(seed, [0; COUNT])
    }

    /// Without this one.
    pub fn switch_off(&mut self, fault: Fault) {
        if let Some(rate) = self.rates.get_mut(fault as usize) {
            *rate = 0;
        }
    }

    /// From now on nothing goes wrong any more.
    pub fn calm_down(&mut self) {
        self.calm = true;
    }

    /// Whether it happens now. Draws once, whatever the rate.
    pub fn strikes(&mut self, fault: Fault) -> bool {
        let rate = self.rates.get(fault as usize).copied().unwrap_or(0);
        let random = if fault == Fault::EventDropped { &mut self.drops } else { &mut self.random };
        let strikes = random.chance(rate) && !self.calm;
        if strikes && let Some(count) = self.happened.get_mut(fault as usize) {
            *count = count.saturating_add(1);
        }
        strikes
    }

    /// How often it happened.
    #[must_use]
    pub fn happened(&self, fault: Fault) -> u32 {
        self.happened.get(fault as usize).copied().unwrap_or(0)
    }

    /// Those that can happen.
    pub fn on(&self) -> impl Iterator<Item = Fault> {
        Fault::ALL
            .iter()
            .copied()
            .filter(|fault| self.rates.get(*fault as usize).is_some_and(|rate| *rate > 0))
    }
}
