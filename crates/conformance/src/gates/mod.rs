//! The suite for gates of one's own: [`RiskGate`], and [`AsyncRiskGate`] as far as it applies.
//!
//! Give [`check`] a way to make the gate, say what the gate needs, and assert:
//!
//! ```
//! # use mts_foundation::risk::{Gate, RejectCode, Rejection, RiskContext};
//! # use mts_foundation::{Order, RiskEnvelope, RiskGate, Side};
//! # struct LongOnly;
//! # impl RiskGate for LongOnly {
//! #     fn name(&self) -> &str { "long_only" }
//! #     fn check(&self, order: &Order, _: Option<&RiskEnvelope>, _: &RiskContext<'_>) -> Result<(), Box<Rejection>> {
//! #         if order.side != Side::Short { return Ok(()); }
//! #         let message = "this house sells nothing short".to_owned();
//! #         Err(Box::new(Rejection { gate: Gate::ShortSide, code: RejectCode::ShortingDisabled, limit: None, observed: None, message }))
//! #     }
//! # }
//! mts_conformance::gates::check(|| LongOnly).assert();
//! ```
//!
//! The suite asks every instance that it makes some seven hundred questions: each [`Question`] is an order with the world
//! it is asked in. What it then asks for is in [`CASES`].
//!
//! # What it does not see
//!
//! - Orders of `close_position` and orders that reduce a position: the pipeline never asks a gate of one's own about them
//!   (decision R4), because getting out must always be possible. `closing` is `false` in every question; a position is
//!   held in some, so that a gate which judges reducing orders as well is asked about them.
//! - A gate that depends on variables of the environment or on files and gets the same from them each time.
//! - A gate that never answers: the test hangs. Use a test runner with a limit of its own.
//! - Time per answer is measured and told in [`crate::Report::figures`], not judged: machines differ.
//! - A gate that passes all questions is not asked about refusals: GATE-07 to GATE-09 are skipped then. Add a question
//!   that it refuses with [`Suite::asking`].
//!
//! Panics are caught and become answers, so a test profile with `panic = "abort"` cannot run it.

mod answer;
mod cases;
mod cost;
mod purity;
mod question;
mod refusals;
mod sets;

pub use answer::{GateResult, wait};
pub use cases::CASES;
pub use question::{Need, Question};

use crate::Report;
use answer::{Asking, Pure, Subject};
use mts_foundation::broker::BoxFuture;
use mts_foundation::fill::InvalidFill;
use mts_foundation::ids::InvalidId;
use mts_foundation::instrument::InstrumentError;
use mts_foundation::ledger::LedgerError;
use mts_foundation::order_builder::OrderFaults;
use mts_foundation::{AsyncRiskGate, Order, RiskGate};
use sets::Own;

/// Why the suite cannot ask.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SuiteError {
    /// A question of one's own has no valid order.
    #[error(transparent)]
    Order(#[from] OrderFaults),
    /// It has no valid books.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// It has no valid instrument.
    #[error(transparent)]
    Instrument(#[from] InstrumentError),
    /// It has no valid name.
    #[error(transparent)]
    Id(#[from] InvalidId),
    /// It has no valid fill.
    #[error(transparent)]
    Fill(#[from] InvalidFill),
}

/// Whether a gate judges an order.
type Concerns<'a> = dyn Fn(&Order) -> bool + 'a;

/// The suite with what the author says of the gate.
pub struct Suite<'a> {
    make: Box<dyn Fn() -> Box<dyn Subject + 'a> + 'a>,
    /// Whether the gate asks somebody.
    asks: bool,
    needs: Vec<Need>,
    concerns: Box<Concerns<'a>>,
    beside: Vec<String>,
    knows_dates: bool,
    own: Vec<Box<Own<'a>>>,
}

/// Tries a gate; `make` makes a new one each time, always the same. Several threads ask one at once.
#[must_use]
pub fn check<'a, G: RiskGate + 'a>(make: impl Fn() -> G + 'a) -> Suite<'a> {
    Suite::new(false, move || Box::new(Pure(make())))
}

/// Tries a gate that asks somebody; `run` drives its futures: [`wait`] where they need no runtime, else
/// `|future| runtime.block_on(future)`. Let it ask a double that knows an answer to every order. The cases about always
/// the same answer and about cost are skipped.
///
/// ```
/// # use mts_foundation::{AsyncRiskGate, Order, RiskEnvelope};
/// # use mts_conformance::gates::{GateResult, check_async, wait};
/// # struct Desk;
/// # impl AsyncRiskGate for Desk {
/// #     fn name(&self) -> &str { "desk" }
/// #     async fn check(&self, _: &Order, _: Option<&RiskEnvelope>) -> GateResult { Ok(()) }
/// # }
/// check_async(|| Desk, &|future| wait(future)).assert();
/// ```
#[must_use]
pub fn check_async<'a, G, R>(make: impl Fn() -> G + 'a, run: &'a R) -> Suite<'a>
where
    G: AsyncRiskGate + 'a,
    R: for<'f> Fn(BoxFuture<'f, GateResult>) -> GateResult + Sync,
{
    Suite::new(true, move || Box::new(Asking { gate: make(), run }))
}

impl<'a> Suite<'a> {
    fn new(asks: bool, make: impl Fn() -> Box<dyn Subject + 'a> + 'a) -> Self {
        Self {
            make: Box::new(make),
            asks,
            needs: Vec::new(),
            concerns: Box::new(|_| true),
            beside: Vec::new(),
            knows_dates: false,
            own: Vec::new(),
        }
    }

    /// What the gate cannot judge without: it must refuse where one of these is missing (GATE-11). An asynchronous gate
    /// sees order and envelope alone, so [`Need::Envelope`] is all it can need.
    #[must_use]
    pub fn needs(mut self, needs: impl IntoIterator<Item = Need>) -> Self {
        self.needs.extend(needs);
        self
    }

    /// Which orders the gate judges at all; it needs its data for these alone. All, unless said otherwise.
    #[must_use]
    pub fn concerns(mut self, concerns: impl Fn(&Order) -> bool + 'a) -> Self {
        self.concerns = Box::new(concerns);
        self
    }

    /// The names of other gates of the same program: this one's must differ (GATE-01).
    #[must_use]
    pub fn beside(mut self, names: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.beside.extend(names.into_iter().map(Into::into));
        self
    }

    /// The gate holds a table of dates, such as of announcements, and may answer otherwise in another year: GATE-05 is
    /// skipped.
    #[must_use]
    pub fn knows_dates(mut self) -> Self {
        self.knows_dates = true;
        self
    }

    /// Questions of one's own, made from the ordinary one: all cases ask them too. Called several times, on days years
    /// apart.
    #[must_use]
    pub fn asking(mut self, questions: impl Fn(&Question) -> Result<Vec<Question>, SuiteError> + 'a) -> Self {
        self.own.push(Box::new(questions));
        self
    }

    /// Runs all cases.
    ///
    /// # Errors
    /// [`SuiteError`], if a question of [`Suite::asking`] cannot be made.
    pub fn run(&self) -> Result<Report, SuiteError> {
        cases::run(self)
    }

    /// Runs all cases and ends the test if one failed.
    ///
    /// # Panics
    /// With the table of the report, if a case failed, and with the fault of a question that cannot be made.
    #[track_caller]
    #[expect(clippy::panic, reason = "it ends a test, as assert! does")]
    pub fn assert(&self) {
        match self.run() {
            Ok(report) => report.assert(),
            Err(error) => panic!("a question of one's own cannot be made: {error}"),
        }
    }
}
