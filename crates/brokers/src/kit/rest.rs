//! Requests to a venue, and what its HTTP status alone says.

use super::failure::{Failure, FailureKind};
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode, header};
use mts_foundation::io::{DynHttpClient, RequestOptions};
use serde::de::DeserializeOwned;
use smol_str::SmolStr;
use std::sync::Arc;
use std::time::Duration;

/// Most of a venue's words that are repeated.
const MAX_WORDS: usize = 300;

/// Longest wait that a venue can ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3_600);

/// An answer of a venue, of any status.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Bytes,
}

/// Asks one host.
#[derive(Clone)]
pub struct Rest {
    http: Arc<dyn DynHttpClient>,
    base: String,
    request_id: &'static str,
}

impl std::fmt::Debug for Rest {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Rest").field("base", &self.base).finish_non_exhaustive()
    }
}

impl Rest {
    /// Asks the host at `base` (`https://…`, without a slash at the end), which names its requests in the header
    /// `request_id`.
    #[must_use]
    pub fn new(http: Arc<dyn DynHttpClient>, base: &str, request_id: &'static str) -> Self {
        Self { http, base: base.trim_end_matches('/').to_owned(), request_id }
    }

    /// The URL of a path that begins with a slash.
    #[must_use]
    pub fn url(&self, path_and_query: &str) -> String {
        format!("{}{path_and_query}", self.base)
    }

    /// Sends a request as it is.
    ///
    /// # Errors
    /// [`Failure`] where no whole answer came.
    pub async fn send(&self, request: Request<Bytes>, options: &RequestOptions) -> Result<Reply, Failure> {
        let (head, body) = self.http.send(request, options).await?.into_parts();
        Ok(Reply { status: head.status, headers: head.headers, body })
    }

    /// The failure that a status is, with the words that the venue's body has according to `words` (message, code).
    #[must_use]
    pub fn failure(
        &self,
        reply: &Reply,
        words: impl FnOnce(&[u8]) -> Option<(String, Option<SmolStr>)>,
    ) -> Failure {
        let said = words(&reply.body);
        let own_words = said.is_some();
        let (message, code) = said.unwrap_or_else(|| (excerpt(&reply.body), None));
        let kind = match reply.status.as_u16() {
            429 => FailureKind::TooMany { retry_after: retry_after(&reply.headers) },
            // A page of a gateway between us and the venue is no evidence of what the venue has done.
            400..=499 if !own_words => FailureKind::Unreadable,
            401 | 403 => FailureKind::Auth,
            404 => FailureKind::NotFound,
            // A timeout, a conflict, a call that was given up: what the venue has done meanwhile they do not say.
            408 | 409 | 425 | 499 => FailureKind::Down,
            400..=499 => FailureKind::Refused,
            500..=599 => FailureKind::Down,
            _ => FailureKind::Unreadable,
        };
        let message = format!("{}: {}", reply.status, cut(&message));
        let request_id = reply.headers.get(self.request_id).and_then(|id| id.to_str().ok()).map(SmolStr::new);
        Failure { kind, message, code, request_id }
    }
}

impl Reply {
    /// The body as JSON.
    ///
    /// # Errors
    /// [`Failure`] of kind `Unreadable` that names the field.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body).map_err(|error| {
            Failure::unreadable(format!("{}: {error}: {}", self.status, excerpt(&self.body)))
        })
    }
}

/// What `Retry-After` asks for, in seconds; a date is left to the transport.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_RETRY_AFTER))
}

/// The start of a body, readable.
fn excerpt(body: &[u8]) -> String {
    match String::from_utf8_lossy(body.get(..MAX_WORDS).unwrap_or(body)).trim() {
        "" => "an empty answer".to_owned(),
        text => cut(text),
    }
}

/// A text without control characters, cut to what is of use.
fn cut(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_WORDS).collect()
}
