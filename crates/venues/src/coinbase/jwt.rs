//! Who asks: a JSON Web Token for each request, signed with the key's private half. Every token is verified.

use crate::desk::ids;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD, Engine};
use mts_foundation::Timestamp;
use p256::ecdsa::signature::Verifier;
use p256::pkcs8::LineEnding;
use serde_json::Value;

/// Longest life of a token, in seconds.
const LIFE: i64 = 120;

/// By how much a client's clock may be ahead, in seconds.
const LEEWAY: i64 = 10;

/// The public half.
#[derive(Debug, Clone)]
enum Public {
    Es256(p256::ecdsa::VerifyingKey),
    Ed25519(ed25519_dalek::VerifyingKey),
}

/// A client's key: its name, the secret that the client is given once, and what the venue keeps.
#[derive(Clone)]
pub(super) struct ApiKey {
    pub(super) name: String,
    pub(super) secret: String,
    public: Public,
}

impl ApiKey {
    /// A key that is a function of the seed; `None` = none can be made of it.
    pub(super) fn of_seed(seed: u64, ed25519: bool) -> Option<Self> {
        let name = format!(
            "organizations/{}/apiKeys/{}",
            ids::uuid(seed, "coinbase organization", 0),
            ids::uuid(seed, "coinbase key", 0)
        );
        let bytes = (0..4).find_map(|number| {
            let bytes = bytes(&ids::digits(seed, "coinbase secret", number, 64))?;
            p256::SecretKey::from_slice(&bytes).ok().map(|key| (bytes, key))
        });
        let (bytes, es256) = bytes?;
        if ed25519 {
            let key = ed25519_dalek::SigningKey::from_bytes(&bytes);
            let public = key.verifying_key();
            let whole = [bytes, public.to_bytes()].concat();
            return Some(Self {
                name,
                secret: BASE64_STANDARD.encode(whole),
                public: Public::Ed25519(public),
            });
        }
        let secret = es256.to_sec1_pem(LineEnding::LF).ok()?.to_string();
        let public = p256::ecdsa::SigningKey::from(es256);
        Some(Self { name, secret, public: Public::Es256(*public.verifying_key()) })
    }

    /// Whether a token is of this key, of now, and for this request; `uri` is `None` for messages of a stream.
    pub(super) fn verify(&self, token: &str, now: Timestamp, uri: Option<&str>) -> Result<(), &'static str> {
        let (signed, signature) = token.rsplit_once('.').ok_or("no token")?;
        let (header, claims) = signed.split_once('.').ok_or("no token")?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).map_err(|_| "signature")?;
        let read = |part: &str| -> Option<Value> {
            serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).ok()?).ok()
        };
        let (header, claims) = (read(header).ok_or("header")?, read(claims).ok_or("claims")?);
        let text = |object: &Value, name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
        let verified = match (&self.public, text(&header, "alg").as_deref()) {
            (Public::Es256(key), Some("ES256")) => p256::ecdsa::Signature::from_slice(&signature)
                .is_ok_and(|signature| key.verify(signed.as_bytes(), &signature).is_ok()),
            (Public::Ed25519(key), Some("EdDSA")) => ed25519_dalek::Signature::from_slice(&signature)
                .is_ok_and(|signature| key.verify_strict(signed.as_bytes(), &signature).is_ok()),
            _ => return Err("alg"),
        };
        if text(&header, "kid").as_deref() != Some(&self.name) {
            return Err("kid");
        }
        if text(&claims, "sub").as_deref() != Some(&self.name) {
            return Err("sub");
        }
        if text(&header, "nonce").is_none_or(|nonce| nonce.is_empty()) {
            return Err("nonce");
        }
        if !verified {
            return Err("signature");
        }
        let instant = |name: &str| claims.get(name).and_then(Value::as_i64);
        let (from, to) = (instant("nbf").ok_or("nbf")?, instant("exp").ok_or("exp")?);
        let now = now.nanos() / 1_000_000_000;
        if from > now + LEEWAY {
            return Err("nbf");
        }
        if to <= now || to - from > LIFE {
            return Err("exp");
        }
        match (uri, text(&claims, "uri")) {
            (None, _) => Ok(()),
            // One client puts the scheme of its address before the host.
            (Some(uri), Some(claimed)) if claimed.replacen("http://", "", 1) == uri => Ok(()),
            _ => Err("uri"),
        }
    }
}

/// The 32 bytes of 64 hexadecimal digits.
fn bytes(digits: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * place..2 * place + 2)?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use p256::ecdsa::signature::Signer;
    use serde_json::json;

    const NOW: i64 = 1_700_000_000;

    /// A token for `GET host/path`, with changes to its header and claims.
    fn token(ed25519: bool, change: impl FnOnce(&mut Value, &mut Value)) -> String {
        let key = ApiKey::of_seed(1, ed25519).unwrap();
        let alg = if ed25519 { "EdDSA" } else { "ES256" };
        let mut header = json!({"alg": alg, "kid": key.name, "nonce": "00", "typ": "JWT"});
        let mut claims =
            json!({"sub": key.name, "iss": "cdp", "nbf": NOW, "exp": NOW + 120, "uri": "GET host/path"});
        change(&mut header, &mut claims);
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = if ed25519 {
            let whole = BASE64_STANDARD.decode(&key.secret).unwrap();
            let key = ed25519_dalek::SigningKey::from_bytes(whole[..32].try_into().unwrap());
            key.sign(signed.as_bytes()).to_bytes().to_vec()
        } else {
            let key: p256::ecdsa::Signature =
                p256::ecdsa::SigningKey::from(p256::SecretKey::from_sec1_pem(&key.secret).unwrap())
                    .sign(signed.as_bytes());
            key.to_bytes().to_vec()
        };
        format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    fn verdict(ed25519: bool, token: &str) -> Result<(), &'static str> {
        let now = Timestamp::from_millis(NOW * 1_000 + 1_000);
        ApiKey::of_seed(1, ed25519).unwrap().verify(token, now, Some("GET host/path"))
    }

    #[test]
    fn a_token_is_taken_if_all_of_it_is_right() {
        for ed25519 in [false, true] {
            assert_eq!(verdict(ed25519, &token(ed25519, |_, _| {})), Ok(()));
            assert_eq!(verdict(!ed25519, &token(ed25519, |_, _| {})), Err("alg"));
            assert_eq!(
                verdict(ed25519, &token(ed25519, |_, claims| claims["uri"] = json!("GET http://host/path"))),
                Ok(())
            );
            let mut cut = token(ed25519, |_, _| {});
            cut.replace_range(30..31, if &cut[30..31] == "A" { "B" } else { "A" });
            assert!(verdict(ed25519, &cut).is_err());
        }
        type Change = fn(&mut Value, &mut Value);
        let wrong: [(&str, Change); 9] = [
            ("kid", |header, _| header["kid"] = json!("other")),
            ("sub", |_, claims| claims["sub"] = json!("other")),
            ("nonce", |header, _| header["nonce"] = json!("")),
            ("nbf", |_, claims| claims["nbf"] = json!(NOW + 60)),
            ("nbf", |_, claims| claims["nbf"] = json!("soon")),
            ("exp", |_, claims| claims["exp"] = json!(NOW + 1)),
            ("exp", |_, claims| claims["exp"] = json!(NOW + 9_000)),
            ("uri", |_, claims| claims["uri"] = json!("POST host/path")),
            ("uri", |_, claims| claims["uri"] = Value::Null),
        ];
        for (reason, change) in wrong {
            assert_eq!(verdict(false, &token(false, change)), Err(reason));
        }
        for nonsense in ["", ".", "a.b.c", "é.é.é"] {
            assert!(verdict(false, nonsense).is_err(), "{nonsense}");
        }
    }
}
