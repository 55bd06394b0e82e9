//! Several processes with one key of Kraken's: nonces rise over all of them.

#![allow(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use mts_brokers::kit::Connections;
use mts_brokers::kraken::PRIVATE;
use mts_brokers::{Kraken, KrakenConfig};
use mts_foundation::broker::BrokerErrorKind;
use mts_foundation::double::VenueDouble;
use mts_foundation::{Broker, Clock, Timestamp};
use mts_transport::{Budget, FileState, Secrets, Stack, SystemClock, TokioSleep};
use mts_venues::{Double, Options, Venue};
use secrecy::ExposeSecret;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// A clock that is wrong.
struct Ahead;

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        SystemClock.now().plus(Duration::from_secs(3_600))
    }
}

/// A broker as a process of its own has it: nothing is shared but the folder for state.
fn process(double: &Double, folder: &Path, state: &str, clock: Arc<dyn Clock>) -> Kraken {
    let budget = Budget::per_minute(PRIVATE, 1_000_000);
    let stack = Stack::builder("kraken", clock.clone()).budgets([budget]).build().unwrap();
    let mut config = KrakenConfig::default();
    let secret = |name: &str| format!("file:{}", folder.join(name).display()).parse().unwrap();
    (config.api_key, config.api_secret) = (secret("api_key"), secret("api_secret"));
    config.rest = double.endpoints().get("rest").cloned();
    let connections = Connections {
        http: stack.http(),
        sockets: stack.sockets(),
        clock,
        sleep: Arc::new(TokioSleep),
        secrets: Arc::new(Secrets::new(mts_transport::Redactor::default())),
        state: Arc::new(FileState::open(folder.join(state)).unwrap()),
    };
    Kraken::new(config, connections)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn processes_with_one_key_at_once_are_all_answered_also_after_a_clock_was_ahead() {
    let double = Venue::Kraken.start(Options::new(Arc::new(SystemClock))).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (name, secret) in double.credentials() {
        let path = folder.path().join(name.as_str());
        std::fs::write(&path, secret.expose_secret()).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }
    runtime().block_on(async {
        let ahead = process(&double, folder.path(), "state", Arc::new(Ahead));
        ahead.connect().await.unwrap();
        // Who does not know what nonces were used is not let in.
        let alone = process(&double, folder.path(), "own", Arc::new(SystemClock));
        assert_eq!(alone.connect().await.unwrap_err().kind, BrokerErrorKind::Auth);
    });
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                runtime().block_on(async {
                    let broker = process(&double, folder.path(), "state", Arc::new(SystemClock));
                    broker.connect().await.unwrap();
                    for _ in 0..15 {
                        broker.open_orders().await.unwrap();
                    }
                });
            });
        }
    });
    let lasting = std::fs::read_dir(folder.path().join("state")).unwrap();
    let names: Vec<String> = lasting.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let key = double.credentials()["api_key"].expose_secret().to_owned();
    assert!(names.iter().any(|name| name.starts_with("nonce-")), "{names:?}");
    assert!(names.iter().all(|name| !name.contains(&key)));
}
