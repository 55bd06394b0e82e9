//! What Vault's HTTP interface says: the key-value store of version 2, AppRole and tokens.

use mts_foundation::secret::{SecretRef, SecretUnavailable};
use secrecy::SecretString;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

use super::local::{MAX_BYTES, not_empty, refused};

/// Longest lease that is believed; what claims more is renewed within it all the same.
const LONGEST_LEASE: Duration = Duration::from_secs(32 * 24 * 3600);

/// A token and how long it lives.
#[derive(Debug)]
pub(super) struct Lease {
    /// Absent where only the life of a token was asked for.
    pub(super) token: Option<SecretString>,
    /// `None` = for ever.
    pub(super) life: Option<Duration>,
    pub(super) renewable: bool,
}

#[derive(Deserialize)]
struct Answer<T> {
    data: Option<T>,
    auth: Option<Auth>,
}

#[derive(Deserialize)]
struct Auth {
    client_token: String,
    #[serde(default)]
    lease_duration: u64,
    #[serde(default)]
    renewable: bool,
}

#[derive(Deserialize)]
struct Entry {
    data: Option<BTreeMap<String, serde_json::Value>>,
}

#[derive(Deserialize)]
struct TokenFacts {
    #[serde(default)]
    ttl: u64,
    #[serde(default)]
    renewable: bool,
}

#[derive(Default, Deserialize)]
struct Faults {
    #[serde(default)]
    errors: Vec<String>,
}

/// The answer to a login or a renewal.
pub(super) fn login(body: &[u8]) -> Option<Lease> {
    let auth = serde_json::from_slice::<Answer<serde::de::IgnoredAny>>(body).ok()?.auth?;
    Some(Lease {
        token: Some(SecretString::from(auth.client_token)),
        life: life(auth.lease_duration),
        renewable: auth.renewable,
    })
}

/// The answer to a question about one's own token.
pub(super) fn token_facts(body: &[u8]) -> Option<Lease> {
    let facts = serde_json::from_slice::<Answer<TokenFacts>>(body).ok()?.data?;
    Some(Lease { token: None, life: life(facts.ttl), renewable: facts.renewable })
}

/// No life is a life without end: a root token's.
fn life(seconds: u64) -> Option<Duration> {
    (seconds > 0).then(|| Duration::from_secs(seconds).min(LONGEST_LEASE))
}

/// A field of an entry.
pub(super) fn field(name: &SecretRef, body: &[u8], field: &str) -> Result<SecretString, SecretUnavailable> {
    let unreadable = || {
        refused(
            name,
            "the answer is no entry of a store of version 2; check the mount and its version".to_owned(),
        )
    };
    let answer: Answer<Entry> = serde_json::from_slice(body).map_err(|_| unreadable())?;
    let entry = answer.data.and_then(|entry| entry.data).ok_or_else(unreadable)?;
    match entry.get(field) {
        Some(serde_json::Value::String(text)) if text.len() as u64 <= MAX_BYTES => not_empty(name, text),
        Some(serde_json::Value::String(_)) => {
            Err(refused(name, format!("the field has more than {MAX_BYTES} bytes, which no secret has")))
        }
        Some(_) => Err(refused(name, "the field is no text; write it as one".to_owned())),
        None => {
            let there: Vec<&str> = entry.keys().map(String::as_str).take(20).collect();
            Err(refused(name, format!("the entry has no such field, it has: {}", there.join(", "))))
        }
    }
}

/// What a server says went wrong, as one line; of a login it is free of secrets, and nothing else is shown.
pub(super) fn faults(body: &[u8]) -> String {
    let faults: Faults = serde_json::from_slice(body).unwrap_or_default();
    let text = faults.errors.join("; ");
    let words: Vec<&str> = text.split_whitespace().take(40).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    fn of(body: &str, wanted: &str) -> Result<SecretString, SecretUnavailable> {
        field(&format!("vault:desk/x#{wanted}").parse().unwrap(), body.as_bytes(), wanted)
    }

    #[test]
    fn an_entry_is_read_by_field_and_its_values_are_never_shown() {
        let body = r#"{"data":{"data":{"key":" hunter2 ","number":7,"empty":""},"metadata":{"version":2}}}"#;
        assert_eq!(of(body, "key").unwrap().expose_secret(), "hunter2");
        for (wanted, why) in
            [("number", "no text"), ("empty", "empty"), ("other", "it has: empty, key, number")]
        {
            let error = of(body, wanted).unwrap_err().to_string();
            assert!(error.contains(why) && !error.contains("hunter2"), "{error}");
        }
        // A store of version 1 answers without the second `data`, and HTML is no answer.
        for body in [r#"{"data":{"key":"hunter2"}}"#, "<html>hunter2</html>", "null", "{}"] {
            let error = of(body, "key").unwrap_err().to_string();
            assert!(error.contains("version 2") && !error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn a_lease_of_nothing_has_no_end_and_one_of_ages_is_cut() {
        let body = |seconds: u64| {
            format!(r#"{{"auth":{{"client_token":"hunter2","lease_duration":{seconds},"renewable":true}}}}"#)
        };
        assert_eq!(login(body(0).as_bytes()).unwrap().life, None);
        assert_eq!(login(body(2).as_bytes()).unwrap().life, Some(Duration::from_secs(2)));
        assert_eq!(login(body(u64::MAX).as_bytes()).unwrap().life, Some(LONGEST_LEASE));
        assert!(login(b"{\"auth\":null}").is_none());
        assert!(!format!("{:?}", login(body(2).as_bytes())).contains("hunter2"));
    }

    #[test]
    fn faults_are_one_short_line() {
        let body = br#"{"errors":["1 error occurred:\n\t* permission denied\n\n"]}"#;
        assert_eq!(faults(body), "1 error occurred: * permission denied");
        assert_eq!(faults(b"<html>"), "");
    }
}
