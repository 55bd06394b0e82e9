//! Kraken's adapter against Kraken's double.

use super::real::connections;
use mts_brokers::kraken::PRIVATE;
use mts_brokers::{Kraken, KrakenConfig};
use mts_conformance::broker::{BoxError, Setup, Subject, Suite};
use mts_foundation::double::VenueDouble;
use mts_transport::{Budget, SystemClock};
use mts_venues::{Double, Options, Venue};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is asked of the double is not counted: the suite asks in a second what an account may ask in an hour.
const BUDGET: Budget = Budget::per_minute(PRIVATE, 1_000_000);

pub(super) fn suite() -> Suite {
    let start = || Venue::Kraken.start(Options::new(Arc::new(SystemClock)));
    Suite::new("kraken", start, |double: &Double, setup| {
        let (endpoints, setup) = (double.endpoints(), setup.clone());
        Box::pin(async move { broker(&endpoints, &setup) })
    })
}

fn broker(endpoints: &BTreeMap<SmolStr, String>, setup: &Setup) -> Result<Arc<dyn Subject>, BoxError> {
    let mut config = KrakenConfig::default();
    config.api_key = "env:api_key".parse()?;
    config.api_secret = "env:api_secret".parse()?;
    config.rest = endpoints.get("rest").cloned();
    config.stream = endpoints.get("stream").cloned();
    config.look_every_ms = u64::try_from(setup.staleness.as_millis())?;
    config.deadline_ms = u64::try_from(setup.call_deadline.as_millis())?;
    // The double says something every second, and the transport asks more often.
    config.silence_ms = u64::try_from(setup.staleness.as_millis().saturating_mul(4))?;
    Ok(Arc::new(Kraken::new(config, connections("kraken", setup, [BUDGET])?)))
}
