//! What nobody may read: secrets that were handed out, and what fields with certain names hold.

mod scan;

use secrecy::{ExposeSecret, SecretString};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

/// Stands where a secret was.
pub const REDACTED: &str = "REDACTED";

/// Most texts that are remembered; the oldest goes first.
const MOST: usize = 512;

/// Shorter texts are no secrets, and would be found in every other word.
const SHORTEST: usize = 5;

/// Lines of a key in PEM form that are remembered one by one.
const SHORTEST_LINE: usize = 16;

/// Headers, parameters and fields of JSON whose values are secrets, in small letters.
const NAMES: &[&str] = &[
    "access_token",
    "accessor",
    "api-key",
    "api-sign",
    "api_key",
    "api_secret",
    "apca-api-key-id",
    "apca-api-secret-key",
    "apikey",
    "authorization",
    "cb-access-key",
    "cb-access-passphrase",
    "cb-access-sign",
    "client_secret",
    "client_token",
    "cookie",
    "id_token",
    "jwt",
    "otp",
    "passphrase",
    "passwd",
    "password",
    "private_key",
    "proxy-authorization",
    "refresh_token",
    "secret",
    "secret_id",
    "secret_key",
    "session_token",
    "set-cookie",
    "signature",
    "token",
    "x-api-key",
    "x-auth-token",
    "x-signature",
    "x-vault-token",
];

/// Takes secrets out of texts.
///
/// It knows the secrets that a [`Secrets`](crate::Secrets) has handed out, in the forms they take in JSON and in addresses, and
/// names whose values are secrets, wherever `name=value`, `name: value` or `"name":"value"` stands. Clones share what they
/// know. Secrets of fewer than five bytes are found by the name of their field alone.
#[derive(Clone)]
pub struct Redactor {
    known: Arc<RwLock<Known>>,
}

struct Known {
    /// Longest first, so that a secret within another leaves no rest.
    texts: Vec<SecretString>,
    /// The same, oldest first.
    order: VecDeque<SecretString>,
    names: Vec<String>,
}

impl Default for Redactor {
    fn default() -> Self {
        let names = NAMES.iter().map(|name| (*name).to_owned()).collect();
        let known = Known { texts: Vec::new(), order: VecDeque::new(), names };
        Self { known: Arc::new(RwLock::new(known)) }
    }
}

impl fmt::Debug for Redactor {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        write!(out, "Redactor({} texts, {} names)", known.texts.len(), known.names.len())
    }
}

impl Redactor {
    /// Knows the usual names and no secret yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the name of a header, parameter or field whose values are secrets; small and capital letters are the same.
    #[must_use]
    pub fn with_name(self, name: &str) -> Self {
        {
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            let name = name.to_ascii_lowercase();
            if !name.is_empty() && !known.names.contains(&name) {
                known.names.push(name);
            }
        }
        self
    }

    /// Remembers a secret.
    pub fn learn(&self, secret: &SecretString) {
        let secret = secret.expose_secret();
        let lines = secret.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_LINE);
        let forms = [secret.to_owned(), in_json(secret), in_an_address(secret)];
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        for form in forms.into_iter().chain(lines.map(str::to_owned)) {
            let is_known = || known.texts.iter().any(|text| text.expose_secret() == form);
            // The frame of a PEM file is the same in all of them.
            if form.len() < SHORTEST || form.starts_with("-----") && !form.contains('\n') || is_known() {
                continue;
            }
            let form = SecretString::from(form);
            if known.order.len() >= MOST
                && let Some(oldest) = known.order.pop_front()
            {
                known.texts.retain(|text| text.expose_secret() != oldest.expose_secret());
            }
            known.order.push_back(form.clone());
            known.texts.push(form);
        }
        known.texts.sort_by_key(|text| std::cmp::Reverse(text.expose_secret().len()));
    }

    /// The text without secrets.
    #[must_use]
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let mut clean = Cow::Borrowed(text);
        for secret in &known.texts {
            if clean.contains(secret.expose_secret()) {
                clean = Cow::Owned(clean.replace(secret.expose_secret(), REDACTED));
            }
        }
        scan::mask(clean, &known.names, REDACTED)
    }

    /// The bytes without secrets. Where they are no text a secret is covered with as many stars, so that lengths that stand
    /// before it stay right.
    #[must_use]
    pub fn bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        if let Ok(text) = std::str::from_utf8(bytes) {
            return match self.text(text) {
                Cow::Borrowed(_) => Cow::Borrowed(bytes),
                Cow::Owned(text) => Cow::Owned(text.into_bytes()),
            };
        }
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let mut clean = Cow::Borrowed(bytes);
        for secret in &known.texts {
            let secret = secret.expose_secret().as_bytes();
            while let Some(place) = clean.windows(secret.len()).position(|part| part == secret) {
                let end = place.saturating_add(secret.len());
                clean.to_mut().get_mut(place..end).unwrap_or_default().fill(b'*');
            }
        }
        clean
    }

    /// Whether the values under this name are secrets.
    #[must_use]
    pub fn is_secret_name(&self, name: &str) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.names.iter().any(|known| known.eq_ignore_ascii_case(name))
    }

    /// An address without secrets: no user and password, no values of secret parameters.
    #[must_use]
    pub fn address(&self, address: &http::Uri) -> String {
        let scheme = address.scheme_str().map(|scheme| format!("{scheme}://")).unwrap_or_default();
        let place = address.authority().map_or("", |authority| authority.as_str());
        // Who writes user:password@host.
        let place = place.rsplit_once('@').map_or(place, |(_, host)| host);
        let path = address.path_and_query().map_or("", |path| path.as_str());
        self.text(&format!("{scheme}{place}{path}")).into_owned()
    }
}

/// As it stands within a text of JSON.
fn in_json(secret: &str) -> String {
    let quoted = serde_json::Value::from(secret).to_string();
    quoted.trim_matches('"').to_owned()
}

/// As it stands in an address or a form (RFC 3986, the unreserved characters bare).
fn in_an_address(secret: &str) -> String {
    let mut text = String::with_capacity(secret.len());
    for byte in secret.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// Replaces the values under these names, in small letters, with a word.
#[cfg(feature = "layers")]
pub(crate) fn mask<'a>(text: Cow<'a, str>, names: &[String], word: &str) -> Cow<'a, str> {
    scan::mask(text, names, word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knows(secret: &str) -> Redactor {
        let redactor = Redactor::new();
        redactor.learn(&SecretString::from(secret.to_owned()));
        redactor
    }

    #[test]
    fn a_secret_is_found_in_each_of_its_forms() {
        let redactor = knows("hun\"ter+2/x=");
        for text in ["a hun\"ter+2/x= b", "{\"x\":\"hun\\\"ter+2/x=\"}", "?x=hun%22ter%2B2%2Fx%3D&y=1"] {
            let clean = redactor.text(text);
            assert!(!clean.contains("ter") && clean.contains(REDACTED), "{clean}");
        }
        assert_eq!(redactor.text("nothing here"), "nothing here");
        assert!(matches!(redactor.text("nothing here"), Cow::Borrowed(_)));
        assert!(!format!("{redactor:?}").contains("hun"));
    }

    #[test]
    fn the_lines_of_a_key_are_secrets_and_its_frame_is_none() {
        let key = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIObserved0000\n-----END EC PRIVATE KEY-----";
        let redactor = knows(key);
        assert_eq!(redactor.text("line MHcCAQEEIObserved0000 of it"), "line REDACTED of it");
        assert_eq!(redactor.text("-----BEGIN EC PRIVATE KEY-----"), "-----BEGIN EC PRIVATE KEY-----");
        assert_eq!(redactor.text(key), REDACTED);
    }

    #[test]
    fn bytes_that_are_no_text_keep_their_length() {
        let redactor = knows("hunter2");
        let clean = redactor.bytes(b"\xff\x07hunter2\x00hunter2");
        assert_eq!(clean.as_ref(), b"\xff\x07*******\x00*******");
        assert_eq!(redactor.bytes(b"plain hunter2").as_ref(), b"plain REDACTED");
    }

    #[test]
    fn an_address_says_where_and_not_who() {
        let redactor = knows("hunter2").with_name("My-Key");
        let address = "https://me:pw@venue.example:8443/v1/hunter2?my-key=abc&symbol=A".parse().unwrap();
        assert_eq!(
            redactor.address(&address),
            "https://venue.example:8443/v1/REDACTED?my-key=REDACTED&symbol=A"
        );
        assert!(redactor.is_secret_name("MY-KEY") && !redactor.is_secret_name("symbol"));
    }

    #[test]
    fn what_is_remembered_has_a_bound() {
        let redactor = knows("the first one");
        for number in 0..MOST {
            redactor.learn(&SecretString::from(format!("secret{number:05}")));
        }
        assert!(redactor.known.read().unwrap().texts.len() <= MOST);
        assert_eq!(redactor.text("secret00511"), REDACTED);
        assert_eq!(redactor.text("the first one"), "the first one");
    }
}
