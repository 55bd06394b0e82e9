//! `mts fund`: the funds of a firm, their capital, and how it is divided.

mod history;
mod plan;

use super::print::{say, say_json, table};
use crate::app::App;
use crate::args::fund::{ChangeArgs, CreateArgs, FundCommand, MoveArgs, RegistryArgs, ShowArgs};
use crate::error::{CliError, ExitKind};
use crate::fund_registry::{OpenRegistry, read};
use crate::fund_values::{FundValue, Source, value};
use crate::live::SystemClock;
use crate::report::{money, percent};
use mts_foundation::num::exact;
use mts_foundation::{Clock, Currency, Decimal, FundConfig, Timestamp};
use mts_portfolio::funds::{CapitalMove, FundChange, MoveKind, RegisteredFund, RegistryRecord};
use serde::Serialize;
use std::path::Path;

/// Does what is asked of the registry of funds.
pub(crate) fn fund(app: &App, command: &FundCommand) -> Result<(), CliError> {
    match command {
        FundCommand::Create(args) => create(app, args),
        FundCommand::List(args) => list(app, args),
        FundCommand::Show(args) => show(app, args),
        FundCommand::History(args) => history::history(args),
        FundCommand::Change(args) => change(app, args),
        FundCommand::Deposit(args) => move_capital(app, args, MoveKind::Deposit),
        FundCommand::Withdraw(args) => move_capital(app, args, MoveKind::Withdrawal),
        FundCommand::Plan(args) => plan::plan(app, args),
        FundCommand::Execute(args) => plan::execute(app, args),
    }
}

fn create(app: &App, args: &CreateArgs) -> Result<(), CliError> {
    let mut config = FundConfig::new(args.fund_id.clone(), args.broker.clone(), args.nav, SystemClock.now());
    config.base_currency = args.base_currency;
    config.broker_account_id.clone_from(&args.account);
    config.tax_lot_method = args.lot_method;
    config.strategies.clone_from(&args.strategies);
    config.asset_classes.clone_from(&args.asset_classes);
    let run = args.run.as_deref().map(whole_path).transpose()?;
    let capital = config.target_nav_usd;
    let fund = RegisteredFund { config: config.clone(), run: run.clone(), capital, moves: Vec::new() };
    let value = value(app, &fund, false)?;
    OpenRegistry::begin_or_record(&args.of.registry, &RegistryRecord::FundCreated { config, run })?;
    if args.of.json {
        return say_json(&Line::new(&fund, &value, value.nav));
    }
    say(&format!(
        "fund {} is created with {} {}, worth {}, {}",
        args.fund_id,
        money(capital),
        args.base_currency,
        money(value.nav),
        by_whom(value.source)
    ));
    Ok(())
}

/// An instant to the second.
fn moment(time: Timestamp) -> String {
    time.to_datetime().format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A path that means the same in every folder.
fn whole_path(path: &Path) -> Result<String, CliError> {
    let fault = |error: &dyn std::fmt::Display| {
        let message = format!("the folder of the run {} cannot be used: {error}", path.display());
        CliError::new(ExitKind::Usage, message)
    };
    let whole = std::path::absolute(path).map_err(|error| fault(&error))?;
    whole.into_os_string().into_string().map_err(|_| fault(&"its name is no UTF-8 text; rename it"))
}

/// What a list says of a fund.
#[derive(Debug, Serialize)]
struct Line {
    fund_id: String,
    broker: String,
    active: bool,
    #[serde(with = "exact")]
    target_nav: Decimal,
    #[serde(with = "exact")]
    current_nav: Decimal,
    /// Its part of the firm's value; `None` where that is nothing.
    pct_firm: Option<f64>,
    source: Source,
}

impl Line {
    fn new(fund: &RegisteredFund, value: &FundValue, firm: Decimal) -> Self {
        Self {
            fund_id: fund.config.fund_id.to_string(),
            broker: fund.config.broker.to_string(),
            active: fund.config.active,
            target_nav: fund.config.target_nav_usd,
            current_nav: value.nav,
            pct_firm: value.nav.checked_div(firm).and_then(|part| f64::try_from(part).ok()),
            source: value.source,
        }
    }
}

#[derive(Debug, Serialize)]
struct List {
    /// `None` without funds.
    currency: Option<Currency>,
    #[serde(with = "exact")]
    firm_nav: Decimal,
    funds: Vec<Line>,
}

fn list(app: &App, args: &RegistryArgs) -> Result<(), CliError> {
    let registry = read(&args.registry)?;
    let mut funds = Vec::new();
    let mut firm_nav = Decimal::ZERO;
    for fund in registry.funds() {
        let value = value(app, fund, false)?;
        firm_nav = add(firm_nav, value.nav)?;
        funds.push((fund, value));
    }
    let lines: Vec<Line> = funds.iter().map(|(fund, value)| Line::new(fund, value, firm_nav)).collect();
    let currency = registry.funds().map(|fund| fund.config.base_currency).next();
    if args.json {
        return say_json(&List { currency, firm_nav, funds: lines });
    }
    let cells = |line: &Line| {
        let state = match (line.active, line.source) {
            (false, _) => "does not trade",
            (true, Source::Registry) => "capital only",
            (true, Source::Run) => "",
        };
        vec![
            line.fund_id.clone(),
            line.broker.clone(),
            money(line.target_nav),
            money(line.current_nav),
            line.pct_firm.map_or_else(|| "n/a".to_owned(), |part| percent(part, 1)),
            state.to_owned(),
        ]
    };
    let mut rows: Vec<Vec<String>> = lines.iter().map(cells).collect();
    rows.push(vec!["Firm NAV".into(), String::new(), String::new(), money(firm_nav)]);
    say(&table(&["fund_id", "broker", "target_nav", "current_nav", "pct_firm", ""], rows, &[2, 3, 4]));
    Ok(())
}

fn add(one: Decimal, other: Decimal) -> Result<Decimal, CliError> {
    one.checked_add(other).ok_or_else(|| {
        CliError::new(ExitKind::Data, "the firm's value leaves the range of decimals; look at the funds")
    })
}

fn by_whom(source: Source) -> &'static str {
    match source {
        Source::Run => "by the books of its run",
        Source::Registry => "by the capital in the registry",
    }
}

#[derive(Debug, Serialize)]
struct Shown<'a> {
    fund: &'a FundConfig,
    run: Option<&'a String>,
    #[serde(with = "exact")]
    current_nav: Decimal,
    source: Source,
    /// What was allocated first and what came since, less what went.
    #[serde(with = "exact")]
    capital: Decimal,
    moves: &'a [CapitalMove],
}

fn show(app: &App, args: &ShowArgs) -> Result<(), CliError> {
    let registry = read(&args.of.registry)?;
    let fund = registry.fund(&args.fund_id).map_err(crate::fund_registry::refused)?;
    let value = value(app, fund, false)?;
    let RegisteredFund { config, run, capital, moves } = fund;
    if args.of.json {
        return say_json(&Shown {
            fund: config,
            run: run.as_ref(),
            current_nav: value.nav,
            source: value.source,
            capital: *capital,
            moves,
        });
    }
    let list = |names: Vec<&str>| if names.is_empty() { "any".to_owned() } else { names.join(", ") };
    let account = config.broker_account_id.as_ref().map_or("not named", |account| account.as_str());
    let rows = [
        ("fund_id", config.fund_id.to_string()),
        ("base_currency", config.base_currency.as_str().to_owned()),
        ("broker", config.broker.to_string()),
        ("account", account.to_owned()),
        ("trades", if config.active { "yes".to_owned() } else { "no".to_owned() }),
        ("target_nav", money(config.target_nav_usd)),
        ("current_nav", format!("{}, {}", money(value.nav), by_whom(value.source))),
        ("capital", money(*capital)),
        ("run", run.clone().unwrap_or_else(|| "none".to_owned())),
        ("asset classes", list(config.asset_classes.iter().map(|class| class.as_str()).collect())),
        ("strategies", list(config.strategies.iter().map(|strategy| strategy.as_str()).collect())),
        ("tax_lot_method", config.tax_lot_method.to_string()),
        ("created_at", moment(config.created_at)),
    ];
    let rows = rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
    say(&table(&["fund", ""], rows, &[]));
    if !moves.is_empty() {
        say(&format!("\n{}", moves_table(moves)));
    }
    Ok(())
}

fn moves_table(moves: &[CapitalMove]) -> String {
    let cells = |one: &CapitalMove| {
        let amount = match one.kind {
            MoveKind::Deposit => one.amount,
            MoveKind::Withdrawal => -one.amount,
        };
        vec![
            one.date.to_string(),
            money(amount),
            one.reference.clone().unwrap_or_default(),
            one.actor.to_string(),
            one.reason.clone(),
        ]
    };
    table(&["date", "capital", "reference", "by", "why"], moves.iter().map(cells).collect(), &[1])
}

fn change(app: &App, args: &ChangeArgs) -> Result<(), CliError> {
    let mut open = OpenRegistry::open(&args.of.registry)?;
    let run = args.run.as_deref().map(whole_path).transpose()?;
    let fund_id = args.fund_id.clone();
    if run.is_some() {
        // It must be readable before anybody relies on it.
        let fund = open.registry().fund(&fund_id).map_err(crate::fund_registry::refused)?;
        value(app, &RegisteredFund { run: run.clone(), ..fund.clone() }, false)?;
    }
    let change = FundChange { active: args.active, target_nav_usd: args.nav, run };
    open.record(&RegistryRecord::FundChanged {
        fund_id: fund_id.clone(),
        change: change.clone(),
        actor: args.by.actor.clone(),
        reason: args.by.reason.clone(),
        time: SystemClock.now(),
    })?;
    if args.of.json {
        return say_json(&change);
    }
    say(&format!("fund {fund_id} is changed, by {}: {}", args.by.actor, args.by.reason));
    Ok(())
}

fn move_capital(app: &App, args: &MoveArgs, kind: MoveKind) -> Result<(), CliError> {
    let mut open = OpenRegistry::open(&args.of.registry)?;
    let time = SystemClock.now();
    let fund = open.registry().fund(&args.fund_id).map_err(crate::fund_registry::refused)?;
    if kind == MoveKind::Withdrawal {
        let there = value(app, fund, false)?;
        if args.amount > there.nav {
            let message = format!(
                "fund {} is worth {}, {}; {} cannot be withdrawn",
                args.fund_id,
                money(there.nav),
                by_whom(there.source),
                money(args.amount)
            );
            return Err(CliError::new(ExitKind::Refused, message));
        }
    }
    let today = time.to_datetime().date_naive();
    let date = args.date.unwrap_or(today);
    if date > today {
        let message = format!("--date {date} has not come yet, today is {today}; book money when it arrives");
        return Err(CliError::new(ExitKind::Usage, message));
    }
    let moved = CapitalMove {
        fund_id: args.fund_id.clone(),
        kind,
        amount: args.amount,
        date,
        actor: args.by.actor.clone(),
        reason: args.by.reason.clone(),
        reference: args.reference.clone(),
        time,
    };
    open.record(&RegistryRecord::CapitalMoved(moved.clone()))?;
    if args.of.json {
        return say_json(&moved);
    }
    let fund = open.registry().fund(&args.fund_id).map_err(crate::fund_registry::refused)?;
    let what = match kind {
        MoveKind::Deposit => "is deposited into",
        MoveKind::Withdrawal => "is withdrawn from",
    };
    say(&format!(
        "{} {what} fund {} on {}, by {}: {}; its capital is {}",
        money(moved.amount),
        moved.fund_id,
        moved.date,
        moved.actor,
        moved.reason,
        money(fund.capital)
    ));
    Ok(())
}
