//! Tokens against those of the venue's own client (coinbase-advanced-py 1.8.4 with its public test keys, generated).

use super::*;
use p256::ecdsa::signature::Verifier;

const NAME: &str = "organizations/test-organization/apiKeys/test-api-key";
const NONCE: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
const NOW: i64 = 1_700_000_000;
const URI: &str = "POST api.coinbase.com/api/v3/brokerage/orders";

const ED25519: &str =
    "k0BUni0p0vZG1BdpVjS6ogBJ7kxm630AJ2dN+tuputDOKsRAwgyrpEQLeBtS1znTmzPX6Xr2eOWpzx6nW8knkA==";
const ED25519_SEED: &str = "k0BUni0p0vZG1BdpVjS6ogBJ7kxm630AJ2dN+tuputA=";
const ED25519_PKCS8: &str = "MC4CAQAwBQYDK2VwBCIEIJNAVJ4tKdL2RtQXaVY0uqIASe5MZut9ACdnTfrbqbrQ";
const ES256: &str = "MHcCAQEEIKwf3Uox30cRWzRBOPoPOH5p0Gpb0Dt8zUKXUEM5fMkGoAoGCCqGSM49\n\
AwEHoUQDQgAEbAtpLlSZYVOwYICz+uEyxcS29vRIujiES/gQ1DC7FV4zK4JuYE9v\n\
qDyGZQYjdXHLM7I6f/QnnOITL+dXYWBHRA==";

const REST_TOKEN: &str = "eyJhbGciOiJFZERTQSIsImtpZCI6Im9yZ2FuaXphdGlvbnMvdGVzdC1vcmdhbml6YXRpb24vYXBpS2V5cy90ZXN0LWFwaS1rZXkiLCJub25jZSI6IjAwMTEyMjMzNDQ1NTY2Nzc4ODk5YWFiYmNjZGRlZWZmMDAxMTIyMzM0NDU1NjY3Nzg4OTlhYWJiY2NkZGVlZmYiLCJ0eXAiOiJKV1QifQ.eyJzdWIiOiJvcmdhbml6YXRpb25zL3Rlc3Qtb3JnYW5pemF0aW9uL2FwaUtleXMvdGVzdC1hcGkta2V5IiwiaXNzIjoiY2RwIiwibmJmIjoxNzAwMDAwMDAwLCJleHAiOjE3MDAwMDAxMjAsInVyaSI6IlBPU1QgYXBpLmNvaW5iYXNlLmNvbS9hcGkvdjMvYnJva2VyYWdlL29yZGVycyJ9.AxtsnYI79KLpz810VBdB4ETMyePWVZbzERX4-ZuAxB6Wt31k0Uy1VUksps60ln90RBNSncSnyr-9OdAVtQ3YDw";
const STREAM_TOKEN: &str = "eyJhbGciOiJFZERTQSIsImtpZCI6Im9yZ2FuaXphdGlvbnMvdGVzdC1vcmdhbml6YXRpb24vYXBpS2V5cy90ZXN0LWFwaS1rZXkiLCJub25jZSI6IjAwMTEyMjMzNDQ1NTY2Nzc4ODk5YWFiYmNjZGRlZWZmMDAxMTIyMzM0NDU1NjY3Nzg4OTlhYWJiY2NkZGVlZmYiLCJ0eXAiOiJKV1QifQ.eyJzdWIiOiJvcmdhbml6YXRpb25zL3Rlc3Qtb3JnYW5pemF0aW9uL2FwaUtleXMvdGVzdC1hcGkta2V5IiwiaXNzIjoiY2RwIiwibmJmIjoxNzAwMDAwMDAwLCJleHAiOjE3MDAwMDAxMjB9.oZCWfGD0eANCM3SqsfItzl19VMpCBkUh_69BVu5wBuuAtzTyn7FVwi5bbY05Nk0OfXIiwQPNRVuyRIWHBWdFBA";

/// The armour is put around here, so that no file holds what looks like a key.
fn armoured(label: &str, body: &str) -> String {
    let dashes = "-".repeat(5);
    format!("{dashes}BEGIN {label}{dashes}\n{body}\n{dashes}END {label}{dashes}\n")
}

fn signer(secret: &str) -> Result<Signer, KeyFault> {
    Signer::new(NAME.into(), &secret.into())
}

#[test]
fn ed25519_tokens_are_those_of_the_venues_client_byte_for_byte() {
    let pkcs8 = armoured("PRIVATE KEY", ED25519_PKCS8);
    for secret in [ED25519, ED25519_SEED, &pkcs8, &pkcs8.replace('\n', "\\n")] {
        let signer = signer(secret).unwrap();
        assert_eq!(signer.token_with(NONCE, NOW, Some(URI)), REST_TOKEN);
        assert_eq!(signer.token_with(NONCE, NOW, None), STREAM_TOKEN);
    }
}

#[test]
fn ecdsa_tokens_verify_with_the_public_key() {
    let pem = armoured("EC PRIVATE KEY", ES256);
    for secret in [pem.clone(), pem.replace('\n', "\\n")] {
        let token = signer(&secret).unwrap().token_with(NONCE, NOW, Some(URI));
        let (signed, signature) = token.rsplit_once('.').unwrap();
        // All but the name of the algorithm is as with the other kind of key.
        let claims = |token: &str| token.split('.').nth(1).map(str::to_owned);
        assert_eq!(claims(&token), claims(REST_TOKEN));
        let header = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
        let wanted = format!(r#"{{"alg":"ES256","kid":"{NAME}","nonce":"{NONCE}","typ":"JWT"}}"#);
        assert_eq!(String::from_utf8(header).unwrap(), wanted);
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
        let signature = p256::ecdsa::Signature::from_slice(&signature).unwrap();
        let key = p256::ecdsa::SigningKey::from(p256::SecretKey::from_sec1_pem(&pem).unwrap());
        key.verifying_key().verify(signed.as_bytes(), &signature).unwrap();
    }
}

#[test]
fn each_token_has_a_nonce_of_its_own() {
    let signer = signer(ED25519).unwrap();
    let now = Timestamp::from_millis(NOW * 1_000);
    let first = signer.token(now, Some(URI));
    assert_ne!(first, signer.token(now, Some(URI)));
    assert_eq!(first.len(), REST_TOKEN.len());
}

#[test]
fn what_is_no_key_is_refused_and_not_repeated() {
    let mut other_half = BASE64_STANDARD.decode(ED25519).unwrap();
    other_half[40] ^= 1;
    let pem = armoured("EC PRIVATE KEY", "c2VjcmV0IQ==");
    for secret in ["", "s3cret", "c2VjcmV0IQ==", &pem, &BASE64_STANDARD.encode(other_half)] {
        let fault = signer(secret).unwrap_err();
        assert!(!fault.to_string().contains("cret!") && fault.to_string().contains("api_secret"), "{fault}");
    }
    assert_eq!(format!("{:?}", signer(ED25519).unwrap()), "Signer");
}
