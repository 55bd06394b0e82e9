//! How a run stands: its journal replayed, or a configuration at its first open.

use crate::app::App;
use crate::config::{Loaded, RunConfig};
use crate::error::{CliError, ExitKind, OrExit};
use crate::files;
use crate::operations::{Operation, operations};
use crate::run_folder::RunFolder;
use crate::setup::{calendar, core, instruments, risk};
use mts_engine::input::MarkUpdate;
use mts_engine::{Core, Input, Output};
use mts_foundation::{Decimal, FundBook, RiskMachine, Symbol, Timestamp};
use mts_riskengine::{LossBaselines, RiskPipeline};
use std::path::Path;

/// Where a fund stands.
pub(crate) struct Standing {
    pub(crate) config: RunConfig,
    pub(crate) core: Core,
    /// What was done to its limits and switches, in order.
    pub(crate) operations: Vec<Operation>,
    /// Whose state this is, for people.
    pub(crate) of: String,
}

impl Standing {
    /// The state of the run in `folder` where one is named, else that of the configuration at its first open. A run of
    /// another configuration is refused.
    pub(crate) fn new(app: &App, loaded: &Loaded, folder: Option<&Path>) -> Result<Self, CliError> {
        match folder {
            None => Self::opening(app, loaded),
            Some(folder) => {
                let standing = Self::of_run(app, folder)?;
                if standing.config != loaded.config {
                    let message = format!(
                        "{} holds a run of another configuration; name its own with --config, or leave --out out",
                        folder.display()
                    );
                    return Err(CliError::new(ExitKind::Journal, message));
                }
                Ok(standing)
            }
        }
    }

    /// The state at the end of the journal of `folder`.
    pub(crate) fn of_run(app: &App, folder: &Path) -> Result<Self, CliError> {
        let mut run = RunFolder::open(app, folder)?;
        let mut done = Vec::new();
        run.replay(&mut |step| done.extend(operations(step.input, step.output)))?;
        let RunFolder { config, core, .. } = run;
        let of = match core.state().session() {
            Some(date) => {
                format!("the run in {} at {}, session {date}", folder.display(), core.state().now())
            }
            None => format!("the run in {} before its first session", folder.display()),
        };
        Ok(Self { config, core, operations: done, of })
    }

    fn opening(app: &App, loaded: &Loaded) -> Result<Self, CliError> {
        let config = loaded.config.clone();
        let path = loaded.folder.join(&config.instruments.path);
        let text = files::read(&path, "instrument table", ExitKind::Data)?;
        let table = instruments(&config, &path.display().to_string(), &text)?;
        let mut core = core(app, &config, table, None)?;
        let sessions = calendar(&config)?.sessions(config.run.start, config.run.end);
        let Some(session) = sessions.or_exit(ExitKind::Config)?.first() else {
            let message = format!(
                "there is no session of {} from {} to {}; change run.start or run.end",
                config.run.calendar, config.run.start, config.run.end
            );
            return Err(CliError::new(ExitKind::Config, message));
        };
        let open = Input::SessionOpen { date: session.date, time: session.open.into() };
        core.step(&open, &mut Output::default()).or_exit(ExitKind::Internal)?;
        let of = format!("the configuration at its first open, {}", core.state().now());
        Ok(Self { config, core, operations: Vec::new(), of })
    }

    /// Lets prices enter as a batch of closes would.
    pub(crate) fn mark(&mut self, prices: &[(Symbol, Decimal)]) -> Result<(), CliError> {
        if let Some((unknown, _)) =
            prices.iter().find(|(symbol, _)| self.core.config().instruments.get(symbol).is_none())
        {
            let message =
                format!("--price names {unknown}, which is not in the instrument table; correct it");
            return Err(CliError::new(ExitKind::Usage, message));
        }
        if prices.is_empty() {
            return Ok(());
        }
        let marks = prices
            .iter()
            .map(|(symbol, price)| MarkUpdate { symbol: symbol.clone(), price: *price })
            .collect();
        let input = Input::Closes { time: self.core.state().now(), marks };
        self.core.step(&input, &mut Output::default()).or_exit(ExitKind::Internal)
    }

    /// The books of the fund.
    pub(crate) fn book(&self) -> Result<&FundBook, CliError> {
        let fund_id = &self.config.fund.fund_id;
        self.core.state().ledger().fund(fund_id).ok_or_else(|| {
            CliError::new(ExitKind::Internal, format!("fund {fund_id} is not in the books of its own run"))
        })
    }

    /// What losses of the fund are measured against; `None` before its first trading day.
    pub(crate) fn baselines(&self, app: &App) -> Result<Option<LossBaselines>, CliError> {
        Ok(risk_of(app, &self.config, &self.core)?.baselines(&self.config.fund.fund_id))
    }

    /// When the present session opened.
    pub(crate) fn opened(&self) -> Result<Option<Timestamp>, CliError> {
        let Some(date) = self.core.state().session() else { return Ok(None) };
        let session = calendar(&self.config)?.session_on(date).or_exit(ExitKind::Config)?;
        Ok(session.map(|session| session.open.into()))
    }
}

/// The risk machine in the core's state, where more is asked of it than every machine can tell.
pub(crate) fn risk_of(app: &App, config: &RunConfig, core: &Core) -> Result<RiskPipeline, CliError> {
    let mut machine = risk(app, config, &core.config().instruments)?;
    machine.restore(&core.risk().snapshot()).or_exit(ExitKind::Internal)?;
    Ok(machine)
}
