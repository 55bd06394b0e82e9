//! Signatures: pure functions of a call, a nonce and a secret.

use base64::alphabet;
use base64::engine::{DecodePaddingMode, Engine, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use sha2::{Digest, Sha256, Sha512};
use std::fmt::Write;

/// Padding or none, and whatever stands in the last bits, as other clients take it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A key with its secret.
#[derive(Debug, Clone)]
pub struct Key {
    /// What the venue knows it by.
    pub id: SecretString,
    /// What calls are signed with.
    pub secret: SecretSlice<u8>,
}

impl Key {
    /// A key whose secret is written as Kraken writes it. `None` = it is not.
    #[must_use]
    pub fn new(id: SecretString, secret: &SecretString) -> Option<Self> {
        let secret = BASE64.decode(secret.expose_secret().trim()).ok().filter(|secret| !secret.is_empty())?;
        Some(Self { id, secret: secret.into() })
    }
}

/// The signature of a call: HMAC-SHA512 over the path and the SHA-256 of nonce and body, in base64.
#[must_use]
pub fn signature(secret: &[u8], path: &str, nonce: &str, body: &str) -> String {
    let hash = Sha256::new().chain_update(nonce).chain_update(body).finalize();
    // A key of any length will do.
    let Ok(mut mac) = Hmac::<Sha512>::new_from_slice(secret) else { return String::new() };
    mac.update(path.as_bytes());
    mac.update(&hash);
    BASE64.encode(mac.finalize().into_bytes())
}

/// The body of a call as a form, the nonce first.
#[must_use]
pub fn form(nonce: &str, fields: &[(&str, String)]) -> String {
    let mut text = format!("nonce={nonce}");
    for (name, value) in fields {
        text.push('&');
        text.push_str(name);
        text.push('=');
        for byte in value.bytes() {
            match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                    text.push(char::from(byte))
                }
                // Writing to a text cannot fail.
                _ => write!(text, "%{byte:02X}").unwrap_or_default(),
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From Kraken's documentation, and made with python-kraken-sdk 3.5.1 for JSON; the key is published.
    #[test]
    fn signatures_are_those_of_the_documentation_and_of_other_clients() {
        let secret =
            "kQH5HW/8p1uGOVjbgWA7FunAmGO8lsSUXNsu3eow76sz84Q18fWxnyRzBHCd3pd5nE9qa99HAZtuZuj6F1huXg==";
        let key = Key::new("key".into(), &secret.into()).unwrap();
        let sign =
            |body: &str| signature(key.secret.expose_secret(), "/0/private/AddOrder", "1616492376594", body);
        let fields = [
            ("ordertype", "limit"),
            ("pair", "XBTUSD"),
            ("price", "37500"),
            ("type", "buy"),
            ("volume", "1.25"),
        ];
        let body = form("1616492376594", &fields.map(|(name, value)| (name, value.to_owned())));
        assert_eq!(
            sign(&body),
            "4/dpxb3iT4tp/ZCVEwSnEsLxx0bqyhLpdfOpc6fn7OR8+UClSV5n9E6aSS8MPtnRfp32bAb0nmbRn6H8ndwLUQ=="
        );
        let json = r#"{"nonce": "1616492376594", "ordertype": "limit", "pair": "XBTUSD", "price": 37500, "type": "buy", "volume": 1.25}"#;
        assert_eq!(
            sign(json),
            "xojekerxRL59CSvi3027oZ1+nMQF0TgqD5QE569qR8tgSJ4tAhoVYVGhSEciXkufsn6foHHVi0N3Utiarvg74w=="
        );
    }

    #[test]
    fn forms_are_written_so_that_they_are_read_as_they_were() {
        let deadline = ("deadline", "2026-01-02T00:00:00.5Z".to_owned());
        assert_eq!(
            form("1", &[deadline, ("oflags", "a,b+c".to_owned())]),
            "nonce=1&deadline=2026-01-02T00%3A00%3A00.5Z&oflags=a%2Cb%2Bc"
        );
        assert!(Key::new("key".into(), &"not base64!".into()).is_none());
        assert!(Key::new("key".into(), &" ".into()).is_none());
    }
}
