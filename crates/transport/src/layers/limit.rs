//! Keeps to a venue's rate budgets.

use super::host;
use super::http_date::retry_after;
use crate::faults::KeptBack;
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use mts_foundation::Clock;
use mts_foundation::io::{Departure, HttpClient, RequestOptions, TransportError};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

const MINUTE: Duration = Duration::from_secs(60);

/// Longest pause that a server can impose: what asks for more is a mistake of its clock.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// What a venue allows, per host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// The name that requests call it by ([`RequestOptions::budget`]); empty for the host's.
    pub name: &'static str,
    /// Weight that may be used in any 60 s, or that a bucket with a size of its own is filled with in 60 s; at least one.
    pub per_minute: u32,
    /// Weight that the venue's bucket holds, where it counts so.
    pub holds: Option<u32>,
}

impl Budget {
    /// Of a venue that counts what is used in a minute.
    #[must_use]
    pub const fn per_minute(name: &'static str, per_minute: u32) -> Self {
        Self { name, per_minute, holds: None }
    }

    /// Of a venue that counts as a bucket does: so much at once, and then as much as it is filled with in a minute.
    #[must_use]
    pub const fn bucket(name: &'static str, holds: u32, per_minute: u32) -> Self {
        Self { name, per_minute, holds: Some(holds) }
    }
}

/// Lets requests wait for their budget, in the order in which they came, at most as long as their deadline: what cannot leave by
/// then fails at once as not sent. A 429 with `Retry-After` pauses its budget for everybody.
///
/// A budget is a token bucket that holds a quarter of it and is filled with the rest over a minute, so that no 60 s use more; or the
/// venue's own bucket, if that is how it counts. A request that weighs more than the bucket holds waits for a full one. The host's budget is unlimited unless one with an empty
/// name is given; where there are budgets, a name that was not given is refused. Must be used inside a tokio runtime with time.
pub struct Limit<C> {
    inner: C,
    budgets: Vec<Budget>,
    buckets: Mutex<BTreeMap<(String, &'static str), Bucket>>,
    clock: Arc<dyn Clock>,
}

/// A bucket, told by the moment at which it is full again: one number instead of a level and when that was.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    full_at: Instant,
    closed_until: Instant,
}

/// Bucket and filling of a budget.
#[derive(Debug, Clone, Copy)]
struct Rate {
    holds: u32,
    /// Time until one more is there.
    each: Duration,
}

impl Rate {
    fn of(budget: Budget) -> Self {
        let per_minute = budget.per_minute.max(1);
        let quarter = (per_minute / 4).max(1);
        let (holds, filled) = match budget.holds {
            Some(holds) => (holds.max(1), per_minute),
            None => (quarter, per_minute.saturating_sub(quarter).max(1)),
        };
        Self { holds, each: MINUTE / filled }
    }

    fn cost(self, weight: u32) -> Duration {
        self.each.saturating_mul(weight)
    }
}

/// Room in a bucket that is taken; given back when the request is dropped before it leaves.
struct Reservation<'a, C> {
    limit: &'a Limit<C>,
    key: (String, &'static str),
    cost: Duration,
    is_used: bool,
}

impl<C> Drop for Reservation<'_, C> {
    fn drop(&mut self) {
        if self.is_used {
            return;
        }
        let mut buckets = self.limit.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bucket) = buckets.get_mut(&self.key)
            && let Some(earlier) = bucket.full_at.checked_sub(self.cost)
        {
            bucket.full_at = earlier;
        }
    }
}

impl<C> Limit<C> {
    /// Around a client. The clock is for servers that say until when, and not what time they have.
    pub fn new(inner: C, budgets: Vec<Budget>, clock: Arc<dyn Clock>) -> Self {
        Self { inner, budgets, buckets: Mutex::default(), clock }
    }

    /// Waits for a request's turn.
    async fn turn(&self, host: &str, options: &RequestOptions) -> Result<(), TransportError> {
        let rate = match self.budgets.iter().find(|budget| budget.name == options.budget) {
            Some(budget) => Some(Rate::of(*budget)),
            None if options.budget.is_empty() || self.budgets.is_empty() => None,
            None => {
                return Err(kept_back(
                    false,
                    format!(
                        "the budget {:?} of {host} is not configured; add it to the limits",
                        options.budget
                    ),
                ));
            }
        };
        let began = Instant::now();
        let key = (host.to_owned(), options.budget);
        let cost = rate.map_or(Duration::ZERO, |rate| rate.cost(options.weight));
        let late = |wait: Duration| {
            let name = if options.budget.is_empty() { "requests" } else { options.budget };
            let message = format!(
                "the rate budget {name} of {host} has room in {} ms, the deadline is {} ms; send less often, or raise the \
                 budget if the venue allows it",
                wait.as_millis(),
                options.deadline.as_millis()
            );
            kept_back(true, message)
        };
        let (mut ready, mut reservation) = {
            let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
            let bucket = buckets.entry(key.clone()).or_insert(Bucket { full_at: began, closed_until: began });
            let (mut ready, mut charged) = (bucket.closed_until, bucket.full_at);
            if let Some(rate) = rate {
                let full_at = bucket.full_at.max(began);
                let holds = rate.cost(rate.holds);
                let needed = rate.cost(options.weight.min(rate.holds));
                let since_empty = full_at.checked_sub(holds.saturating_sub(needed)).unwrap_or(began);
                ready = ready.max(since_empty);
                charged = full_at.checked_add(cost).unwrap_or(full_at);
            }
            let wait = ready.saturating_duration_since(began);
            if !wait.is_zero() && wait >= options.deadline {
                return Err(late(wait));
            }
            bucket.full_at = charged;
            (ready, Reservation { limit: self, key, cost, is_used: false })
        };
        // Somebody else may be told to wait while this one waits.
        while ready > Instant::now() {
            if ready.saturating_duration_since(began) >= options.deadline {
                return Err(late(ready.saturating_duration_since(began)));
            }
            tokio::time::sleep_until(ready).await;
            let buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
            ready = buckets.get(&reservation.key).map_or(ready, |bucket| bucket.closed_until);
        }
        reservation.is_used = true;
        Ok(())
    }

    fn pause(&self, host: &str, budget: &'static str, pause: Duration) {
        let now = Instant::now();
        let Some(until) = now.checked_add(pause.min(LONGEST_PAUSE)) else { return };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = Bucket { full_at: now, closed_until: now };
        let bucket = buckets.entry((host.to_owned(), budget)).or_insert(fresh);
        bucket.closed_until = bucket.closed_until.max(until);
    }
}

/// Nothing left. One that had no time for its turn is as late as one without an answer.
fn kept_back(timed_out: bool, message: String) -> TransportError {
    TransportError { departure: Departure::NotSent, timed_out, message, source: Some(Box::new(KeptBack)) }
}

impl<C: HttpClient> HttpClient for Limit<C> {
    async fn send(
        &self,
        request: Request<Bytes>,
        options: &RequestOptions,
    ) -> Result<Response<Bytes>, TransportError> {
        let host = host(request.uri()).to_owned();
        let began = Instant::now();
        self.turn(&host, options).await?;
        let waited = began.elapsed();
        let answer = if waited.is_zero() {
            self.inner.send(request, options).await?
        } else {
            let deadline = options.deadline.saturating_sub(waited);
            self.inner.send(request, &RequestOptions { deadline, ..options.clone() }).await?
        };
        if answer.status() == StatusCode::TOO_MANY_REQUESTS
            && let Some(pause) = retry_after(answer.headers(), self.clock.now())
        {
            self.pause(&host, options.budget, pause);
        }
        Ok(answer)
    }
}
