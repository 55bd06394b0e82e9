//! How far the clocks of servers are from ours, from the dates of their answers.

use super::host;
use super::http_date::time;
use bytes::Bytes;
use http::header::{AGE, DATE};
use http::{Request, Response};
use mts_foundation::Clock;
use mts_foundation::io::{HttpClient, RequestOptions, TransportError};
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Answers that are remembered per host, and hosts.
const SAMPLES: usize = 9;
const HOSTS: usize = 64;

/// An answer that was longer on its way says too little about the time.
const LONGEST_TRIP: Duration = Duration::from_secs(5);

/// A `Date` has whole seconds, cut off: in the mean it is half of one old.
const HALF_A_SECOND: i64 = 500;

/// Reads what the dates of answers say about the clocks of their servers. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct ClockSkew {
    hosts: Arc<Mutex<BTreeMap<String, VecDeque<i64>>>>,
}

impl ClockSkew {
    /// A host's clock minus ours in milliseconds: the median of the last nine answers. A `Date` has whole seconds, so it is right
    /// to half a second and half a round trip, no better. `None` before the first answer with a date.
    #[must_use]
    pub fn milliseconds(&self, host: &str) -> Option<i64> {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let mut samples: Vec<i64> = hosts.get(host)?.iter().copied().collect();
        samples.sort_unstable();
        samples.get(samples.len() / 2).copied()
    }

    fn add(&self, host: &str, skew: i64) {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        if hosts.len() >= HOSTS && !hosts.contains_key(host) {
            return;
        }
        let samples = hosts.entry(host.to_owned()).or_default();
        if samples.len() >= SAMPLES {
            samples.pop_front();
        }
        samples.push_back(skew);
    }
}

/// Notes the dates of answers.
pub struct Skew<C> {
    inner: C,
    skew: ClockSkew,
    clock: Arc<dyn Clock>,
}

impl<C> Skew<C> {
    /// Around a client.
    pub fn new(inner: C, skew: ClockSkew, clock: Arc<dyn Clock>) -> Self {
        Self { inner, skew, clock }
    }
}

impl<C: HttpClient> HttpClient for Skew<C> {
    async fn send(
        &self,
        request: Request<Bytes>,
        options: &RequestOptions,
    ) -> Result<Response<Bytes>, TransportError> {
        let address = request.uri().clone();
        let (wall, began) = (self.clock.now(), self.clock.monotonic());
        let answer = self.inner.send(request, options).await?;
        let trip = self.clock.monotonic().saturating_sub(began);
        // What a cache answers is as old as the cache says, and its date is another's.
        if trip <= LONGEST_TRIP
            && !answer.headers().contains_key(AGE)
            && let Some(theirs) = time(answer.headers(), &DATE)
        {
            let ours = wall.plus(trip / 2);
            let skew = theirs.nanos().saturating_sub(ours.nanos()) / 1_000_000;
            self.skew.add(host(&address), skew.saturating_add(HALF_A_SECOND));
        }
        Ok(answer)
    }
}
