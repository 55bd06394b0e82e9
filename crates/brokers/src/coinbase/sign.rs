//! A JSON Web Token for each request: signed by ECDSA over P-256 (ES256) or Ed25519 (EdDSA), good for two minutes and one
//! path. Signatures need no randomness (RFC 6979, RFC 8032).

use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use mts_foundation::Timestamp;
use p256::ecdsa::signature::Signer as _;
use p256::pkcs8::DecodePrivateKey as _;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::fmt;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

/// Life of a token, in seconds.
const LIFE: i64 = 120;

/// A secret that is no key. Nothing of it is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "api_secret is neither an ECDSA P-256 key in PEM nor an Ed25519 key in base64 or PEM; store it as Coinbase gave it"
)]
pub struct KeyFault;

enum Key {
    Es256(Box<p256::ecdsa::SigningKey>),
    Ed25519(Box<ed25519_dalek::SigningKey>),
}

/// Signs requests with one key.
pub struct Signer {
    name: SecretString,
    key: Key,
    /// Makes nonces different from another process's.
    salt: [u8; 32],
    count: AtomicU64,
}

impl fmt::Debug for Signer {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Signer")
    }
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'a str,
    kid: &'a str,
    nonce: &'a str,
    typ: &'a str,
}

#[derive(Serialize)]
struct Claims<'a> {
    sub: &'a str,
    iss: &'a str,
    nbf: i64,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<&'a str>,
}

impl Signer {
    /// A signer with the name of a key and its secret: PEM, in which `\n` may stand for the end of a line as environment
    /// variables have it, or the base64 of an Ed25519 key's 32 or 64 bytes.
    ///
    /// # Errors
    /// [`KeyFault`].
    pub fn new(name: SecretString, secret: &SecretString) -> Result<Self, KeyFault> {
        let key = key(secret.expose_secret())?;
        let salt = Sha256::new()
            .chain_update(b"mts coinbase nonce")
            .chain_update(std::process::id().to_be_bytes())
            .chain_update(secret.expose_secret())
            .finalize()
            .into();
        Ok(Self { name, key, salt, count: AtomicU64::new(0) })
    }

    /// A token of now for a request, named as `GET host/path` without query; `None` = for a message of a stream.
    #[must_use]
    pub fn token(&self, now: Timestamp, uri: Option<&str>) -> String {
        let digest = Sha256::new()
            .chain_update(self.salt)
            .chain_update(now.nanos().to_be_bytes())
            .chain_update(self.count.fetch_add(1, Ordering::Relaxed).to_be_bytes())
            .finalize();
        let nonce = digest.iter().fold(String::new(), |mut text, byte| {
            // Writing to a text cannot fail.
            write!(text, "{byte:02x}").unwrap_or_default();
            text
        });
        self.token_with(&nonce, now.nanos().div_euclid(1_000_000_000), uri)
    }

    fn token_with(&self, nonce: &str, now: i64, uri: Option<&str>) -> String {
        let name = self.name.expose_secret();
        let alg = match self.key {
            Key::Es256(_) => "ES256",
            Key::Ed25519(_) => "EdDSA",
        };
        let header = Header { alg, kid: name, nonce, typ: "JWT" };
        let claims = Claims { sub: name, iss: "cdp", nbf: now, exp: now.saturating_add(LIFE), uri };
        let mut token = String::with_capacity(640);
        // Texts and numbers are always JSON.
        BASE64_URL_SAFE_NO_PAD.encode_string(serde_json::to_vec(&header).unwrap_or_default(), &mut token);
        token.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(serde_json::to_vec(&claims).unwrap_or_default(), &mut token);
        let signature = match &self.key {
            Key::Es256(key) => {
                let signature: p256::ecdsa::Signature = key.sign(token.as_bytes());
                <[u8; 64]>::from(signature.to_bytes())
            }
            Key::Ed25519(key) => key.sign(token.as_bytes()).to_bytes(),
        };
        token.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        token
    }
}

fn key(secret: &str) -> Result<Key, KeyFault> {
    let text = secret.trim().replace("\\n", "\n");
    if text.starts_with("-----BEGIN") {
        let es256 = p256::SecretKey::from_sec1_pem(&text).or_else(|_| p256::SecretKey::from_pkcs8_pem(&text));
        if let Ok(key) = es256 {
            return Ok(Key::Es256(Box::new(key.into())));
        }
        let ed25519 = ed25519_dalek::SigningKey::from_pkcs8_pem(&text).map_err(|_| KeyFault)?;
        return Ok(Key::Ed25519(Box::new(ed25519)));
    }
    let bytes = BASE64_STANDARD.decode(&text).map_err(|_| KeyFault)?;
    let key = match bytes.as_slice() {
        seed if seed.len() == 32 => {
            ed25519_dalek::SigningKey::from_bytes(seed.try_into().map_err(|_| KeyFault)?)
        }
        // The public half must be of the private one.
        both => {
            let both = both.try_into().map_err(|_| KeyFault)?;
            ed25519_dalek::SigningKey::from_keypair_bytes(both).map_err(|_| KeyFault)?
        }
    };
    Ok(Key::Ed25519(Box::new(key)))
}

#[cfg(test)]
mod tests;
