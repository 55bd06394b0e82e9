//! The suite for brokers: an adapter against the double of its venue.
//!
//! Whoever writes an adapter gives its venue a double ([`VenueDouble`]), says how both are made, and runs the suite as a
//! test without the ordinary harness (`harness = false`):
//!
//! ```no_run
//! # use mts_conformance::broker::{BoxError, Setup, Subject, Suite};
//! # use mts_foundation::double::VenueDouble;
//! # async fn acme_broker(_: std::collections::BTreeMap<smol_str::SmolStr, String>, _: Setup) -> Result<std::sync::Arc<dyn Subject>, BoxError> { Err("none".into()) }
//! # fn main_of_test<AcmeDouble: VenueDouble + 'static>(acme_double: fn() -> Result<AcmeDouble, BoxError>) -> std::process::ExitCode {
//! Suite::new("acme", acme_double, |double: &AcmeDouble, setup| {
//!     let made = acme_broker(double.endpoints(), setup.clone());
//!     Box::pin(made)
//! })
//! .main()
//! # }
//! ```
//!
//! Each case gets a double and a broker of its own, on a thread with a runtime of its own (tokio, one thread), and a
//! limit of time: an adapter that hangs fails its case, whether it waits or spins. Panics fail the case that met them. The
//! cases are in [`CASES`]; `docs/conformance.md` lists them.
//!
//! A case that cannot be tried is skipped, and the report says why: the capability that is not claimed, what the double
//! cannot do ([`NotPossible`](mts_foundation::double::NotPossible)), or the reason of [`Suite::allow_skip`].
//!
//! # What it does not see
//!
//! - Whether the double is like its venue. That takes the venue's own or its most used client, and recordings.
//! - Which of our ids a fill bears after a restart, where the venue carries a hash of the key alone.
//! - What a subject traces on threads of its own, and what it prints itself: secrets are looked for in what its calls give
//!   and in what is traced on the thread of the case.
//! - Load and speed.

mod ambiguity;
mod canary;
mod cancel;
mod cases;
mod command;
mod configuration;
mod events;
mod follower;
mod hygiene;
mod idempotence;
mod limits;
mod numbers;
mod probe;
mod queries;
mod reconnect;
mod runner;
mod stage;
mod stop;
mod submit;
mod table;

pub use cases::{CASES, GROUPS, Group};
pub use command::{Request, USAGE};
pub use table::cases_table;

use crate::Report;
use mts_foundation::DynBroker;
use mts_foundation::broker::BoxFuture;
use mts_foundation::double::VenueDouble;
use secrecy::SecretString;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// An error of the author's own code.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A broker that can be tried: its `Debug` is looked at as well, for secrets.
pub trait Subject: DynBroker + std::fmt::Debug {}

impl<B: DynBroker + std::fmt::Debug> Subject for B {}

/// How the broker of a case is to be made.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The deadline of each request: short, so that silence is soon a timeout.
    pub call_deadline: Duration,
    /// After how much silence a stream of events counts as lost.
    pub staleness: Duration,
    /// A folder for what the adapter keeps. A broker that is made anew within a case finds what the one before it left.
    pub state: PathBuf,
    /// The secrets to use, by the names of the adapter's settings: those of the double, or wrong ones.
    pub secrets: BTreeMap<SmolStr, SecretString>,
}

type MadeBroker = BoxFuture<'static, Result<Arc<dyn Subject>, BoxError>>;
type MakeBroker = Box<dyn Fn(&Setup) -> MadeBroker + Send + Sync>;
type Start = dyn Fn() -> Result<(Arc<dyn VenueDouble>, MakeBroker), BoxError> + Send + Sync;

/// Why the suite cannot run, or a case of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SuiteError {
    /// The double does not start.
    #[error("{case}: the double cannot be started: {error}")]
    Double {
        /// Which case wanted it.
        case: &'static str,
        /// What the author's code said.
        error: BoxError,
    },
    /// The folder for state cannot be made.
    #[error("the folder {} cannot be made: {error}; point TMPDIR at one that can be written to", path.display())]
    State {
        /// Where.
        path: PathBuf,
        /// What the system said.
        error: String,
    },
    /// A case that does not exist.
    #[error("there is no case {id:?}; --list shows them")]
    NoSuchCase {
        /// What was named.
        id: String,
    },
}

/// The suite with what the author says of the broker.
pub struct Suite {
    name: String,
    start: Arc<Start>,
    skips: BTreeMap<String, String>,
    call_deadline: Duration,
    staleness: Duration,
    case_limit: Duration,
    jobs: usize,
}

impl Suite {
    /// The suite for the broker of this registry name. `double` starts a venue's double, always the same; `broker` makes a
    /// broker that is not connected yet, of the double's endpoints and the setup. Both are called within a tokio runtime.
    #[must_use]
    pub fn new<D, E>(
        name: impl Into<String>,
        double: impl Fn() -> Result<D, E> + Send + Sync + 'static,
        broker: impl Fn(&D, &Setup) -> MadeBroker + Send + Sync + 'static,
    ) -> Self
    where
        D: VenueDouble + 'static,
        E: Into<BoxError>,
    {
        let broker = Arc::new(broker);
        let start = move || -> Result<(Arc<dyn VenueDouble>, MakeBroker), BoxError> {
            let double = Arc::new(double().map_err(Into::into)?);
            let (broker, venue) = (Arc::clone(&broker), Arc::clone(&double));
            Ok((double, Box::new(move |setup: &Setup| broker(&venue, setup))))
        };
        Self {
            name: name.into(),
            start: Arc::new(start),
            skips: BTreeMap::new(),
            call_deadline: Duration::from_millis(400),
            staleness: Duration::from_millis(800),
            case_limit: Duration::from_secs(60),
            jobs: 4,
        }
    }

    /// Leaves a case out; the report shows the reason.
    #[must_use]
    pub fn allow_skip(mut self, case: impl Into<String>, reason: impl Into<String>) -> Self {
        self.skips.insert(case.into(), reason.into());
        self
    }

    /// The deadline of requests that brokers are made with; 400 ms unless said otherwise.
    #[must_use]
    pub fn call_deadline(mut self, deadline: Duration) -> Self {
        self.call_deadline = deadline;
        self
    }

    /// The silence after which a stream counts as lost that brokers are made with; 800 ms unless said otherwise.
    #[must_use]
    pub fn staleness(mut self, silence: Duration) -> Self {
        self.staleness = silence;
        self
    }

    /// The longest that a case may take; a minute unless said otherwise.
    #[must_use]
    pub fn case_limit(mut self, limit: Duration) -> Self {
        self.case_limit = limit;
        self
    }

    /// How many cases run at once; 4 unless said otherwise.
    #[must_use]
    pub fn jobs(mut self, jobs: usize) -> Self {
        self.jobs = jobs.max(1);
        self
    }

    /// Runs all cases.
    ///
    /// # Errors
    /// [`SuiteError::NoSuchCase`] for a skip of a case that does not exist.
    pub fn run(&self) -> Result<Report, SuiteError> {
        self.run_some(|_| true)
    }

    /// Runs the cases that are wanted, by their ids.
    ///
    /// # Errors
    /// As [`Suite::run`].
    pub fn run_some(&self, wanted: impl Fn(&str) -> bool) -> Result<Report, SuiteError> {
        self.run_with(None, &wanted)
    }

    fn run_with(&self, jobs: Option<usize>, wanted: &dyn Fn(&str) -> bool) -> Result<Report, SuiteError> {
        runner::run(self, jobs.unwrap_or(self.jobs).max(1), wanted)
    }

    /// Runs the cases that the command line asks for and prints the report: the `main` of a test without harness. See
    /// [`USAGE`]. The exit code is 0 if no case failed, 1 if one did, 2 for a command line that is not understood.
    #[must_use]
    pub fn main(&self) -> std::process::ExitCode {
        command::main(self)
    }
}
