//! The core's state as bytes, and back: so that a start need not replay everything.
//!
//! ```text
//! snapshot = version u8   configuration 32 bytes   state hash 32 bytes   length of the state u64 LE   state   risk state
//! ```
//!
//! The configuration is the SHA-256 of what the core is made of, the state hash that of [`Core::state_hash`]. A snapshot is a
//! cache (decision H6): whoever cannot use one replays the journal, which gives the same.

use super::{Core, CoreConfig, State};
use sha2::{Digest, Sha256};

/// Layout of what is written. It changes whenever the layout of [`State`] does; `tests/snapshot.rs` keeps an old one and
/// says so.
const VERSION: u8 = 10;
/// Bytes of a SHA-256.
const HASH: usize = 32;

/// Why a snapshot is of no use to this core. The journal says the same without it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// Another version of this program wrote it.
    #[error("it has layout version {found}, this program knows {VERSION}")]
    Version {
        /// Its version.
        found: u8,
    },
    /// It is of a core with other funds, instruments, windows or venues.
    #[error("it belongs to another configuration")]
    OtherConfiguration,
    /// It stands for another place in the journal.
    #[error("it stands for {found} inputs, where {wanted} are wanted")]
    OtherPlace {
        /// Inputs that it stands for.
        found: u64,
        /// Inputs that it should stand for.
        wanted: u64,
    },
    /// The bytes are not those that were written.
    #[error("it is damaged: {0}")]
    Damaged(String),
    /// The risk machine does not take its part of it.
    #[error("the risk machine refuses it: {0}")]
    Risk(String),
}

impl Core {
    /// The whole state as bytes, for [`Core::restore`].
    #[must_use]
    pub fn snapshot(&self) -> Vec<u8> {
        let (state, risk) = (self.state.bytes(), self.risk.snapshot());
        let mut bytes = Vec::with_capacity(1 + 2 * HASH + 8 + state.len() + risk.len());
        bytes.push(VERSION);
        bytes.extend_from_slice(&configuration(&self.config));
        bytes.extend_from_slice(&Sha256::new().chain_update(&state).chain_update(&risk).finalize());
        bytes.extend_from_slice(&(state.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&state);
        bytes.extend_from_slice(&risk);
        bytes
    }

    /// Takes the place of a core that took `inputs` inputs; this one goes on exactly as that one would have.
    ///
    /// # Errors
    /// [`RestoreError`]; nothing has changed then.
    pub fn restore(&mut self, snapshot: &[u8], inputs: u64) -> Result<(), RestoreError> {
        let damaged = |what: &str| RestoreError::Damaged(what.to_owned());
        let (version, rest) = snapshot.split_first().ok_or_else(|| damaged("it is empty"))?;
        if *version != VERSION {
            return Err(RestoreError::Version { found: *version });
        }
        let (of, hash, length, body) = (|| {
            let (of, rest) = rest.split_first_chunk::<HASH>()?;
            let (hash, rest) = rest.split_first_chunk::<HASH>()?;
            let (length, rest) = rest.split_first_chunk()?;
            Some((of, hash, u64::from_le_bytes(*length), rest))
        })()
        .ok_or_else(|| damaged("it is cut off"))?;
        if *of != configuration(&self.config) {
            return Err(RestoreError::OtherConfiguration);
        }
        if *hash != *Sha256::digest(body) {
            return Err(damaged("its checksum is wrong"));
        }
        let (state, risk) = usize::try_from(length)
            .ok()
            .and_then(|length| body.split_at_checked(length))
            .ok_or_else(|| damaged("its parts do not fit its length"))?;
        let (state, rest) = postcard::take_from_bytes::<State>(state)
            .map_err(|error| RestoreError::Damaged(error.to_string()))?;
        if !rest.is_empty() {
            return Err(damaged("something stands behind the state"));
        }
        if state.inputs != inputs {
            return Err(RestoreError::OtherPlace { found: state.inputs, wanted: inputs });
        }
        self.risk.restore(risk).map_err(|refusal| RestoreError::Risk(refusal.message))?;
        self.state = state.restored();
        Ok(())
    }
}

/// What tells cores apart that would do different things with the same inputs.
fn configuration(config: &CoreConfig) -> [u8; HASH] {
    let CoreConfig { funds, instruments, sessions, idempotency_window, key_memory, venues, async_gates } =
        config;
    let funds: Vec<_> = funds
        .iter()
        .map(|fund| (&fund.config, rust_decimal::Decimal::serialize(&fund.initial_cash)))
        .collect();
    let instruments: Vec<_> = instruments.iter().collect();
    let all = (funds, instruments, sessions, idempotency_window, key_memory, venues);
    // Encoding plain data into memory has no way to fail.
    let mut bytes = postcard::to_stdvec(&all).unwrap_or_default();
    if *async_gates {
        // Only where it is on: snapshots from before there was such a thing are of cores without it.
        bytes.push(1);
    }
    Sha256::digest(bytes).into()
}
