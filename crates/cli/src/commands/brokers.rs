//! `mts brokers`: which there are, what they can do, and whether one works.

use super::print::{say, say_json, table};
use super::trial_order;
use crate::app::{App, BrokerContext};
use crate::args::brokers::TestArgs;
use crate::config::{BrokerSection, load};
use crate::error::{CliError, ExitKind, OrExit};
use crate::live::SystemClock;
use crate::venue::first_quote;
use mts_foundation::broker::{Capabilities, Check, DynBroker, FillStream};
use mts_foundation::double::VenueDouble;
use mts_foundation::{Currency, Decimal, InstrumentTable, Symbol, capability_matrix};
use mts_venues::{Double, Options, Venue};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Longest wait for the whole self-test of a broker.
const PATIENCE: Duration = Duration::from_secs(90);

/// A broker by its registry name with these parameters, not connected.
fn made(app: &App, section: &BrokerSection, record: Option<&Path>) -> Result<Arc<dyn DynBroker>, CliError> {
    let name = section.name.as_str();
    let context = BrokerContext {
        section,
        instruments: &InstrumentTable::new(),
        initial_cash: Decimal::ZERO,
        currency: Currency::USD,
        record,
    };
    if let Some(make) = app.live_brokers.get(name) {
        return make(context);
    }
    if let Some(make) = app.brokers.get(name) {
        let simulated: Box<dyn DynBroker> = make(context)?;
        return Ok(Arc::from(simulated));
    }
    let known: Vec<&str> = names(app).collect();
    let message = format!("there is no broker {name:?}; use one of {}", known.join(", "));
    Err(CliError::new(ExitKind::Usage, message))
}

/// Names of the brokers for live runs, then of those of back-tests.
fn names(app: &App) -> impl Iterator<Item = &str> {
    let simulated = app.brokers.keys().filter(|name| !app.live_brokers.contains_key(*name));
    app.live_brokers.keys().chain(simulated).map(String::as_str)
}

/// The section of a broker with these parameters.
fn section(name: &str, params: &BTreeMap<String, String>) -> Result<BrokerSection, CliError> {
    serde_json::from_value(json!({ "name": name, "params": params })).or_exit(ExitKind::Usage)
}

/// Every broker that can be made without settings, with what it can do, or why it cannot be made.
fn all(app: &App) -> Result<BTreeMap<String, Result<Capabilities, String>>, CliError> {
    let runtime = runtime()?;
    let _inside = runtime.enter();
    let mut found = BTreeMap::new();
    for name in names(app) {
        let broker = section(name, &BTreeMap::new()).and_then(|section| made(app, &section, None));
        found.insert(
            name.to_owned(),
            broker.map(|broker| broker.capabilities().clone()).map_err(|error| error.message),
        );
    }
    Ok(found)
}

fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().or_exit(ExitKind::Internal)
}

/// `mts brokers list`.
pub(crate) fn list(app: &App, json: bool) -> Result<(), CliError> {
    let all = all(app)?;
    if json {
        let rows: Vec<Value> = all
            .iter()
            .map(|(name, can)| json!({ "name": name, "capabilities": can.as_ref().ok(), "double": has_double(name) }))
            .collect();
        return say_json(&rows);
    }
    let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
    let rows = all.iter().map(|(name, can)| {
        let Ok(can) = can else {
            let mut row = vec![name.clone(), "needs settings".to_owned()];
            row.resize(6, String::new());
            return row;
        };
        vec![
            name.clone(),
            classes(can),
            yes(can.shorting),
            yes(can.sandbox),
            fills(can),
            yes(has_double(name)),
        ]
    });
    say(&table(&["broker", "trades", "short", "sandbox", "fills", "double here"], rows.collect(), &[]));
    say(
        "\nthe paper broker takes the place of each in paper and shadow runs; mts brokers capabilities NAME shows more",
    );
    Ok(())
}

/// `mts brokers capabilities`.
pub(crate) fn capabilities(
    app: &App,
    name: Option<&str>,
    json: bool,
    markdown: bool,
) -> Result<(), CliError> {
    let mut all = all(app)?;
    if let Some(name) = name {
        made_name(app, name)?;
        all.retain(|known, _| known == name);
    }
    if markdown {
        let made: Vec<_> =
            all.iter().filter_map(|(name, can)| Some((name.as_str(), can.as_ref().ok()?))).collect();
        say(match (name, made.first()) {
            (Some(_), Some((_, can))) => can.markdown(),
            _ => capability_matrix(&made),
        }
        .trim_end());
        return Ok(());
    }
    if json {
        let map: BTreeMap<_, _> = all.iter().map(|(name, can)| (name, can.as_ref().ok())).collect();
        return say_json(&map);
    }
    for (nth, (name, can)) in all.iter().enumerate() {
        if nth > 0 {
            say("");
        }
        match can {
            Ok(can) => {
                say(name);
                show(can);
            }
            Err(message) => say(&format!("{name}\n  {message}")),
        }
    }
    Ok(())
}

fn made_name(app: &App, name: &str) -> Result<(), CliError> {
    match names(app).any(|known| known == name) {
        true => Ok(()),
        false => section(name, &BTreeMap::new()).and_then(|section| made(app, &section, None)).map(|_| ()),
    }
}

fn classes(can: &Capabilities) -> String {
    can.asset_classes.iter().map(|class| class.as_str()).collect::<Vec<_>>().join(", ")
}

fn fills(can: &Capabilities) -> String {
    match can.fill_stream {
        FillStream::Push => "pushed".to_owned(),
        FillStream::Poll { seconds } => format!("every {seconds} s"),
    }
}

fn show(can: &Capabilities) {
    let rows = can.order_types.iter().map(|(order_type, tifs)| {
        let tifs: Vec<&str> = tifs.iter().map(|tif| tif.as_str()).collect();
        vec![format!("  {order_type}"), tifs.join(", ")]
    });
    say(&table(&["  order type", "times in force"], rows.collect(), &[]));
    let yes = |is: bool| if is { "yes" } else { "no" };
    let days = can.gtc_max_days.map_or_else(|| "without limit".to_owned(), |days| format!("{days} days"));
    say(&format!(
        "  trades {}; short {}, extended hours {}, margin {}, sandbox {}\n  one order a key at the venue {}, changes in place {}, \
         fills {}, good-till-cancelled {days}",
        classes(can),
        yes(can.shorting),
        yes(can.extended_hours),
        yes(can.margin),
        yes(can.sandbox),
        yes(can.client_id_dedupe),
        yes(can.replace),
        fills(can)
    ));
}

fn has_double(name: &str) -> bool {
    name.parse::<Venue>().is_ok()
}

/// `mts brokers test`.
pub(crate) fn test(app: &App, args: &TestArgs) -> Result<(), CliError> {
    let symbol = args.symbol.as_deref().map(Symbol::new).transpose().or_exit(ExitKind::Usage)?;
    let mut playground = None;
    let section = match (&args.config, &args.broker) {
        (Some(path), _) => load(path)?.config.broker,
        (None, Some(name)) if args.double => {
            let (double, folder, params) = double(name)?;
            playground = Some((double, folder));
            section(name, &params)?
        }
        (None, name) => section(name.as_deref().unwrap_or_default(), &BTreeMap::new())?,
    };
    if args.order.is_some() && !args.double && !args.live {
        let message = "--order sends an order to the venue; say --live if that is what you want, or try it with --double";
        return Err(CliError::new(ExitKind::Usage, message));
    }
    let now = mts_foundation::Clock::now(&SystemClock);
    let order = match (&symbol, args.order) {
        (Some(symbol), Some(limit)) => {
            Some(trial_order::order(section.name.as_str(), symbol, limit, args.units, now)?)
        }
        _ => None,
    };
    let runtime = runtime()?;
    let checks = runtime.block_on(async {
        let broker = made(app, &section, args.record.as_deref())?;
        let looked = tokio::time::timeout(PATIENCE, broker.diagnose(symbol.as_ref())).await;
        let mut checks = looked.map_err(|_| {
            let message = format!("{} did not answer within {} s", section.name, PATIENCE.as_secs());
            CliError::new(ExitKind::Refused, message)
        })?;
        if let Some(order) = &order
            && checks.iter().all(|check| check.ok)
        {
            // Some venues want to be told of a session before they take orders.
            broker.connect().await.or_exit(ExitKind::Refused)?;
            // Each call has its deadline; the whole has none, so that an order that was placed is never left unnamed.
            checks.extend(trial_order::place_and_cancel(&*broker, order).await);
        }
        // What was seen is told, however the end goes.
        drop(broker.close().await);
        Ok::<_, CliError>(checks)
    })?;
    drop(playground);
    told(&section, &checks, args.json)
}

fn told(section: &BrokerSection, checks: &[Check], json: bool) -> Result<(), CliError> {
    let failed = checks.iter().filter(|check| !check.ok).count();
    if json {
        say_json(&json!({ "broker": section.name, "passed": failed == 0, "checks": checks }))?;
    } else {
        let rows = checks.iter().map(|check| {
            vec![
                if check.ok { "ok" } else { "FAILED" }.to_owned(),
                check.name.to_string(),
                check.detail.clone(),
            ]
        });
        say(&table(&["", section.name.as_str(), ""], rows.collect(), &[]));
        if failed == 0 {
            say("ALL CHECKS PASSED");
        }
    }
    match failed {
        0 => Ok(()),
        _ => Err(CliError::new(ExitKind::Refused, format!("{failed} of {} checks failed", checks.len()))),
    }
}

/// The double of a venue, and the parameters of its broker. The folder holds the credentials.
fn double(name: &str) -> Result<(Double, tempfile::TempDir, BTreeMap<String, String>), CliError> {
    let venue: Venue = name.parse().or_exit(ExitKind::Usage)?;
    let clock = Arc::new(SystemClock);
    let double = venue.start(Options::new(clock.clone())).or_exit(ExitKind::Internal)?;
    let now = mts_foundation::Clock::now(&*clock);
    for symbol in double.symbols() {
        double.quote(&first_quote(symbol, now)?);
    }
    let folder = tempfile::tempdir().or_exit(ExitKind::Output)?;
    let mut params: BTreeMap<String, String> =
        double.endpoints().into_iter().map(|(name, address)| (name.to_string(), address)).collect();
    for (name, secret) in double.credentials() {
        // Files of this kind are their owner's alone.
        let mut file = tempfile::Builder::new().tempfile_in(folder.path()).or_exit(ExitKind::Output)?;
        std::io::Write::write_all(&mut file, secret.expose_secret().as_bytes()).or_exit(ExitKind::Output)?;
        let (_, path) = file.keep().or_exit(ExitKind::Output)?;
        params.insert(name.to_string(), format!("file:{}", path.display()));
    }
    Ok((double, folder, params))
}
