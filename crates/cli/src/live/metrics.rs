//! Metrics as Prometheus reads them, on the loopback address alone.

use crate::error::{CliError, ExitKind};
use mts_engine::Core;
use mts_engine::shell::live::{Handle, Latency, LiveStats};
use mts_foundation::{Clock, OrderState, Timestamp};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Longest wait for a scraper or for the engine.
const PATIENCE: Duration = Duration::from_secs(2);

/// Bytes of a request that are read; what they say does not matter.
const REQUEST: usize = 4_096;

/// Opens the port.
pub(crate) fn listen(port: u16) -> Result<std::net::TcpListener, CliError> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let failed = |error: std::io::Error| {
        CliError::new(
            ExitKind::Output,
            format!("metrics.port {port} cannot be opened: {error}; choose another"),
        )
    };
    let listener = std::net::TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(listener)
}

/// Serves until the engine ends, one scraper after the other.
pub(crate) async fn serve(listener: std::net::TcpListener, handle: Handle, clock: Arc<dyn Clock>) {
    let Ok(listener) = TcpListener::from_std(listener) else { return };
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        // A scraper that hangs is let go.
        tokio::time::timeout(PATIENCE.saturating_mul(2), one(stream, &handle, &*clock)).await.ok();
    }
}

async fn one(mut stream: TcpStream, handle: &Handle, clock: &dyn Clock) -> std::io::Result<()> {
    let mut request = [0; REQUEST];
    let read = stream.read(&mut request).await?;
    let wanted = request.get(..read).is_some_and(|request| request.starts_with(b"GET /metrics"));
    let now = clock.now();
    let (status, body) = if !wanted {
        ("404 Not Found", "the metrics are at /metrics\n".to_owned())
    } else {
        match handle.ask(move |core, stats| text(core, stats, now), PATIENCE).await {
            Ok(body) => ("200 OK", body),
            Err(error) => ("503 Service Unavailable", format!("{error}\n")),
        }
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: {}\r\nConnection: \
         close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

/// One family of the text format.
struct Family<'a> {
    out: &'a mut String,
    name: &'static str,
}

impl<'a> Family<'a> {
    fn new(out: &'a mut String, name: &'static str, kind: &str, help: &str) -> Self {
        // Writing into a string has no way to fail.
        writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}").unwrap_or_default();
        Self { out, name }
    }

    fn value(&mut self, labels: &[(&str, &str)], value: impl std::fmt::Display) {
        let labels: Vec<String> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        writeln!(self.out, "{}{labels} {value}", self.name).unwrap_or_default();
    }

    /// The buckets of a histogram, each with all that was shorter, then sum and count.
    fn histogram(&mut self, latency: &Latency) {
        let (out, name) = (&mut *self.out, self.name);
        let mut so_far = 0_u64;
        for (bound, count) in Latency::BOUNDS.iter().zip(&latency.counts) {
            so_far = so_far.saturating_add(*count);
            writeln!(out, "{name}_bucket{{le=\"{}\"}} {so_far}", seconds(*bound)).unwrap_or_default();
        }
        let (sum, count) = (seconds(latency.nanos), latency.count);
        writeln!(out, "{name}_bucket{{le=\"+Inf\"}} {count}\n{name}_sum {sum}\n{name}_count {count}")
            .unwrap_or_default();
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

/// All metrics.
fn text(core: &Core, stats: &LiveStats, now: Timestamp) -> String {
    let mut text = String::new();
    let out = &mut text;
    let state = core.state();
    let counters = state.counters();
    let flag = |on: bool| u8::from(on);
    Family::new(out, "mts_inputs_total", "counter", "Inputs of the core since the journal began.")
        .value(&[], state.inputs());
    Family::new(out, "mts_orders_total", "counter", "Orders made, refused ones included.")
        .value(&[], counters.orders);
    Family::new(out, "mts_fills_total", "counter", "Fills booked.").value(&[], counters.fills);
    Family::new(out, "mts_duplicate_fills_total", "counter", "Fills seen again and ignored.")
        .value(&[], counters.duplicate_fills);
    Family::new(out, "mts_incidents_total", "counter", "Incidents raised.").value(&[], counters.incidents);
    let mut refused = Family::new(out, "mts_orders_refused_total", "counter", "Orders refused, by code.");
    for (code, count) in &counters.by_code {
        refused.value(&[("code", code.as_str())], count);
    }
    // Only what is open is walked over: orders that ended are remembered for a day, and this is the core's thread.
    let mut by_state: BTreeMap<OrderState, u64> = BTreeMap::new();
    for (fund, _) in state.ledger().funds() {
        for record in state.working_orders(fund) {
            *by_state.entry(record.state).or_default() += 1;
        }
    }
    let mut orders = Family::new(out, "mts_orders", "gauge", "Orders that have not ended, by state.");
    for open in OrderState::ALL.iter().filter(|state| !state.is_terminal()) {
        orders.value(&[("state", open.as_str())], by_state.get(open).copied().unwrap_or_default());
    }
    Family::new(out, "mts_unknown_orders", "gauge", "Orders that may or may not be live.")
        .value(&[], core.unknown_orders().count());
    let mut nav = Family::new(out, "mts_nav", "gauge", "Net asset value of a fund, in its currency.");
    for (fund, book) in state.ledger().funds() {
        nav.value(&[("fund", fund.as_str())], book.nav());
    }
    let mut reconciled = Family::new(
        out,
        "mts_account_age_seconds",
        "gauge",
        "Seconds since account and books were compared; -1 = not since the start or the last reconnection.",
    );
    for account in core.accounts() {
        let age = account.reconciled.map_or(-1.0, |at| now.since(at).as_secs_f64());
        reconciled.value(&[("broker", account.broker.as_str())], age);
    }
    let mut connected = Family::new(out, "mts_broker_connected", "gauge", "Whether a broker is connected.");
    for account in core.accounts() {
        connected.value(&[("broker", account.broker.as_str())], flag(account.connected));
    }
    let mut unexplained = Family::new(
        out,
        "mts_positions_unexplained",
        "gauge",
        "Instruments in which account and books differ.",
    );
    for account in core.accounts() {
        unexplained.value(&[("broker", account.broker.as_str())], account.unexplained.len());
    }
    Family::new(out, "mts_halts", "gauge", "Halts in force.").value(&[], core.risk().halts().len());
    Family::new(out, "mts_killed", "gauge", "Whether the kill switch is on.")
        .value(&[], flag(core.risk().killed().is_some()));
    Family::new(out, "mts_commits_total", "counter", "Commits of the journal since the process began.")
        .value(&[], stats.commits);
    Family::new(out, "mts_commit_seconds_total", "counter", "Seconds spent in commits of the journal.")
        .value(&[], seconds(stats.commit_nanos));
    Family::new(out, "mts_longest_commit_seconds", "gauge", "The longest commit of the journal.")
        .value(&[], seconds(stats.longest_commit_nanos));
    for (name, longest, help, latency) in [
        (
            "mts_decide_seconds",
            "mts_longest_decide_seconds",
            "Seconds from handing an input to the core to its answer, pure gates included, the commit not.",
            &stats.decisions,
        ),
        (
            "mts_gate_seconds",
            "mts_longest_gate_seconds",
            "Seconds from asking the asynchronous gates about an order to their answer.",
            &stats.gates,
        ),
    ] {
        Family::new(out, name, "histogram", help).histogram(latency);
        Family::new(out, longest, "gauge", "The longest of them.").value(&[], seconds(latency.longest_nanos));
    }
    Family::new(out, "mts_largest_group", "gauge", "Most inputs of one commit.")
        .value(&[], stats.largest_group);
    Family::new(out, "mts_market_events_total", "counter", "Market events taken since the process began.")
        .value(&[], stats.market_events);
    if let Some(last) = stats.last_market_event {
        Family::new(out, "mts_feed_age_seconds", "gauge", "Seconds since the last market event.")
            .value(&[], now.since(last).as_secs_f64());
    }
    Family::new(out, "mts_feed_silent", "gauge", "Whether the feed is silent for too long.")
        .value(&[], flag(stats.feed_silent));
    Family::new(out, "mts_strategy_errors_total", "counter", "Errors of strategies.")
        .value(&[], stats.error_count);
    Family::new(out, "mts_data_dropped_total", "counter", "Market data that slow strategies never saw.")
        .value(&[], stats.data_dropped);
    Family::new(out, "mts_calls_refused_total", "counter", "Calls that a full queue refused.")
        .value(&[], stats.calls_refused);
    Family::new(out, "mts_marks_conflated_total", "counter", "Marks that conflation held back.")
        .value(&[], stats.marks_conflated);
    let mut depth = Family::new(out, "mts_deepest_lane", "gauge", "Most messages that waited, by lane.");
    depth.value(&[("lane", "events")], stats.deepest_event_lane);
    depth.value(&[("lane", "market")], stats.deepest_market_lane);
    text
}

/// Shown to the microsecond and beyond; counters need no more.
#[expect(clippy::cast_precision_loss, reason = "for people and graphs")]
fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}
