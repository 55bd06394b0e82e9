//! `mts venue NAME`: a venue's double for people, with a script of what goes wrong.

use super::script::Script;
use crate::args::venue::DoubleArgs;
use crate::commands::say;
use crate::error::{CliError, ExitKind, OrExit};
use crate::live::SystemClock;
use crate::signals::StopSignal;
use mts_foundation::double::VenueDouble;
use mts_foundation::{Clock, Timestamp};
use mts_foundation::{Decimal, Quote, Symbol, VenueName};
use mts_venues::{Double, Options, StartError, Venue};
use secrecy::ExposeSecret;
use std::fmt::Write;
use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

/// How often the script and the signals are looked at.
const TICK: Duration = Duration::from_millis(20);

/// Serves a double until a signal comes.
pub(crate) fn double(venue: Venue, args: &DoubleArgs) -> Result<(), CliError> {
    let mut script = match &args.script {
        Some(path) => Script::read(path)?,
        None => Script::default(),
    };
    let clock = Arc::new(SystemClock);
    let mut options = Options::new(clock.clone());
    (options.port, options.seed) = (args.port, args.seed);
    (options.tls, options.variants) = (args.tls.is_some(), args.variants.clone());
    if let Some(path) = &args.log {
        let file = File::create(path).map_err(|error| {
            let message =
                format!("--log is {} and cannot be written: {error}; choose another file", path.display());
            CliError::new(ExitKind::Output, message)
        })?;
        options.log = Some(Box::new(file));
    }
    let signal = StopSignal::install()?;
    let double = venue.start(options).map_err(|error| {
        let kind = match error {
            StartError::Listen { .. } => ExitKind::Output,
            StartError::Setting(_) => ExitKind::Usage,
            StartError::Runtime(_) => ExitKind::Internal,
        };
        CliError::new(kind, error)
    })?;
    if let (Some(path), Some(certificate)) = (&args.tls, double.certificate()) {
        std::fs::write(path, certificate).map_err(|error| {
            let message =
                format!("--tls is {} and cannot be written: {error}; choose another file", path.display());
            CliError::new(ExitKind::Output, message)
        })?;
    }
    for symbol in double.symbols() {
        double.quote(&first_quote(symbol, clock.now())?);
    }
    say(&introduction(venue, &double));
    let started = clock.monotonic();
    loop {
        if let Some(kind) = signal.received() {
            return Err(CliError::new(kind, "the double has ended, and it forgets everything"));
        }
        let elapsed = clock.monotonic().saturating_sub(started);
        for line in script.run(&double, elapsed) {
            say(&line);
        }
        std::thread::sleep(TICK);
    }
}

/// The price that an instrument begins with, made up: a hundred, with a cent between bid and offer, and any size.
pub(crate) fn first_quote(symbol: Symbol, timestamp: Timestamp) -> Result<Quote, CliError> {
    Ok(Quote {
        symbol,
        bid: Decimal::new(9_999, 2),
        ask: Decimal::ONE_HUNDRED,
        bid_size: Decimal::ZERO,
        ask_size: Decimal::ZERO,
        venue: VenueName::new("double").or_exit(ExitKind::Internal)?,
        timestamp,
    })
}

/// Where it is, what it takes, and how a run trades there.
fn introduction(venue: Venue, double: &Double) -> String {
    let mut text = format!("the double of {venue} listens; Ctrl-C ends it, and it forgets everything then\n");
    // Writing to a text cannot fail.
    let mut line = |line: String| writeln!(text, "{line}").unwrap_or_default();
    for (name, address) in double.endpoints() {
        line(format!("  {name:<12} {address}"));
    }
    let symbols: Vec<String> = double.symbols().iter().map(ToString::to_string).collect();
    line(format!("  instruments  {}, at 99.99 / 100 until a quote comes", symbols.join(", ")));
    line(String::new());
    for (name, secret) in double.credentials() {
        line(format!("export {}={}", variable(venue, &name), quoted(secret.expose_secret())));
    }
    line(String::new());
    if !venue.trades() {
        line("# prices for its clients:".to_owned());
        line(format!("# control = \"http://{}\"", double.control()));
        return text;
    }
    line("[broker]".to_owned());
    line(format!("name = \"{venue}\""));
    line("# prices of the run for this double, before the engine has them:".to_owned());
    line(format!("# control = \"http://{}\"", double.control()));
    line(String::new());
    line("[broker.params]".to_owned());
    for (name, address) in double.endpoints() {
        // A port is a number.
        let is_number = address.parse::<u16>().is_ok();
        line(if is_number { format!("{name} = {address}") } else { format!("{name} = \"{address}\"") });
    }
    for name in double.credentials().keys() {
        line(format!("{name} = \"env:{}\"", variable(venue, name)));
    }
    text
}

/// A text as a shell takes it for one word.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./+=:".contains(c);
    if text.chars().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

/// The environment variable that a secret is kept in.
fn variable(venue: Venue, name: &str) -> String {
    format!("{venue}_{name}").to_uppercase()
}
