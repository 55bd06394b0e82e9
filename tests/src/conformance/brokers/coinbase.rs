//! Coinbase's adapter against Coinbase's double.

use super::real::connections;
use mts_brokers::{Coinbase, CoinbaseConfig};
use mts_conformance::broker::{BoxError, Setup, Subject, Suite};
use mts_foundation::double::VenueDouble;
use mts_transport::SystemClock;
use mts_venues::{Double, Options, Venue};
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) fn suite() -> Suite {
    coinbase(&[])
}

/// The suite against a double that is as these variants say (docs/venues.md).
#[must_use]
pub fn coinbase(variants: &[&str]) -> Suite {
    let variants: Vec<String> = variants.iter().map(ToString::to_string).collect();
    let start = move || {
        let options = Options { variants: variants.clone(), ..Options::new(Arc::new(SystemClock)) };
        Venue::Coinbase.start(options)
    };
    Suite::new("coinbase", start, |double: &Double, setup| {
        let (endpoints, setup) = (double.endpoints(), setup.clone());
        Box::pin(async move { broker(&endpoints, &setup) })
    })
}

fn broker(endpoints: &BTreeMap<SmolStr, String>, setup: &Setup) -> Result<Arc<dyn Subject>, BoxError> {
    let mut config = CoinbaseConfig::default();
    config.api_key = "env:api_key".parse()?;
    config.api_secret = "env:api_secret".parse()?;
    config.rest = endpoints.get("rest").cloned();
    config.stream = endpoints.get("stream").cloned();
    config.look_every_ms = u64::try_from(setup.staleness.as_millis())?;
    config.deadline_ms = u64::try_from(setup.call_deadline.as_millis())?;
    Ok(Arc::new(Coinbase::new(config, connections("coinbase", setup, [])?)))
}
