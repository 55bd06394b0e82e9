//! What goes around a client or a connector, one concern each. Every layer implements the trait of what it wraps.

mod http_date;
mod jitter;
mod keep_alive;
mod limit;
mod observe;
mod reconnect;
mod retry;
mod skew;

pub use jitter::Jitter;
pub use keep_alive::{KeepAlive, KeepAliveOptions};
pub use limit::{Budget, Limit};
pub use observe::{Observe, RequestId};
pub use reconnect::{Reconnect, ReconnectOptions, Reconnects};
pub use retry::{Attempts, Retry, RetryOptions};
pub use skew::{ClockSkew, Skew};

/// The host of an address, as budgets, pauses and clocks are kept by.
fn host(address: &http::Uri) -> &str {
    address.host().unwrap_or("no host")
}
