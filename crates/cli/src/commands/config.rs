//! `mts config`.

use super::print::{say, say_json, table};
use super::run::dry;
use crate::app::App;
use crate::config::{BrokerSection, KEYS, Resume, load, markdown};
use crate::error::CliError;
use crate::report::money;
use crate::setup::genesis;
use serde_json::json;
use std::path::Path;

/// Checks a configuration with all its files and says what it will do.
pub(crate) fn check(app: &App, path: &Path, as_json: bool) -> Result<(), CliError> {
    let loaded = load(path)?;
    let (files, parts) = dry(app, &loaded)?;
    let genesis = genesis(app, &loaded.config, &files)?;
    let config = &loaded.config;
    let (first, last) = parts.feed.range;
    if as_json {
        return say_json(&json!({
            "ok": true,
            "config_hash": genesis.config_hash,
            "files": genesis.files,
            "data": { "first": first, "last": last, "symbols": parts.feed.symbols },
            "config": config,
        }));
    }
    let envelope = &config.envelope;
    let share = |value: f64| format!("{} of NAV", crate::report::percent(value, 2));
    let concentration = |value: f64| if value < 1.0 { share(value) } else { "off".to_owned() };
    let on = |text: Option<String>| text.unwrap_or_else(|| "off".to_owned());
    let halts = match config.operator.resume {
        Resume::Never => "stay to the end of the run",
        Resume::NextSession => "are lifted in the next session, after its open",
    };
    let strategy = match &config.strategy.factor {
        Some(factor) => format!("{} by {factor}, {:?}", config.strategy.kind, config.strategy.rebalance),
        None => config.strategy.kind.clone(),
    };
    let sizer = config.sizer.as_ref().and_then(|sizer| {
        let name = sizer.name.clone()?;
        Some(format!("{name}, {} in cash", sizer.cash_buffer))
    });
    let rows: Vec<Vec<String>> = [
        (
            "run",
            format!(
                "{} from {} to {} on {}",
                config.run.name, config.run.start, config.run.end, config.run.calendar
            ),
        ),
        (
            "data",
            format!(
                "{} instruments, {first} to {last}, {}",
                parts.feed.symbols.len(),
                files.data.0.display()
            ),
        ),
        (
            "fund",
            format!(
                "{} with {} {}",
                config.fund.fund_id,
                money(config.fund.initial_cash),
                config.fund.base_currency
            ),
        ),
        ("broker", broker(&config.broker)),
        ("strategy", strategy),
        ("sizer", on(sizer)),
        ("position limit", share(envelope.max_position_pct)),
        (
            "gross and net limit",
            format!(
                "{} and {}",
                share(envelope.max_gross_exposure_pct),
                share(envelope.max_net_exposure_pct)
            ),
        ),
        ("sector limit", concentration(envelope.max_sector_pct)),
        ("asset class limit", concentration(envelope.max_asset_class_pct)),
        ("country limit", concentration(envelope.max_country_pct)),
        (
            "order limit",
            format!(
                "{} and {}",
                money(envelope.max_order_notional_usd),
                on(config.gates.max_order_notional_pct.map(share))
            ),
        ),
        (
            "halts at",
            format!(
                "{} a day, {} a week, {} a month; {halts}",
                crate::report::percent(envelope.daily_loss_halt_pct, 1),
                crate::report::percent(envelope.weekly_loss_halt_pct, 1),
                crate::report::percent(envelope.monthly_loss_halt_pct, 1),
            ),
        ),
        (
            "buying power",
            if config.gates.buying_power { "cash must cover purchases" } else { "off" }.to_owned(),
        ),
        ("configuration", genesis.config_hash),
    ]
    .into_iter()
    .map(|(name, value)| vec![name.to_owned(), value])
    .collect();
    say(&table(&["", ""], rows, &[]));
    say(&format!("\n{} is fine; run it with: mts run {}", path.display(), path.display()));
    Ok(())
}

/// Lists every key.
pub(crate) fn keys(as_json: bool, as_markdown: bool) -> Result<(), CliError> {
    if as_markdown {
        say(markdown().trim());
        return Ok(());
    }
    if as_json {
        let list: Vec<_> = KEYS
            .iter()
            .map(|key| {
                json!({ "section": key.section, "name": key.name, "takes": key.kind, "default": key.default, "doc": key.doc })
            })
            .collect();
        return say_json(&list);
    }
    let rows = KEYS
        .iter()
        .map(|key| vec![format!("{}.{}", key.section, key.name), key.default.to_owned(), key.doc.to_owned()])
        .collect();
    say(&table(&["key", "when absent", "what it does"], rows, &[]));
    Ok(())
}

fn broker(section: &BrokerSection) -> String {
    if section.fees.is_some() {
        format!("{}, fees by broker.fees", section.name)
    } else {
        format!("{}, {} bps a side", section.name, section.fee_bps_per_side)
    }
}
