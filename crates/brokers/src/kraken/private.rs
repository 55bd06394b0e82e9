//! Calls: public ones as they are, private ones with a nonce and a signature.

use super::capabilities::PRIVATE;
use super::client::Kraken;
use super::error::{INVALID_NONCE, failure};
use super::nonce;
use super::sign::{Key, form, signature};
use super::wire::Envelope;
use crate::kit::{Failure, FailureKind, Reply, secret, sensitive};
use bytes::Bytes;
use http::{HeaderValue, Method, Request};
use mts_foundation::broker::{BrokerError, BrokerErrorKind, ErrorStatus};
use mts_foundation::io::RequestOptions;
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// How often a call is signed anew that came after one with a higher nonce: with several processes and calls at once the
/// network may change their order. Each time the highest one is taken, so that so many at once get through.
const NONCE_TRIES: u64 = 12;

/// Pause before that, times the number of the try.
const NONCE_PAUSE: Duration = Duration::from_millis(2);

/// A call and what it costs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    name: &'static str,
    weight: u32,
    /// Whether it only asks.
    asks: bool,
}

impl Call {
    /// A question.
    pub(super) const fn ask(name: &'static str) -> Self {
        Self { name, weight: 1, asks: true }
    }

    /// A question about the past, which counts twice.
    pub(super) const fn past(name: &'static str) -> Self {
        Self { name, weight: 2, asks: true }
    }

    /// An order or a cancellation: they have a count of their own at the venue, by pair.
    pub(super) const fn trade(name: &'static str) -> Self {
        Self { name, weight: 0, asks: false }
    }

    fn options(self, deadline: Duration) -> RequestOptions {
        let budget = if self.asks { PRIVATE } else { "" };
        // A question that the transport repeats has the same nonce; if the first arrived after all it is refused, and signed anew.
        RequestOptions {
            deadline,
            idempotent: self.asks,
            weight: self.weight,
            budget,
            ..RequestOptions::default()
        }
    }
}

/// Where an answer cannot be read. Of what stands there nothing is repeated; a field that is missing has its name from us.
fn cannot(error: serde_json::Error) -> Failure {
    let mut what = error.to_string();
    if !what.starts_with("missing field `") {
        what = format!("{:?} at line {} column {}", error.classify(), error.line(), error.column());
    }
    Failure::unreadable(format!("the answer cannot be read: {what}"))
}

/// The result in an answer. Of its body nothing is repeated: it may hold the key or a token.
fn result<T: DeserializeOwned>(body: &[u8], now: mts_foundation::Timestamp) -> Result<T, Failure> {
    let envelope: Envelope<'_> = serde_json::from_slice(body).map_err(cannot)?;
    if let Some(failure) = failure(&envelope.error, now) {
        return Err(failure);
    }
    let Some(raw) = envelope.result else {
        return Err(Failure::unreadable("the answer has neither an error nor a result".to_owned()));
    };
    serde_json::from_str(raw.get()).map_err(cannot)
}

fn not_sent(message: impl Into<String>) -> Failure {
    Failure::new(FailureKind::NotSent, message)
}

impl Kraken {
    /// The key, as it was when the broker connected.
    pub(super) async fn key(&self) -> Result<Key, BrokerError> {
        if let Some(key) = self.known().key.clone() {
            return Ok(key);
        }
        let id = secret(&self.connections, "api_key", &self.config.api_key).await?;
        let text = secret(&self.connections, "api_secret", &self.config.api_secret).await?;
        let malformed =
            |message| BrokerError::new("connect", BrokerErrorKind::Auth, ErrorStatus::Permanent, message);
        if HeaderValue::from_str(id.expose_secret()).is_err() {
            return Err(malformed(format!(
                "api_key: what {} holds has characters that no key has; store it again",
                self.config.api_key
            )));
        }
        let key = Key::new(id, &text).ok_or_else(|| {
            malformed(format!(
                "api_secret: what {} holds is not in base64; store it again",
                self.config.api_secret
            ))
        })?;
        self.known().key = Some(key.clone());
        Ok(key)
    }

    /// Asks something that everybody may know.
    pub(super) async fn public<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        let request = Request::builder().method(Method::GET).uri(self.rest.url(&format!("/0/public/{path}")));
        let request = request.body(Bytes::new()).map_err(|error| not_sent(format!("{path}: {error}")))?;
        let options = RequestOptions { deadline: self.config.deadline(), ..RequestOptions::read() };
        let reply = self.rest.send(request, &options).await?;
        self.read(&reply, self.rest.failure(&reply, |_| None).message)
    }

    /// Asks or does something of the account.
    pub(super) async fn private<T: DeserializeOwned>(
        &self,
        call: Call,
        fields: &[(&str, String)],
    ) -> Result<T, Failure> {
        let key = self.key().await.map_err(|error| match error.status {
            // Where the key is kept cannot be reached now.
            ErrorStatus::Temporary => not_sent(error.message),
            ErrorStatus::Permanent => Failure::new(FailureKind::Auth, error.message),
        })?;
        let mut tries = 1;
        loop {
            let options = call.options(self.config.deadline());
            let reply = self.rest.send(self.signed(&key, call, fields)?, &options).await?;
            // Whatever stands before the venue: of an answer to a private call nothing is repeated.
            let words = format!("{}: the answer is not Kraken's", reply.status);
            match self.read(&reply, words) {
                // The venue says itself that it has done nothing.
                Err(failure) if failure.message.starts_with(INVALID_NONCE) && tries < NONCE_TRIES => {
                    let pause = NONCE_PAUSE.saturating_mul(u32::try_from(tries).unwrap_or(1));
                    self.connections.sleep.sleep(pause).await;
                    tries += 1;
                }
                said => return said,
            }
        }
    }

    fn signed(&self, key: &Key, call: Call, fields: &[(&str, String)]) -> Result<Request<Bytes>, Failure> {
        let path = format!("/0/private/{}", call.name);
        let entry = nonce::entry(&key.id);
        let nonce = nonce::next(self.connections.state.as_ref(), &entry, self.connections.clock.now());
        let nonce = nonce.map_err(|error| not_sent(error.to_string()))?.to_string();
        let body = form(&nonce, fields);
        let sign = signature(key.secret.expose_secret(), &path, &nonce, &body);
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(self.rest.url(&path))
            .header("content-type", "application/x-www-form-urlencoded; charset=utf-8")
            .body(Bytes::from(body))
            .map_err(|error| not_sent(format!("{path}: {error}")))?;
        for (name, value) in [("api-key", key.id.expose_secret()), ("api-sign", sign.as_str())] {
            request.headers_mut().insert(name, sensitive(name, value)?);
        }
        Ok(request)
    }

    /// The result in an answer; `words` are for one that is not the venue's own.
    fn read<T: DeserializeOwned>(&self, reply: &Reply, words: String) -> Result<T, Failure> {
        if reply.status.is_success() {
            result(&reply.body, self.venue_now())
        } else {
            // What stands before the venue: it says nothing about what the venue has done.
            Err(Failure { message: words, ..self.rest.failure(reply, |_| None) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mts_foundation::Timestamp;

    #[test]
    fn an_answer_is_a_result_an_error_or_cannot_be_read_and_is_never_repeated() {
        let of = |text: &str| {
            result::<Vec<u32>>(text.as_bytes(), Timestamp::EPOCH).map_err(|failure| failure.kind)
        };
        assert_eq!(of(r#"{"error":[],"result":[1],"new":0}"#), Ok(vec![1]));
        assert_eq!(of(r#"{"error":["WGeneral:Danger"],"result":[1]}"#), Ok(vec![1]));
        assert_eq!(of(r#"{"error":["EOrder:Insufficient funds"]}"#), Err(FailureKind::Refused));
        for text in [
            "",
            "<html>",
            r#"{"error":[]}"#,
            r#"{"error":[],"result":{"token":"secret"}}"#,
            r#"{"result":[1]}"#,
            r#"{"error":[],"result":"secret"}"#,
            r#"{"error":[],"result":["secret"]}"#,
            r#"{"error":"secret","result":[1]}"#,
            r#""secret""#,
        ] {
            let failure = result::<Vec<u32>>(text.as_bytes(), Timestamp::EPOCH).unwrap_err();
            assert_eq!(failure.kind, FailureKind::Unreadable, "{text}");
            assert!(!failure.message.contains("secret"), "{}", failure.message);
        }
        let told = result::<super::super::wire::WireTime>(br#"{"error":[],"result":{}}"#, Timestamp::EPOCH);
        assert!(told.unwrap_err().message.contains("missing field `unixtime`"));
    }
}
