//! Alpaca's adapter against Alpaca's double.

use super::real::connections;
use mts_brokers::{Alpaca, AlpacaConfig};
use mts_conformance::broker::{BoxError, Setup, Subject, Suite};
use mts_foundation::double::VenueDouble;
use mts_transport::SystemClock;
use mts_venues::{Double, Options, Venue};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) fn suite() -> Suite {
    let start = || Venue::Alpaca.start(Options::new(Arc::new(SystemClock)));
    Suite::new("alpaca", start, |double: &Double, setup| {
        let (endpoints, setup) = (double.endpoints(), setup.clone());
        Box::pin(async move { broker(&endpoints, &setup) })
    })
}

fn broker(endpoints: &BTreeMap<SmolStr, String>, setup: &Setup) -> Result<Arc<dyn Subject>, BoxError> {
    let mut config = AlpacaConfig::default();
    config.key_id = "env:key_id".parse()?;
    config.secret_key = "env:secret_key".parse()?;
    config.rest = endpoints.get("rest").cloned();
    config.data = endpoints.get("data").cloned();
    config.stream = endpoints.get("stream").cloned();
    config.look_every_ms = u64::try_from(setup.staleness.as_millis())?;
    config.deadline_ms = u64::try_from(setup.call_deadline.as_millis())?;
    Ok(Arc::new(Alpaca::new(config, connections("alpaca", setup, [])?)))
}
