//! Requests to one vendor: its key goes to its address alone, and into no message.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use http::uri::{Authority, Scheme, Uri};
use mts_foundation::io::{DynHttpClient, RequestOptions};
use mts_foundation::market_data::MarketDataError;
use mts_foundation::{Clock, Symbol, VenueName};
use secrecy::{ExposeSecret, SecretString};
use std::fmt::Write as _;
use std::sync::Arc;

/// How much of a refusal is told.
const MAX_TOLD: usize = 300;
/// Largest answer: a page of 50,000 bars has about 7 MiB.
const MAX_BYTES: usize = 32 << 20;

/// Where and as whom a vendor is asked.
pub(crate) struct Rest {
    venue: VenueName,
    scheme: Scheme,
    authority: Authority,
    /// What comes before every path.
    prefix: String,
    headers: HeaderMap,
    secrets: Vec<SecretString>,
    /// Names that the vendor has besides the one of the address: its links may lead there.
    aliases: &'static [&'static str],
    http: Arc<dyn DynHttpClient>,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Rest {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Rest")
            .field("venue", &self.venue)
            .field("host", &self.authority)
            .finish_non_exhaustive()
    }
}

impl Rest {
    /// At an address. Each header is its name, what stands before the secret, and the secret.
    ///
    /// # Errors
    /// [`MarketDataError::Source`]: the address is none, or a key is empty or has characters that no header takes.
    pub(crate) fn new(
        venue: VenueName,
        base_url: &str,
        keys: Vec<(&'static str, &'static str, SecretString)>,
        http: Arc<dyn DynHttpClient>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, MarketDataError> {
        let fault =
            |message: &str| MarketDataError::Source { path: venue.to_string(), message: message.to_owned() };
        let parts = base_url.parse::<Uri>().map(Uri::into_parts);
        let parts = parts.map_err(|_| fault("base_url is no address; write it like https://host/path"))?;
        let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else {
            return Err(fault("base_url has no host; write it like https://host/path"));
        };
        let is_web = scheme == Scheme::HTTPS || scheme == Scheme::HTTP;
        if !is_web || authority.as_str().contains('@') {
            return Err(fault("base_url must be http or https, without a name and a password"));
        }
        let path = parts.path_and_query.map(|path| path.path().trim_end_matches('/').to_owned());
        let mut headers = HeaderMap::new();
        headers.insert(http::header::ACCEPT, HeaderValue::from_static("application/json"));
        let mut secrets = Vec::new();
        for (name, before, secret) in keys {
            let key = secret.expose_secret().trim();
            let value = HeaderValue::from_str(&format!("{before}{key}"));
            let mut value = value.map_err(|_| fault("the key has characters that no header takes"))?;
            if key.is_empty() {
                return Err(fault("the key is empty; name the secret that holds it"));
            }
            value.set_sensitive(true);
            headers.insert(HeaderName::from_static(name), value);
            secrets.push(SecretString::from(key.to_owned()));
        }
        let prefix = path.unwrap_or_default();
        Ok(Self { venue, scheme, authority, prefix, headers, secrets, aliases: &[], http, clock })
    }

    /// With other names of the vendor's hosts.
    pub(crate) fn with_aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    pub(crate) fn venue(&self) -> &VenueName {
        &self.venue
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// A failure, in words without secrets.
    pub(crate) fn fault(&self, message: &str) -> MarketDataError {
        let mut message = message.to_owned();
        for secret in &self.secrets {
            message = message.replace(secret.expose_secret(), "***");
        }
        let message = message.chars().filter(|letter| !letter.is_control()).take(MAX_TOLD).collect();
        MarketDataError::Venue { source_name: self.venue.to_string(), message }
    }

    /// That the vendor does not have something.
    pub(crate) fn lacks(&self, what: impl Into<String>) -> MarketDataError {
        MarketDataError::Unsupported { source_name: self.venue.to_string(), what: what.into() }
    }

    /// The path of a link of the vendor's own; a link to anybody else is refused, for the key would go there.
    pub(crate) fn inside(&self, link: &str) -> Result<String, MarketDataError> {
        let refused = || self.fault("its link to the next page leads to another host; refused");
        let uri: Uri = link.parse().map_err(|_| self.fault("its link to the next page is no address"))?;
        let host = uri.authority().ok_or_else(refused)?;
        let is_alias = |host: &Authority| self.aliases.contains(&host.as_str());
        let is_own = *host == self.authority || (is_alias(host) && is_alias(&self.authority));
        if !is_own || uri.scheme() != Some(&self.scheme) {
            return Err(refused());
        }
        let path = uri.path_and_query().map_or("", |path| path.as_str());
        Ok(path.strip_prefix(&self.prefix).unwrap_or(path).to_owned())
    }

    /// Asks; the symbol is for messages.
    pub(crate) async fn get(&self, path: &str, symbol: &Symbol) -> Result<Bytes, MarketDataError> {
        let address = format!("{}://{}{}{path}", self.scheme, self.authority, self.prefix);
        let mut request = http::Request::get(address)
            .body(Bytes::new())
            .map_err(|_| self.fault(&format!("the request for {symbol} has no valid address")))?;
        *request.headers_mut() = self.headers.clone();
        let options = RequestOptions { max_response_bytes: MAX_BYTES, ..RequestOptions::read() };
        let reply = self.http.send(request, &options).await.map_err(|error| self.fault(&error.message))?;
        let status = reply.status().as_u16();
        if reply.status().is_success() {
            return Ok(reply.into_body());
        }
        let said = told(reply.body());
        let remedy = match status {
            401 | 403 => "; check the key, and that its plan has this data".to_owned(),
            404 => format!("; check that it has {symbol}"),
            429 => format!("; too many requests{}", self.pause(reply.headers())),
            500.. => "; try again later".to_owned(),
            _ => String::new(),
        };
        Err(self.fault(&format!("HTTP {status}: {said}{remedy}")))
    }

    /// How long the vendor asks to wait.
    fn pause(&self, headers: &HeaderMap) -> String {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        let at = |name: &str, per_second: i64| {
            let at: i64 = header(name)?.parse().ok()?;
            DateTime::<Utc>::from_timestamp(at.checked_div(per_second)?, 0)
        };
        if let Some(after) = header("retry-after") {
            let unit = if after.bytes().all(|byte| byte.is_ascii_digit()) { " s" } else { "" };
            let after: String = after.chars().take(40).collect();
            return format!(", Retry-After {after}{unit}");
        }
        let reset = at("x-ratelimit-reset", 1).or_else(|| at("x-ratelimit-expiry", 1_000));
        let wait =
            reset.map(|reset| reset.signed_duration_since(self.clock.now().to_datetime()).num_seconds());
        wait.map_or_else(|| "; wait a minute".to_owned(), |wait| format!("; wait {} s", wait.max(1)))
    }
}

/// The words of a refusal: what its JSON says, or its text.
fn told(body: &[u8]) -> String {
    let said = serde_json::from_slice::<serde_json::Value>(body).ok().and_then(|said| {
        let places = ["/error", "/message", "/errors/error", "/fault/faultstring", "/status"];
        places.iter().find_map(|place| said.pointer(place).and_then(|said| said.as_str().map(str::to_owned)))
    });
    said.unwrap_or_else(|| {
        let text = String::from_utf8_lossy(body);
        let text = text.trim();
        if text.starts_with('<') { "a page of HTML".to_owned() } else { text.to_owned() }
    })
}

/// A value for an address.
pub(crate) fn encoded(value: &str) -> String {
    let mut into = String::new();
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b':') {
            into.push(char::from(byte));
        } else {
            // Writing to a text cannot fail.
            let _written = write!(into, "%{byte:02X}");
        }
    }
    into
}
