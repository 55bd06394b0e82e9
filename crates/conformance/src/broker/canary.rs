//! Secrets that must be seen nowhere: everything that a subject says is heard, and searched for them.

use mts_foundation::double::VenueDouble;
use secrecy::ExposeSecret as _;
use smol_str::SmolStr;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Most bytes that are kept of what was said in one case; what comes after is counted and not searched.
const MOST_HEARD: usize = 8 << 20;

/// Shortest secret that is looked for: anything shorter is met by chance.
const SHORTEST: usize = 6;

/// Everything that a subject said in a case.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard(Arc<Mutex<String>>);

impl Heard {
    /// Notes a text.
    pub(super) fn hear(&self, text: std::fmt::Arguments<'_>) {
        let mut heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.len() < MOST_HEARD {
            // A text is written to without errors.
            writeln!(heard, "{text}").unwrap_or_default();
        }
    }

    /// The settings whose secrets were said, with the form they were said in.
    pub(super) fn leaks(&self, canaries: &[Canary]) -> Vec<String> {
        let heard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let said = |canary: &&Canary| heard.contains(canary.text.as_str());
        canaries
            .iter()
            .filter(said)
            .map(|canary| format!("the secret of {} was said, {}", canary.setting, canary.form))
            .collect()
    }
}

/// One form of a secret.
pub(super) struct Canary {
    setting: SmolStr,
    form: &'static str,
    text: String,
}

/// The secrets of a double in the forms that they could be said in.
pub(super) fn canaries(double: &dyn VenueDouble) -> Vec<Canary> {
    let mut all = Vec::new();
    for (setting, secret) in double.credentials() {
        let secret = secret.expose_secret().as_bytes();
        if secret.len() < SHORTEST {
            continue;
        }
        let mut add = |form, text: String| all.push(Canary { setting: setting.clone(), form, text });
        add("as it is", String::from_utf8_lossy(secret).into_owned());
        add("in hexadecimal", secret.iter().map(|byte| format!("{byte:02x}")).collect());
        add("in hexadecimal", secret.iter().map(|byte| format!("{byte:02X}")).collect());
        add("percent-encoded", percent(secret));
        add("as Debug writes bytes", format!("{secret:?}").trim_matches(['[', ']']).to_owned());
        for before in 0..3 {
            add("in base64", base64_inside(secret, before, b"+/"));
            add("in base64 for URLs", base64_inside(secret, before, b"-_"));
        }
    }
    all
}

fn percent(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(byte) {
            text.push(char::from(*byte));
        } else {
            write!(text, "%{byte:02X}").unwrap_or_default();
        }
    }
    text
}

/// The characters of base64 that depend on these bytes alone, where `before` (0 to 2) other bytes, modulo three, stand before
/// them and any after: so a secret is found in the midst of what was encoded, such as `user:secret`.
fn base64_inside(bytes: &[u8], before: usize, last: &[u8; 2]) -> String {
    let alphabet: Vec<u8> = (b'A'..=b'Z').chain(b'a'..=b'z').chain(b'0'..=b'9').chain(*last).collect();
    let bit = |place: usize| {
        let byte = bytes.get((place / 8).wrapping_sub(before)).copied().unwrap_or_default();
        usize::from(byte >> (7 - place % 8) & 1)
    };
    let first = (before * 8).div_ceil(6);
    let end = (before + bytes.len()) * 8 / 6;
    let character = |place: usize| {
        let six = (0..6).fold(0, |number, offset| number << 1 | bit(place * 6 + offset));
        alphabet.get(six).copied().map_or('=', char::from)
    };
    (first..end).map(character).collect()
}

/// Hears what is traced on the thread that it is set for.
#[derive(Debug)]
pub(super) struct Listener(pub(super) Heard);

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, " {field}={value:?}").unwrap_or_default();
    }
}

impl Listener {
    fn note(&self, name: &str, record: impl FnOnce(&mut Fields)) {
        let mut fields = Fields(String::new());
        record(&mut fields);
        self.0.hear(format_args!("trace {name}{}", fields.0));
    }
}

impl Subscriber for Listener {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.note(span.metadata().name(), |fields| span.record(fields));
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        self.note("span", |fields| values.record(fields));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        self.note(event.metadata().target(), |fields| event.record(fields));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_inside_of_base64_wherever_it_begins() {
        // printf 'user:s3cret-canary' | base64, and with one and two letters more before it.
        for encoded in
            ["dXNlcjpzM2NyZXQtY2FuYXJ5", "YXVzZXI6czNjcmV0LWNhbmFyeQ==", "YWF1c2VyOnMzY3JldC1jYW5hcnk="]
        {
            let found =
                (0..3).any(|before| encoded.contains(&base64_inside(b"s3cret-canary", before, b"+/")));
            assert!(found, "{encoded}");
        }
        assert_eq!(base64_inside(b"s3cret-canary", 0, b"+/"), "czNjcmV0LWNhbmFye");
        assert_eq!(percent(b"a b/c"), "a%20b%2Fc");
    }

    #[test]
    fn what_is_traced_is_heard() {
        let heard = Heard::default();
        tracing::subscriber::with_default(Listener(heard.clone()), || {
            tracing::info!(key = "s3cret", "hello")
        });
        let text = heard.0.lock().unwrap().clone();
        assert!(text.contains("s3cret") && text.contains("hello"), "{text}");
    }
}
