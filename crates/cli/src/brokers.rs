//! The adapters of real venues that this program has, and the world that it gives them.

use crate::app::BrokerContext;
use crate::error::{CliError, ExitKind, OrExit};
use crate::live::SystemClock;
use crate::secrets;
use mts_brokers::kit::Connections;
use mts_brokers::{Alpaca, AlpacaConfig, Coinbase, CoinbaseConfig, Ibkr, IbkrConfig, Kraken, KrakenConfig};
use mts_foundation::broker::DynBroker;
use mts_foundation::io::{SharedState, StateChange, StateError};
use mts_transport::{Budget, FileState, Stack, TokioSleep};
use serde::de::DeserializeOwned;
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

/// Alpaca, from `broker.params`.
pub(crate) fn alpaca(context: BrokerContext<'_>) -> Result<Arc<dyn DynBroker>, CliError> {
    let config: AlpacaConfig = settings(&context)?;
    config.validate().map_err(unfit)?;
    let budget = Budget::per_minute("", mts_brokers::alpaca::REQUESTS_A_MINUTE);
    let connections = connections(&context, budget)?;
    Ok(Arc::new(Alpaca::new(config, connections)))
}

/// Coinbase Advanced Trade, from `broker.params`.
pub(crate) fn coinbase(context: BrokerContext<'_>) -> Result<Arc<dyn DynBroker>, CliError> {
    let config: CoinbaseConfig = settings(&context)?;
    let budget =
        Budget::bucket("", mts_brokers::coinbase::REQUESTS_AT_ONCE, mts_brokers::coinbase::REQUESTS_A_MINUTE);
    let connections = connections(&context, budget)?;
    Ok(Arc::new(Coinbase::new(config, connections)))
}

/// Interactive Brokers, from `broker.params`. It counts its messages itself and sends no requests over HTTP.
pub(crate) fn ibkr(context: BrokerContext<'_>) -> Result<Arc<dyn DynBroker>, CliError> {
    if context.record.is_some() {
        let message = "--record cannot record ibkr, whose socket is its own library's; leave it out";
        return Err(CliError::new(ExitKind::Usage, message));
    }
    let config: IbkrConfig = settings(&context)?;
    let connections = connections(&context, Budget::per_minute("", 60))?;
    Ok(Arc::new(Ibkr::new(config, connections)))
}

/// Kraken spot, from `broker.params`.
pub(crate) fn kraken(context: BrokerContext<'_>) -> Result<Arc<dyn DynBroker>, CliError> {
    let config: KrakenConfig = settings(&context)?;
    config.validate().map_err(unfit)?;
    let budget = Budget::bucket(mts_brokers::kraken::PRIVATE, config.tier.calls_at_once(), config.budget());
    let connections = connections(&context, budget)?;
    Ok(Arc::new(Kraken::new(config, connections)))
}

/// The settings of an adapter; a mistake is named with its key.
fn settings<T: DeserializeOwned>(context: &BrokerContext<'_>) -> Result<T, CliError> {
    let params = serde_json::Value::Object(context.section.params.clone());
    serde_path_to_error::deserialize(params).map_err(|error| {
        let message = format!("broker.params.{}: {}", error.path(), error.inner());
        CliError::new(ExitKind::Config, message)
    })
}

/// A setting that cannot be meant.
fn unfit(error: impl std::fmt::Display) -> CliError {
    CliError::new(ExitKind::Config, format!("broker.params.{error}"))
}

/// Real connections, secrets and memory for an adapter with this budget.
fn connections(context: &BrokerContext<'_>, budget: Budget) -> Result<Connections, CliError> {
    let adapter = context.section.name.as_str();
    let secrets = secrets::of_environment().or_exit(ExitKind::Config)?;
    let clock = Arc::new(SystemClock);
    let mut stack = Stack::builder(adapter, clock.clone());
    if let Some(folder) = context.record {
        stack = stack.record(folder);
    }
    let stack =
        stack.redactor(secrets.redactor().clone()).budgets([budget]).build().or_exit(ExitKind::Internal)?;
    Ok(Connections {
        http: stack.http(),
        sockets: stack.sockets(),
        clock,
        sleep: Arc::new(TokioSleep),
        secrets: Arc::new(secrets),
        state: Arc::new(StateOf(adapter.to_owned())),
    })
}

/// What an adapter must not forget, below `$XDG_STATE_HOME/mts`; the folder is made when there is something to keep.
struct StateOf(String);

impl SharedState for StateOf {
    fn update(&self, entry: &str, change: &mut StateChange<'_>) -> Result<Option<Vec<u8>>, StateError> {
        let home = state_home(std::env::var_os("XDG_STATE_HOME"), std::env::var_os("HOME"));
        let home = home.map_err(|message| StateError { entry: entry.to_owned(), message })?;
        FileState::open(home.join("mts").join(&self.0))?.update(entry, change)
    }
}

/// The folder for state by two variables. A relative one is refused: what is kept there would be found from one folder only,
/// and a nonce or an order id that is not found is used twice.
fn state_home(xdg: Option<OsString>, home: Option<OsString>) -> Result<PathBuf, String> {
    let xdg = xdg.filter(|path| !path.is_empty());
    let (name, value) = match xdg {
        Some(xdg) => ("XDG_STATE_HOME", xdg),
        None => ("HOME", home.ok_or("neither XDG_STATE_HOME nor HOME is set; set one of them")?),
    };
    let path = PathBuf::from(value);
    if !path.is_absolute() {
        return Err(format!(
            "{name} is {:?}; set it, or XDG_STATE_HOME, to an absolute path",
            path.display()
        ));
    }
    Ok(if name == "HOME" { path.join(".local/state") } else { path })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_lies_in_an_absolute_folder_or_nowhere() {
        let of =
            |xdg: Option<&str>, home: Option<&str>| state_home(xdg.map(Into::into), home.map(Into::into));
        assert_eq!(of(Some("/state"), Some("")).unwrap(), PathBuf::from("/state"));
        for xdg in [None, Some("")] {
            assert_eq!(of(xdg, Some("/root")).unwrap(), PathBuf::from("/root/.local/state"));
            let empty = of(xdg, Some("")).unwrap_err();
            assert!(empty.starts_with(r#"HOME is "";"#) && empty.contains("absolute path"), "{empty}");
            assert!(of(xdg, None).unwrap_err().contains("neither XDG_STATE_HOME nor HOME is set"));
        }
        assert!(of(Some("state"), Some("/root")).unwrap_err().starts_with(r#"XDG_STATE_HOME is "state";"#));
    }
}
