//! A Vault server: entries of the key-value store of version 2, with a token or as a machine (AppRole).

use super::local;
use super::vault_config::{VaultAuth, VaultConfig, VaultConfigError};
use super::vault_wire::{self as wire, Lease};
use crate::redact::Redactor;
use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode};
use mts_foundation::io::{DynHttpClient, RequestOptions};
use mts_foundation::secret::{SecretRef, SecretUnavailable};
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// Longest wait for an answer.
const DEADLINE: Duration = Duration::from_secs(10);

/// Longest answer in bytes.
const MAX_ANSWER: usize = 1 << 20;

/// Pause of [`Vault::keep`] after a renewal that failed.
const AGAIN: Duration = Duration::from_secs(30);

/// Reads secrets from a Vault server. It logs in when it is first asked, renews its token at two thirds of its life and, with
/// AppRole, logs in once more when the server does not know the token any longer.
///
/// Must be used inside a tokio runtime with time. Texts of its errors name the secret and never a value.
pub struct Vault {
    config: VaultConfig,
    http: Arc<dyn DynHttpClient>,
    redactor: Redactor,
    /// Held over a login, so that of many who ask at once one logs in.
    session: Mutex<Option<Session>>,
}

/// A token that the server gave.
#[derive(Clone)]
struct Session {
    token: SecretString,
    /// When it is renewed and when it is gone; `None` = it has no end, or nobody knows.
    times: Option<Times>,
    renewable: bool,
}

#[derive(Debug, Clone, Copy)]
struct Times {
    renew: Instant,
    gone: Instant,
}

impl Times {
    fn of(life: Duration) -> Option<Self> {
        let now = Instant::now();
        // Two thirds.
        let renew = now.checked_add(life.saturating_sub(life / 3))?;
        Some(Self { renew, gone: now.checked_add(life)? })
    }
}

/// An answer that is none of what was asked for.
struct Refusal {
    status: Option<StatusCode>,
    message: String,
    temporary: bool,
}

impl Refusal {
    fn about(self, name: &SecretRef) -> SecretUnavailable {
        SecretUnavailable { name: name.clone(), message: self.message, temporary: self.temporary }
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.config)
    }
}

impl Vault {
    /// Asks nothing yet.
    ///
    /// # Errors
    /// [`VaultConfigError`] as [`VaultConfig::validate`] says.
    pub fn new(
        config: VaultConfig,
        http: Arc<dyn DynHttpClient>,
        redactor: Redactor,
    ) -> Result<Self, VaultConfigError> {
        config.validate()?;
        Ok(Self { config, http, redactor, session: Mutex::new(None) })
    }

    /// A field of an entry below the mount.
    ///
    /// # Errors
    /// [`SecretUnavailable`]: no such entry or field, no permission, or no server; temporary for the last.
    pub async fn read(&self, path: &str, field: &str) -> Result<SecretString, SecretUnavailable> {
        let name = SecretRef::Vault { path: path.to_owned(), field: field.to_owned() };
        let place = format!("{}/data/{path}", self.config.mount);
        let token = self.token(&name, None).await?;
        let body = match self.ask(Method::GET, &place, Some(&token), None).await {
            Err(refusal) if self.may_log_in_again(&refusal) => {
                let token = self.token(&name, Some(&token)).await?;
                self.ask(Method::GET, &place, Some(&token), None).await
            }
            answer => answer,
        };
        let body = body.map_err(|refusal| refusal.about(&name))?;
        wire::field(&name, &body, field)
    }

    /// Keeps the token alive while nobody asks for a secret: renews when it is time, for ever. For a task of its own; with
    /// AppRole it is not needed, because a token that ran out is replaced.
    pub async fn keep(&self) {
        let name = self.credential().clone();
        loop {
            let pause = match self.token(&name, None).await {
                Ok(_) => {
                    let session = self.session.lock().await;
                    let renew = session.as_ref().and_then(|session| session.times).map(|times| times.renew);
                    renew.map_or(DEADLINE, |renew| renew.saturating_duration_since(Instant::now()))
                }
                Err(_) => AGAIN,
            };
            // Never faster than once a second, however short a life the server gives.
            tokio::time::sleep(pause.max(Duration::from_secs(1))).await;
        }
    }

    /// What logging in needs.
    fn credential(&self) -> &SecretRef {
        match &self.config.auth {
            VaultAuth::Token(secret) | VaultAuth::AppRole { secret_id: secret, .. } => secret,
        }
    }

    /// A server that forgot the token answers as one that never allowed this.
    fn may_log_in_again(&self, refusal: &Refusal) -> bool {
        refusal.status == Some(StatusCode::FORBIDDEN) && matches!(self.config.auth, VaultAuth::AppRole { .. })
    }

    /// A token that should be alive, and is not the one that the server just refused.
    async fn token(
        &self,
        name: &SecretRef,
        refused: Option<&SecretString>,
    ) -> Result<SecretString, SecretUnavailable> {
        let mut session = self.session.lock().await;
        let now = Instant::now();
        if let Some(known) = session.as_mut() {
            let is_refused =
                refused.is_some_and(|refused| refused.expose_secret() == known.token.expose_secret());
            let is_gone = known.times.is_some_and(|times| times.gone <= now);
            let is_due = known.times.is_some_and(|times| times.renew <= now);
            if !is_refused && !is_gone {
                if is_due && known.renewable {
                    self.renew(known).await;
                }
                return Ok(known.token.clone());
            }
        }
        *session = None;
        let fresh = self.log_in().await.map_err(|refusal| refusal.about(name))?;
        let token = fresh.token.clone();
        *session = Some(fresh);
        Ok(token)
    }

    async fn log_in(&self) -> Result<Session, Refusal> {
        let credential = local::read(self.credential()).map_err(|error| Refusal {
            status: None,
            message: error.to_string(),
            temporary: false,
        })?;
        self.redactor.learn(&credential);
        match &self.config.auth {
            VaultAuth::Token(_) => {
                // Not every policy lets a token look at itself: then it is used until it is refused.
                let answer = self.ask(Method::GET, "auth/token/lookup-self", Some(&credential), None).await;
                let lease = match answer {
                    Ok(body) => wire::token_facts(&body),
                    Err(refusal) if refusal.temporary => return Err(refusal),
                    Err(_) => None,
                };
                let times = lease.as_ref().and_then(|lease| lease.life).and_then(Times::of);
                let renewable = lease.is_some_and(|lease| lease.renewable);
                Ok(Session { token: credential, times, renewable })
            }
            VaultAuth::AppRole { mount, role_id, .. } => {
                let said = serde_json::json!({ "role_id": role_id, "secret_id": credential.expose_secret() });
                let place = format!("auth/{mount}/login");
                let body = self.ask(Method::POST, &place, None, Some(said)).await.map_err(|refusal| {
                    let message = format!("logging in as a machine (AppRole): {}", refusal.message);
                    Refusal { message, ..refusal }
                })?;
                let Some(Lease { token: Some(token), life, renewable }) = wire::login(&body) else {
                    let message = "the answer to the login holds no token; check the address and the mount";
                    return Err(Refusal { status: None, message: message.to_owned(), temporary: false });
                };
                self.redactor.learn(&token);
                Ok(Session { token, times: life.and_then(Times::of), renewable })
            }
        }
    }

    /// Asks for more time. A server that gives none leaves the token as it is: it ends when it ends.
    async fn renew(&self, session: &mut Session) {
        let nothing = Some(serde_json::json!({}));
        let answer = self.ask(Method::POST, "auth/token/renew-self", Some(&session.token), nothing).await;
        match answer.ok().and_then(|body| wire::login(&body)) {
            Some(lease) => {
                session.times = lease.life.and_then(Times::of);
                session.renewable = lease.renewable;
            }
            // Not with every secret that is read: once more, half way to the end.
            None => {
                if let Some(times) = session.times.as_mut() {
                    let left = times.gone.saturating_duration_since(Instant::now());
                    times.renew = times.gone.checked_sub(left / 2).unwrap_or(times.gone);
                }
            }
        }
    }

    /// One request; the body of a good answer.
    async fn ask(
        &self,
        method: Method,
        place: &str,
        token: Option<&SecretString>,
        body: Option<serde_json::Value>,
    ) -> Result<Bytes, Refusal> {
        let unusable = |what: &str| Refusal {
            status: None,
            message: format!("{what} cannot stand in a request; check it"),
            temporary: false,
        };
        // Reading changes nothing, and a login that was lost gives a second token, which does no harm.
        let options =
            RequestOptions { deadline: DEADLINE, max_response_bytes: MAX_ANSWER, ..RequestOptions::read() };
        let base = self.config.address.to_string();
        let mut request = http::Request::builder()
            .method(method)
            .uri(format!("{}/v1/{place}", base.trim_end_matches('/')))
            // Such requests were not made by a page of a browser (Vault asks for it where it is told to).
            .header("x-vault-request", "true");
        if let Some(token) = token {
            let mut value =
                HeaderValue::from_str(token.expose_secret()).map_err(|_| unusable("the token"))?;
            value.set_sensitive(true);
            request = request.header("x-vault-token", value);
        }
        if let Some(namespace) = &self.config.namespace {
            request = request.header("x-vault-namespace", namespace);
        }
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let request = request.body(body).map_err(|_| unusable("the address or the namespace"))?;
        let answer = self.http.send(request, &options).await.map_err(|error| Refusal {
            status: None,
            message: error.message,
            temporary: true,
        })?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer.into_body());
        }
        let remedy = match status {
            StatusCode::NOT_FOUND => "there is no such entry, or it was deleted; write it with vault kv put",
            StatusCode::FORBIDDEN => {
                "the token is not known or may not read this; check the token and its policy"
            }
            StatusCode::SERVICE_UNAVAILABLE => "the server is sealed or in maintenance; unseal it",
            StatusCode::TOO_MANY_REQUESTS => "the server asks for patience; ask later",
            status if status.is_redirection() => "redirects are not followed; name the active server",
            status if status.is_server_error() => "the server failed; look at its log",
            _ => "check the mount, the role and its secret",
        };
        let said = match wire::faults(answer.body()) {
            said if said.is_empty() => String::new(),
            said => format!(" ({})", self.redactor.text(&said)),
        };
        let temporary = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        let message = format!("the server answers {}{said}: {remedy}", status.as_u16());
        Err(Refusal { status: Some(status), message, temporary })
    }
}
