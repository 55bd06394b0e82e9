//! Waiting by tokio.

use mts_foundation::broker::BoxFuture;
use mts_foundation::io::Sleep;
use std::time::Duration;

/// Waits as tokio does; in a test whose time is stopped it takes none. Must be used inside a tokio runtime with time.
#[derive(Debug, Clone, Copy, Default)]
pub struct TokioSleep;

impl Sleep for TokioSleep {
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(time))
    }
}
