//! Who asks: the signature of a request over its path, its nonce and its body; and what the body says, as a form or as JSON.

use crate::dialect::Request;
use crate::server::pairs;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::{Digest, Sha256, Sha512};
use std::collections::BTreeMap;

/// The parameters of a private call.
#[derive(Debug, Default)]
pub(super) struct Params(BTreeMap<String, String>);

impl Params {
    /// Of a request's body; `None` = it can be read in neither form.
    pub(super) fn of(request: &Request) -> Option<Self> {
        let is_json = request.header("content-type").is_some_and(|kind| kind.contains("json"));
        if is_json {
            return request.json().as_ref().map(Self::of_json);
        }
        let text = std::str::from_utf8(&request.body).ok()?;
        Some(Self(pairs(text).into_iter().collect()))
    }

    /// Of a JSON object: texts, numbers and truth values as texts.
    pub(super) fn of_json(value: &Value) -> Self {
        let object = value.as_object().cloned().unwrap_or_default();
        let text = |value: Value| match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        Self(object.into_iter().map(|(name, value)| (name, text(value))).collect())
    }

    /// A parameter that is there and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Whether a parameter says yes.
    pub(super) fn is(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| value.eq_ignore_ascii_case("true") || value == "1")
    }

    /// With a parameter more.
    pub(super) fn set(&mut self, name: &str, value: impl ToString) {
        self.0.insert(name.to_owned(), value.to_string());
    }
}

/// Whether a signature is that of the path, the nonce and the body with this secret.
pub(super) fn is_right(secret: &[u8], path: &str, nonce: &str, body: &[u8], signature: &str) -> bool {
    let hash = Sha256::new().chain_update(nonce).chain_update(body).finalize();
    let Ok(mut mac) = Hmac::<Sha512>::new_from_slice(secret) else { return false };
    mac.update(path.as_bytes());
    mac.update(&hash);
    STANDARD.decode(signature).is_ok_and(|signature| mac.verify_slice(&signature).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vector of Kraken's documentation; its key is published.
    #[test]
    fn the_published_signature_is_right_and_no_other_is() {
        let secret = STANDARD
            .decode(
                "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg==",
            )
            .unwrap();
        let (path, nonce) = ("/0/private/AddOrder", "1616492376594");
        let body = "nonce=1616492376594&ordertype=limit&pair=XBTUSD&price=37500&type=buy&volume=1.25";
        let signature =
            "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ==";
        assert!(is_right(&secret, path, nonce, body.as_bytes(), signature));
        assert!(!is_right(&secret, path, "1616492376595", body.as_bytes(), signature));
        assert!(!is_right(&secret, "/0/private/CancelOrder", nonce, body.as_bytes(), signature));
        assert!(!is_right(&secret, path, nonce, b"nonce=1616492376594", signature));
        assert!(!is_right(&secret[1..], path, nonce, body.as_bytes(), signature));
    }
}
