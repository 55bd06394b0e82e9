//! Contracts on events: what follows `PM:` and `SP:`.

use super::error::{SymbolError, SymbolFault};
use crate::ids::MAX_ID_BYTES;
use std::fmt;

/// Bytes of `PM:` and `SP:`.
const PREFIX: usize = 3;

/// The id of a prediction or sports contract, in the words of the house that lists it.
///
/// It is any printable ASCII text without spaces and without lower-case letters. Symbols are compared in upper case:
/// a house whose ids differ in case alone cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventId<'a>(&'a str);

impl<'a> EventId<'a> {
    /// An id.
    ///
    /// # Errors
    /// [`SymbolError`] when it is empty, longer than 253 bytes or holds something that is not printable ASCII in
    /// upper case.
    pub fn new(id: &'a str) -> Result<Self, SymbolError> {
        Self::read(id).map_err(|fault| fault.of(id))
    }

    pub(super) fn read(id: &'a str) -> Result<Self, SymbolFault> {
        let fits = (1..=MAX_ID_BYTES - PREFIX).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_lowercase());
        if fits { Ok(Self(id)) } else { Err(SymbolFault::EventId) }
    }

    /// The id without its prefix.
    #[must_use]
    pub fn as_str(&self) -> &'a str {
        self.0
    }
}

impl fmt::Display for EventId<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.0)
    }
}
