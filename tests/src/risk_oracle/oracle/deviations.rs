//! Where the machine is known to answer otherwise than its documentation says.

/// A reading of the documentation that the machine does not share. While one is in [`KNOWN`] the oracle answers as the
/// machine does, so that the rest can be compared; `mts-risk-oracle --without NAME` shows the difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deviation {
    /// An unknown fund or instrument is refused before the kill switch and halts are asked (R3: first failure wins).
    UnknownComesFirst,
    /// A working stop order is compared by its price, as if it could not become a market order (gate 17).
    StopsAreQuoted,
    /// Gates 19 and 20 add what was reserved as money of the moment of reserving, instead of counting its units with the
    /// working ones of its instrument (R5).
    ReservedIsFrozen,
    /// Gate 18 and net exposure look at the worst case in the direction of the order only (R5).
    OwnDirectionOnly,
    /// A short sale of an instrument without terms of borrowing passes a limit on their cost (R10).
    NoTermsPass,
    /// Resuming from the kill switch re-bases funds whose limits had not tripped (R9).
    EveryFundIsRebased,
    /// A full halt that replaces a reduce-only one forgets which limits had tripped (R9).
    FullHaltForgets,
    /// A trading day that is not later than the present one changes it, and arms stops again (R8).
    DaysGoBack,
}

impl Deviation {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::UnknownComesFirst,
        Self::StopsAreQuoted,
        Self::ReservedIsFrozen,
        Self::OwnDirectionOnly,
        Self::NoTermsPass,
        Self::EveryFundIsRebased,
        Self::FullHaltForgets,
        Self::DaysGoBack,
    ];

    /// The name for the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UnknownComesFirst => "unknown_comes_first",
            Self::StopsAreQuoted => "stops_are_quoted",
            Self::ReservedIsFrozen => "reserved_is_frozen",
            Self::OwnDirectionOnly => "own_direction_only",
            Self::NoTermsPass => "no_terms_pass",
            Self::EveryFundIsRebased => "every_fund_is_rebased",
            Self::FullHaltForgets => "full_halt_forgets",
            Self::DaysGoBack => "days_go_back",
        }
    }
}

/// What the machine does today. Whoever mends one takes it out of here.
pub const KNOWN: &[Deviation] = &[Deviation::OwnDirectionOnly];
