//! Runs in real time: paper, shadow and live.

pub(crate) mod control;
mod crypto;
mod drill;
mod driven;
mod ibkr;
mod kill_file;
mod loopback;
mod metrics;
mod minutes;
mod run;
mod shift;
mod vendor;
mod walk;

pub(crate) use crypto::{make as crypto, okx_funding};
pub(crate) use drill::make as drill;
pub(crate) use driven::Driven;
pub(crate) use ibkr::make as ibkr;
pub(crate) use kill_file::{KILL_FILE, KillNote};
pub(crate) use loopback::{loopback_address, make as loopback};
pub(crate) use minutes::make as minutes;
pub(crate) use mts_transport::SystemClock;
pub(crate) use run::trade;
pub(crate) use shift::make as shift;
pub(crate) use vendor::{of_alpaca, of_polygon};
pub(crate) use walk::make as walk;

use crate::error::{CliError, ExitKind};
use mts_foundation::registry::Parameters;
use std::collections::BTreeMap;

/// The parameters of a feed or strategy (`kind`) below `section`, which are numbers above 0 with these names.
fn numbers(
    section: &str,
    kind: &str,
    params: &Parameters,
    known: &[&'static str],
) -> Result<BTreeMap<&'static str, u64>, CliError> {
    if let Some(other) = params.keys().find(|name| !known.contains(&name.as_str())) {
        let message = format!("{section}.params.{other} is not known to {kind}; it has {}", known.join(", "));
        return Err(CliError::new(ExitKind::Config, message));
    }
    let mut numbers = BTreeMap::new();
    for name in known {
        let Some(value) = params.get(*name) else { continue };
        let number = value.as_u64().filter(|number| *number > 0).ok_or_else(|| {
            let message = format!("{section}.params.{name} is {value}; give a number above 0");
            CliError::new(ExitKind::Config, message)
        })?;
        numbers.insert(*name, number);
    }
    Ok(numbers)
}
