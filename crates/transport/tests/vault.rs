//! Secrets of a Vault server: a double that keeps the wire's rules, and one that does not.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod desk;

use desk::{Heard, answer, serve};
use mts_foundation::secret::{SecretRef, SecretSource, SecretUnavailable};
use mts_transport::{Redactor, ReqwestClient, Secrets, Tls, Vault, VaultAuth, VaultConfig};
use secrecy::ExposeSecret;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const AUTHORITY: &[u8] = include_bytes!("certificates/authority.pem");
const SECRET_ID: &str = "ff631d30-a67d-74ce-c503-b0536342f5e8";

/// The entries, role and tokens of a server in development mode, with answers as OpenBao 2.7.2 gives them.
#[derive(Default)]
struct Double {
    /// Seconds that a token lives.
    lease: AtomicU64,
    logins: AtomicU64,
    renewals: AtomicU64,
    /// What the next request is answered, before anything else.
    fault: Mutex<Option<Option<String>>>,
    /// Tokens up to this login are forgotten.
    forgotten: AtomicU64,
}

impl Double {
    fn answer(&self, request: &Heard) -> Option<String> {
        if let Some(fault) = self.fault.lock().unwrap().take() {
            return fault;
        }
        let lease = self.lease.load(Ordering::SeqCst);
        let auth = |number: u64| {
            let body = format!(
                r#"{{"data":null,"auth":{{"client_token":"s.token-{number}","lease_duration":{lease},"renewable":true}}}}"#
            );
            answer(200, "content-type: application/json\r\n", &body)
        };
        if request.line().starts_with("POST /v1/auth/approle/login ") {
            let good = format!(r#"{{"role_id":"desk","secret_id":"{SECRET_ID}"}}"#);
            if request.body != good {
                return answer(400, "", r#"{"errors":["invalid role or secret ID"]}"#);
            }
            return auth(self.logins.fetch_add(1, Ordering::SeqCst) + 1);
        }
        let token = request.header("x-vault-token").unwrap_or_default();
        let number = match token {
            "s.root-token" => u64::MAX,
            token => token.strip_prefix("s.token-").map_or(0, |number| number.parse().unwrap()),
        };
        if number <= self.forgotten.load(Ordering::SeqCst) {
            return answer(403, "", r#"{"errors":["permission denied"]}"#);
        }
        match request.line() {
            "POST /v1/auth/token/renew-self HTTP/1.1" => {
                self.renewals.fetch_add(1, Ordering::SeqCst);
                auth(number)
            }
            "GET /v1/auth/token/lookup-self HTTP/1.1" => {
                answer(200, "", &format!(r#"{{"data":{{"id":"{token}","ttl":{lease},"renewable":true}}}}"#))
            }
            "GET /v1/secret/data/mts1b/brokers/coinbase HTTP/1.1" => answer(
                200,
                "",
                r#"{"data":{"data":{"api_key":"hunter2-key","api_secret":"hunter2-secret"},"metadata":{"version":2}}}"#,
            ),
            "GET /v1/secret/data/deleted HTTP/1.1" => {
                answer(404, "", r#"{"data":{"data":null,"metadata":{"deletion_time":"x","version":1}}}"#)
            }
            _ => answer(404, "", r#"{"errors":[]}"#),
        }
    }
}

fn secrets(address: &str, auth: VaultAuth, redactor: &Redactor) -> Secrets {
    let client = ReqwestClient::with_tls(&Tls::new(AUTHORITY).unwrap()).unwrap();
    let config = VaultConfig::new(address, auth).unwrap();
    let vault = Vault::new(config, Arc::new(client), redactor.clone()).unwrap();
    Secrets::new(redactor.clone()).with_vault(Arc::new(vault))
}

async fn double() -> (Arc<Double>, String, Arc<Mutex<Vec<Heard>>>) {
    let double = Arc::new(Double { lease: 3600.into(), ..Double::default() });
    let behind = Arc::clone(&double);
    let (address, heard) = serve(move |request| behind.answer(request)).await;
    (double, address, heard)
}

fn token(folder: &Path) -> VaultAuth {
    VaultAuth::Token(desk::secret_file(folder, "s.root-token\n"))
}

fn role(secret_id: SecretRef) -> VaultAuth {
    VaultAuth::AppRole { mount: "approle".to_owned(), role_id: "desk".to_owned(), secret_id }
}

async fn read(secrets: &Secrets, name: &str) -> Result<String, SecretUnavailable> {
    secrets.secret(&name.parse().unwrap()).await.map(|secret| secret.expose_secret().to_owned())
}

const KEY: &str = "vault:mts1b/brokers/coinbase#api_key";

#[tokio::test]
async fn a_token_reads_and_what_it_reads_is_known_to_the_redactor() {
    let (_double, address, heard) = double().await;
    let folder = tempfile::tempdir().unwrap();
    let redactor = Redactor::new();
    let secrets = secrets(&address, token(folder.path()), &redactor);
    assert_eq!(read(&secrets, KEY).await.unwrap(), "hunter2-key");
    assert_eq!(read(&secrets, "vault:mts1b/brokers/coinbase#api_secret").await.unwrap(), "hunter2-secret");
    assert_eq!(redactor.text("hunter2-key s.root-token"), "REDACTED REDACTED");
    assert_eq!(heard.lock().unwrap().len(), 3, "one look at the token, two entries");
    assert_eq!(heard.lock().unwrap()[1].header("x-vault-request"), Some("true"));
    let shown = format!("{secrets:?}");
    assert!(shown.contains("127.0.0.1") && !shown.contains("root-token"), "{shown}");
}

#[tokio::test]
async fn what_is_missing_is_said_by_name_and_for_good() {
    let (_double, address, _) = double().await;
    let folder = tempfile::tempdir().unwrap();
    let secrets = secrets(&address, token(folder.path()), &Redactor::new());
    for (name, why) in [
        ("vault:mts1b/brokers/none#api_key", "no such entry"),
        ("vault:deleted#api_key", "was deleted"),
        ("vault:mts1b/brokers/coinbase#passphrase", "it has: api_key, api_secret"),
    ] {
        let error = read(&secrets, name).await.unwrap_err();
        assert!(error.to_string().starts_with(name) && error.message.contains(why), "{error}");
        assert!(!error.temporary && !error.to_string().contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn a_machine_logs_in_once_and_again_when_it_was_forgotten() {
    let (double, address, _) = double().await;
    let folder = tempfile::tempdir().unwrap();
    let redactor = Redactor::new();
    let secrets = Arc::new(secrets(&address, role(desk::secret_file(folder.path(), SECRET_ID)), &redactor));
    let many: Vec<_> = (0..8)
        .map(|_| {
            let secrets = Arc::clone(&secrets);
            tokio::spawn(async move { read(&secrets, KEY).await.unwrap() })
        })
        .collect();
    for one in many {
        assert_eq!(one.await.unwrap(), "hunter2-key");
    }
    assert_eq!(double.logins.load(Ordering::SeqCst), 1);
    double.forgotten.store(1, Ordering::SeqCst);
    assert_eq!(read(&secrets, KEY).await.unwrap(), "hunter2-key");
    assert_eq!(double.logins.load(Ordering::SeqCst), 2);
    // A policy that forbids it is no reason to log in for ever.
    double.forgotten.store(1000, Ordering::SeqCst);
    let error = read(&secrets, KEY).await.unwrap_err();
    assert!(error.message.contains("403 (permission denied)") && !error.temporary, "{error}");
    assert_eq!(double.logins.load(Ordering::SeqCst), 3);
    assert_eq!(redactor.text("s.token-3"), "REDACTED");
}

#[tokio::test]
async fn a_wrong_or_missing_credential_is_refused_without_being_shown() {
    let (_double, address, _) = double().await;
    let folder = tempfile::tempdir().unwrap();
    let wrong = role(desk::secret_file(folder.path(), "hunter2-wrong"));
    let error = read(&secrets(&address, wrong, &Redactor::new()), KEY).await.unwrap_err();
    assert!(
        error.message.contains("AppRole") && error.message.contains("invalid role or secret ID"),
        "{error}"
    );
    assert!(!error.to_string().contains("hunter2"), "{error}");
    let missing = VaultAuth::Token("env:MTS_NO_SUCH_TOKEN".parse().unwrap());
    let error = read(&secrets(&address, missing, &Redactor::new()), KEY).await.unwrap_err();
    assert!(error.message.contains("MTS_NO_SUCH_TOKEN") && error.message.contains("export it"), "{error}");
}

#[tokio::test]
async fn a_token_is_renewed_at_two_thirds_of_its_life_and_replaced_after_its_end() {
    let (double, address, _) = double().await;
    double.lease.store(3, Ordering::SeqCst);
    let folder = tempfile::tempdir().unwrap();
    let secrets = secrets(&address, role(desk::secret_file(folder.path(), SECRET_ID)), &Redactor::new());
    let counts = || (double.logins.load(Ordering::SeqCst), double.renewals.load(Ordering::SeqCst));
    read(&secrets, KEY).await.unwrap();
    read(&secrets, KEY).await.unwrap();
    assert_eq!(counts(), (1, 0));
    tokio::time::sleep(Duration::from_millis(2300)).await;
    read(&secrets, KEY).await.unwrap();
    assert_eq!(counts(), (1, 1));
    tokio::time::sleep(Duration::from_millis(3200)).await;
    read(&secrets, KEY).await.unwrap();
    assert_eq!(counts(), (2, 1));
}

#[tokio::test]
async fn a_server_that_fails_is_told_from_one_that_refuses() {
    let (double, address, _) = double().await;
    let folder = tempfile::tempdir().unwrap();
    let secrets = secrets(&address, token(folder.path()), &Redactor::new());
    read(&secrets, KEY).await.unwrap();
    for (fault, why, temporary) in [
        (
            answer(503, "", r#"{"errors":["Vault is sealed"]}"#),
            "503 (Vault is sealed): the server is sealed",
            true,
        ),
        (answer(500, "", "<html>hunter2</html>"), "the server failed", true),
        (answer(429, "", ""), "patience", true),
        (answer(307, "location: http://127.0.0.1:1/\r\n", ""), "redirects are not followed", false),
        (answer(200, "", "<html>hunter2</html>"), "no entry of a store of version 2", false),
        (answer(200, "", &"x".repeat(2 << 20)), "longer than 1048576 bytes", true),
        (None, "no answer of 127.0.0.1", true),
    ] {
        *double.fault.lock().unwrap() = Some(fault);
        let error = read(&secrets, KEY).await.unwrap_err();
        assert!(error.message.contains(why) && !error.message.contains("hunter2"), "{error}");
        assert_eq!(error.temporary, temporary, "{error}");
    }
    assert_eq!(read(&secrets, KEY).await.unwrap(), "hunter2-key");
}
