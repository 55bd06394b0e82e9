//! What the adapters of real venues share here: real connections to a double on this machine, and secrets from memory.

use mts_brokers::kit::Connections;
use mts_conformance::broker::{BoxError, Setup};
use mts_foundation::broker::BoxFuture;
use mts_foundation::secret::{SecretRef, SecretSource, SecretUnavailable};
use mts_transport::{
    Budget, FileState, KeepAliveOptions, ReconnectOptions, RetryOptions, Stack, SystemClock, TokioSleep,
};
use secrecy::SecretString;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Secrets under the names that the double has for them: `env:key_id`.
struct InMemory(BTreeMap<SmolStr, SecretString>);

impl SecretSource for InMemory {
    fn secret<'a>(&'a self, name: &'a SecretRef) -> BoxFuture<'a, Result<SecretString, SecretUnavailable>> {
        let found = match name {
            SecretRef::Env(name) => self.0.get(name.as_str()).cloned(),
            _ => None,
        };
        let missing = || SecretUnavailable {
            name: name.clone(),
            message: "the case has no such secret".to_owned(),
            temporary: false,
        };
        Box::pin(std::future::ready(found.ok_or_else(missing)))
    }
}

/// Everything an adapter gets, over real sockets, with pauses that suit a test.
pub(super) fn connections(
    adapter: &str,
    setup: &Setup,
    budgets: impl IntoIterator<Item = Budget>,
) -> Result<Connections, BoxError> {
    let clock = Arc::new(SystemClock);
    let stack = Stack::builder(adapter, clock.clone())
        .seed(1)
        .budgets(budgets)
        .retry(RetryOptions { first_pause: Duration::from_millis(20), ..RetryOptions::default() })
        .keep_alive(KeepAliveOptions {
            ping: setup.staleness / 4,
            silence: setup.staleness,
            ..KeepAliveOptions::default()
        })
        .reconnect(ReconnectOptions { first_pause: Duration::from_millis(20), ..ReconnectOptions::default() })
        .build()?;
    Ok(Connections {
        http: stack.http(),
        sockets: stack.sockets(),
        clock,
        sleep: Arc::new(TokioSleep),
        secrets: Arc::new(InMemory(setup.secrets.clone())),
        state: Arc::new(FileState::open(&setup.state)?),
    })
}
