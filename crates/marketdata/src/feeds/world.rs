//! What feeds of venues need of the world.

use mts_foundation::Clock;
use mts_foundation::io::{DynHttpClient, DynSocketConnector, Sleep};
use std::sync::Arc;

/// What a feed needs of the world.
#[derive(Clone)]
pub struct FeedWorld {
    /// Asks. It should keep the exchange's pace.
    pub http: Arc<dyn DynHttpClient>,
    /// Opens sockets.
    pub sockets: Arc<dyn DynSocketConnector>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Waits.
    pub sleep: Arc<dyn Sleep>,
    /// A random number, for the pauses between attempts to connect.
    pub random: u64,
}

impl std::fmt::Debug for FeedWorld {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("FeedWorld").finish_non_exhaustive()
    }
}
