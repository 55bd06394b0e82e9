//! Canonical symbols taken apart (decision M4), and their translation to the names that venues use.
//!
//! [`Symbol::parts`](crate::Symbol::parts) reads a canonical text as [`SymbolParts`]; each part validates what it is
//! built from and prints the canonical text. A [`VenueSymbology`] is the table of one venue's spellings;
//! [`to_native`](VenueSymbology::to_native) and [`from_native`](VenueSymbology::from_native) work from it.
//!
//! A [`Symbol`](crate::Symbol) that is in no canonical form stays usable as the id of an instrument: what it is comes
//! from the instrument table (decision M5). Only what needs the parts refuses it.

mod currencies;
mod equity;
mod error;
mod event;
mod form;
mod future;
mod markets;
mod option;
mod pair;
mod parts;
mod read;
mod venue;
mod words;
mod write;

pub use currencies::is_currency;
pub use equity::Equity;
pub use error::{SymbolError, SymbolFault, SymbologyError, Untraded};
pub use event::EventId;
pub use form::{Case, EquityForm, EventForm, Form, FutureForm, OptionForm, PairForm, YearDigits};
pub use future::DatedFuture;
pub use markets::Market;
pub use option::{OptionContract, OptionRight};
pub use pair::{Pair, Perpetual};
pub use parts::{SymbolKind, SymbolParts};
pub use venue::{Alias, VenueSymbology};
