//! Calling asynchronous parts that answer at once, without a runtime.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

/// A part that was to answer at once did not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a simulated part did not answer at once; only parts that do no I/O can be called without a runtime")]
pub struct NotReady;

/// The value of a future that is ready at the first poll.
///
/// # Errors
/// [`NotReady`] otherwise; the future is dropped then.
pub fn ready<T>(future: impl Future<Output = T>) -> Result<T, NotReady> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Ok(value),
        Poll::Pending => Err(NotReady),
    }
}
