//! Asks again, for reads only.

use super::http_date::retry_after;
use super::jitter::{Jitter, longer};
use crate::faults::{KeptBack, TooLong};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use mts_foundation::Clock;
use mts_foundation::io::{Departure, HttpClient, RequestOptions, TransportError};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// When to ask again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetryOptions {
    /// Attempts after the first; zero for none.
    pub retries: u32,
    /// Pause before the second attempt; each later one is 1.5 times the one before, and all vary by a quarter.
    pub first_pause: Duration,
    /// Longest pause that is not the server's wish.
    pub longest_pause: Duration,
}

impl Default for RetryOptions {
    /// Three, after 0.5 s, 0.75 s and 1.125 s.
    fn default() -> Self {
        Self { retries: 3, first_pause: Duration::from_millis(500), longest_pause: Duration::from_secs(10) }
    }
}

/// How often was asked before this answer came: in an answer's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempts(pub u32);

/// Repeats a request whose options call it idempotent, when the connection was lost or the answer was 429, 502, 503 or 504;
/// `Retry-After` is honoured. All attempts and pauses together keep to the request's deadline: what does not fit is not waited
/// for, and the last answer or error is given as it is. The bytes are the same each time: a request that holds a nonce must not
/// be called idempotent.
///
/// Must be used inside a tokio runtime with time.
pub struct Retry<C> {
    inner: C,
    options: RetryOptions,
    jitter: Arc<Jitter>,
    clock: Arc<dyn Clock>,
}

impl<C> Retry<C> {
    /// Around a client. The clock is for servers that say until when, and not what time they have.
    pub fn new(inner: C, options: RetryOptions, jitter: Arc<Jitter>, clock: Arc<dyn Clock>) -> Self {
        Self { inner, options, jitter, clock }
    }
}

impl<C: HttpClient> HttpClient for Retry<C> {
    async fn send(
        &self,
        request: Request<Bytes>,
        options: &RequestOptions,
    ) -> Result<Response<Bytes>, TransportError> {
        if !options.idempotent || self.options.retries == 0 {
            return self.inner.send(request, options).await;
        }
        let began = Instant::now();
        let left = || options.deadline.saturating_sub(began.elapsed());
        let (mut attempt, mut pause, mut departure) = (1_u32, self.options.first_pause, Departure::NotSent);
        loop {
            let within = RequestOptions { deadline: left(), ..options.clone() };
            let outcome = self.inner.send(request.clone(), &within).await;
            let wish = match &outcome {
                Ok(answer) if is_worth_asking_again(answer.status()) => {
                    departure = Departure::MayHaveLeft;
                    Some(retry_after(answer.headers(), self.clock.now()))
                }
                Ok(_) => None,
                Err(error) => {
                    if error.departure == Departure::MayHaveLeft {
                        departure = Departure::MayHaveLeft;
                    }
                    is_lost(error).then_some(None)
                }
            };
            let wait = wish.map(|wish| wish.unwrap_or_else(|| self.jitter.spread(pause)));
            match wait {
                Some(wait) if attempt <= self.options.retries && wait < left() => {
                    tracing::debug!(
                        target: "mts::transport",
                        attempt,
                        pause_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX),
                        status = outcome.as_ref().ok().map(|answer| answer.status().as_u16()),
                        "asks again"
                    );
                    tokio::time::sleep(wait).await;
                }
                _ => return finished(outcome, attempt, departure),
            }
            attempt = attempt.saturating_add(1);
            pause = longer(pause, self.options.longest_pause);
        }
    }
}

fn is_worth_asking_again(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504)
}

/// Whether another attempt may go better. One that ran out of time had all there was.
fn is_lost(error: &TransportError) -> bool {
    let source = error.source.as_ref();
    let is_final = source.is_some_and(|source| source.is::<TooLong>() || source.is::<KeptBack>());
    !error.timed_out && !is_final
}

fn finished(
    outcome: Result<Response<Bytes>, TransportError>,
    attempts: u32,
    departure: Departure,
) -> Result<Response<Bytes>, TransportError> {
    match outcome {
        Ok(mut answer) => {
            answer.extensions_mut().insert(Attempts(attempts));
            Ok(answer)
        }
        Err(error) if attempts > 1 => {
            let message = format!("{}; {attempts} attempts", error.message);
            Err(TransportError { message, departure, ..error })
        }
        Err(error) => Err(error),
    }
}
