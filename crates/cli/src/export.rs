//! What a run leaves for people and programs: files made by replaying the journal, whole or not at all.

use crate::config::RunConfig;
use crate::error::{CliError, ExitKind, OrExit};
use crate::files;
use crate::incidents::{Incident, incidents};
use crate::operations::{Operation, operations};
use crate::orders::Orders;
use crate::run_folder::RunFolder;
use crate::run_report;
use chrono::NaiveDate;
use mts_engine::{Core, Genesis};
use mts_foundation::event::Event;
use mts_foundation::fund::NavSnapshot;
use mts_foundation::num::exact;
use mts_foundation::risk::{Gate, HaltRequest, RejectCode};
use mts_foundation::{Decimal, FundBook, OrderId, OrderRecord};
use mts_quantkit::Performance;
use mts_quantkit::statistics::SESSIONS_PER_YEAR;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Name of the stored result within the folder of a run.
pub(crate) const RESULT: &str = "result.json";

/// The figures of a run, as `--json` prints them and `result.json` keeps them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub(crate) struct RunResult {
    /// Name of the run.
    pub(crate) name: String,
    /// First and last traded session.
    pub(crate) first_session: Option<NaiveDate>,
    pub(crate) last_session: Option<NaiveDate>,
    /// Whether the run reached its end; with `--until` it did not.
    pub(crate) finished: bool,
    /// SHA-256 of the state.
    pub(crate) state_hash: String,
    /// SHA-256 of the configuration.
    pub(crate) config_hash: String,
    #[serde(with = "exact")]
    pub(crate) initial_cash: Decimal,
    #[serde(with = "exact")]
    pub(crate) final_nav: Decimal,
    #[serde(with = "exact")]
    pub(crate) final_cash: Decimal,
    #[serde(with = "exact")]
    pub(crate) lowest_cash: Decimal,
    pub(crate) sessions: u64,
    pub(crate) orders: u64,
    pub(crate) fills: u64,
    pub(crate) rejections: u64,
    pub(crate) rejections_by_gate: BTreeMap<String, BTreeMap<String, u64>>,
    pub(crate) halts: u64,
    pub(crate) incidents: u64,
    pub(crate) inputs: u64,
    pub(crate) events: u64,
    #[serde(with = "exact")]
    pub(crate) fees: Decimal,
    #[serde(with = "exact")]
    pub(crate) traded: Decimal,
    /// Value traded, both sides, a year, over the average net asset value.
    pub(crate) turnover: f64,
    pub(crate) total_return: f64,
    pub(crate) annual_return: f64,
    pub(crate) annual_volatility: f64,
    pub(crate) sharpe: f64,
    pub(crate) max_drawdown: f64,
    pub(crate) calmar: f64,
    /// Wall time of the process that finished the run.
    pub(crate) seconds: f64,
    pub(crate) inputs_per_second: f64,
    pub(crate) events_per_second: f64,
}

/// Everything about a run that reports show, gathered by replaying its journal.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) config: RunConfig,
    pub(crate) genesis: Genesis,
    pub(crate) core: Core,
    pub(crate) nav: Vec<NavSnapshot>,
    pub(crate) orders: Vec<OrderRecord>,
    pub(crate) rejections: Vec<(NaiveDate, OrderId, Gate, RejectCode, String)>,
    pub(crate) halts: Vec<HaltRequest>,
    pub(crate) incidents: Vec<Incident>,
    pub(crate) operations: Vec<Operation>,
    pub(crate) fills: Vec<Event>,
    pub(crate) lowest_cash: Decimal,
}

/// The stored result of a run of this configuration. One that cannot be read is none: it is made anew from the journal.
pub(crate) fn stored_result(folder: &Path, config_hash: &str) -> Option<RunResult> {
    let text = std::fs::read_to_string(folder.join(RESULT)).ok()?;
    serde_json::from_str::<RunResult>(&text).ok().filter(|result| result.config_hash == config_hash)
}

/// Gathers the facts of a run.
pub(crate) fn facts(mut run: RunFolder) -> Result<Facts, CliError> {
    let (mut orders, mut nav, mut rejections, mut halts) =
        (Orders::default(), Vec::new(), Vec::new(), Vec::new());
    let (mut found, mut acts, mut fills) = (Vec::new(), Vec::new(), Vec::new());
    let book = run.core.state().ledger().fund(&run.config.fund.fund_id);
    let mut lowest_cash = book.map_or(run.config.fund.initial_cash, FundBook::cash);
    run.replay(&mut |step| {
        orders.note(step);
        acts.extend(operations(step.input, step.output));
        found.extend(incidents(step));
        let date = step.core.state().session().unwrap_or_default();
        for event in &step.output.events {
            match event {
                Event::FillCreated { cash, .. } => {
                    lowest_cash = lowest_cash.min(*cash);
                    fills.push(event.clone());
                }
                Event::GateFailed(failed) => {
                    let rejection = &failed.rejection;
                    rejections.push((
                        date,
                        failed.order_id.clone(),
                        rejection.gate,
                        rejection.code,
                        rejection.message.clone(),
                    ));
                }
                Event::HaltRequested(halt) => halts.push(halt.clone()),
                Event::NavUpdated(snapshot) => nav.push(snapshot.clone()),
                _ => {}
            }
        }
    })?;
    let RunFolder { genesis, config, core, .. } = run;
    Ok(Facts {
        orders: orders.at(&core),
        config,
        genesis,
        core,
        nav,
        rejections,
        halts,
        incidents: found,
        operations: acts,
        fills,
        lowest_cash,
    })
}

impl Facts {
    /// Net asset values, the starting capital first.
    pub(crate) fn values(&self) -> Vec<f64> {
        std::iter::once(self.config.fund.initial_cash)
            .chain(self.nav.iter().map(|snapshot| snapshot.nav_usd))
            .map(|value| value.to_f64().unwrap_or(f64::NAN))
            .collect()
    }

    /// The figures.
    pub(crate) fn result(&self, finished: bool, seconds: f64) -> RunResult {
        let (state, values) = (self.core.state(), self.values());
        let performance = Performance::of_values(&values, SESSIONS_PER_YEAR);
        let counters = state.counters();
        let book = state.ledger().fund(&self.config.fund.fund_id);
        let years = self.nav.len() as f64 / SESSIONS_PER_YEAR;
        let average = values.iter().sum::<f64>() / values.len().max(1) as f64;
        let traded = counters.traded.to_f64().unwrap_or(0.0);
        let mut rejections_by_gate: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
        for (_, _, gate, code, _) in &self.rejections {
            *rejections_by_gate.entry(gate.to_string()).or_default().entry(code.to_string()).or_default() +=
                1;
        }
        let zero = Decimal::ZERO;
        RunResult {
            name: self.config.run.name.clone(),
            first_session: self.nav.first().map(|snapshot| snapshot.asof),
            last_session: self.nav.last().map(|snapshot| snapshot.asof),
            finished,
            state_hash: files::hex(&self.core.state_hash()),
            config_hash: self.genesis.config_hash.clone(),
            initial_cash: self.config.fund.initial_cash,
            final_nav: book.map_or(zero, mts_foundation::FundBook::nav).normalize(),
            final_cash: book.map_or(zero, mts_foundation::FundBook::cash).normalize(),
            lowest_cash: self.lowest_cash.normalize(),
            sessions: counters.sessions,
            orders: counters.orders,
            fills: counters.fills,
            rejections: counters.rejected,
            rejections_by_gate,
            halts: self.halts.len() as u64,
            incidents: counters.incidents,
            inputs: state.inputs(),
            events: counters.events,
            fees: book.map_or(zero, mts_foundation::FundBook::fees).normalize(),
            traded: counters.traded.normalize(),
            turnover: if years > 0.0 && average > 0.0 { traded / years / average } else { 0.0 },
            total_return: performance.map_or(0.0, |performance| performance.total_return),
            annual_return: performance.map_or(0.0, |performance| performance.annual_return),
            annual_volatility: performance.map_or(0.0, |performance| performance.annual_volatility),
            sharpe: performance.map_or(0.0, |performance| performance.sharpe),
            max_drawdown: performance.map_or(0.0, |performance| performance.max_drawdown),
            calmar: performance.map_or(0.0, |performance| performance.calmar),
            seconds,
            inputs_per_second: if seconds > 0.0 { state.inputs() as f64 / seconds } else { 0.0 },
            events_per_second: if seconds > 0.0 { counters.events as f64 / seconds } else { 0.0 },
        }
    }

    /// Writes orders.jsonl, fills.jsonl, incidents.jsonl, operations.jsonl, nav.csv and report.html; the stored result comes last, so that its presence
    /// says that the others are complete.
    pub(crate) fn write(&self, folder: &Path, result: &RunResult, report: bool) -> Result<(), CliError> {
        files::write_whole(&folder.join("orders.jsonl"), &lines(&self.orders)?)?;
        files::write_whole(&folder.join("fills.jsonl"), &lines(&self.fills)?)?;
        files::write_whole(&folder.join("incidents.jsonl"), &lines(&self.incidents)?)?;
        files::write_whole(&folder.join("operations.jsonl"), &lines(&self.operations)?)?;
        let mut nav = String::from("date,nav,cash,long,short,positions\n");
        for NavSnapshot { asof, nav_usd, cash_usd, long_usd, short_usd, positions, .. } in &self.nav {
            let numbers =
                [nav_usd, cash_usd, long_usd, short_usd].map(|number| number.normalize().to_string());
            nav.push_str(&format!("{asof},{},{positions}\n", numbers.join(",")));
        }
        files::write_whole(&folder.join("nav.csv"), nav.as_bytes())?;
        if report {
            let html =
                crate::report::render(&run_report::report(self, result)).or_exit(ExitKind::Internal)?;
            files::write_whole(&folder.join("report.html"), html.as_bytes())?;
        }
        let stored = serde_json::to_string_pretty(result).or_exit(ExitKind::Internal)?;
        files::write_whole(&folder.join(RESULT), format!("{stored}\n").as_bytes())
    }
}

/// A line of JSON each.
fn lines(values: &[impl Serialize]) -> Result<Vec<u8>, CliError> {
    let mut out = Vec::new();
    for value in values {
        serde_json::to_writer(&mut out, value).or_exit(ExitKind::Internal)?;
        out.push(b'\n');
    }
    Ok(out)
}
