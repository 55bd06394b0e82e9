//! Interactive Brokers' adapter against its double.

use super::real::connections;
use mts_brokers::{Ibkr, IbkrConfig};
use mts_conformance::broker::{BoxError, Setup, Subject, Suite};
use mts_foundation::double::VenueDouble;
use mts_transport::SystemClock;
use mts_venues::{Double, Options, Venue};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) fn suite() -> Suite {
    let start = || Venue::Ibkr.start(Options::new(Arc::new(SystemClock)));
    Suite::new("ibkr", start, |double: &Double, setup| {
        let (endpoints, setup) = (double.endpoints(), setup.clone());
        Box::pin(async move { broker(&endpoints, &setup) })
    })
    .allow_skip("E-16", "TWS tells balances, and no movements of cash")
    .allow_skip("R-16", "TWS tells balances, and no movements of cash")
}

fn broker(endpoints: &BTreeMap<SmolStr, String>, setup: &Setup) -> Result<Arc<dyn Subject>, BoxError> {
    let mut config = IbkrConfig::default();
    if let Some(host) = endpoints.get("host") {
        config.host.clone_from(host);
    }
    config.port = endpoints.get("port").map(|port| port.parse()).transpose()?;
    config.deadline_ms = u64::try_from(setup.call_deadline.as_millis())?;
    config.look_every_ms = u64::try_from(setup.staleness.as_millis())?;
    config.beat_every_ms = u64::try_from((setup.staleness / 2).as_millis())?;
    config.fees_within_ms = u64::try_from((setup.call_deadline / 8).as_millis())?;
    Ok(Arc::new(Ibkr::new(config, connections("ibkr", setup, [])?)))
}
