//! The suite of mts for brokers, against Acme's adapter and its double: `cargo test`, or `cargo test --test conformance -- X
//! --quiet` for some of it.

use custom_broker::{AcmeBroker, AcmeDouble};
use mts_conformance::broker::{BoxError, Setup, Subject, Suite};
use std::convert::Infallible;
use std::process::ExitCode;
use std::sync::Arc;

fn main() -> ExitCode {
    let double = || Ok::<_, Infallible>(AcmeDouble::start());
    Suite::new("acme", double, |double: &AcmeDouble, setup| {
        let (venue, setup) = (double.venue(), setup.clone());
        Box::pin(async move { broker(venue, &setup) })
    })
    .main()
}

fn broker(venue: Arc<custom_broker::venue::Venue>, setup: &Setup) -> Result<Arc<dyn Subject>, BoxError> {
    let secret = setup.secrets.get("secret").ok_or("give a secret")?.clone();
    Ok(Arc::new(AcmeBroker::new(venue, secret, setup.call_deadline, setup.staleness)?))
}
