//! `mts order`, `mts cancel-all`, `mts flatten`: acts that only a running engine can carry out, because
//! they end at a broker.

use super::act::{config_of, confirm};
use super::carry_out::{Done, PATIENCE, by_engine};
use super::own_connection;
use super::print::say;
use crate::app::App;
use crate::args::operator::ActArgs;
use crate::args::order::{AllArgs, OrderCommand, SubmitArgs};
use crate::config::LiveMode;
use crate::error::{CliError, ExitKind};
use crate::run_folder::is_written;
use mts_engine::OperatorAct;
use mts_foundation::strategy::OrderRequest;
use std::io::IsTerminal;
use std::path::Path;

/// Has the engine of a folder do it.
pub(super) fn have_done(folder: &Path, act: OperatorAct) -> Result<Done, CliError> {
    by_engine(folder, act, PATIENCE)?.ok_or_else(|| {
        let message = format!(
            "no engine runs in {}, so nothing can be sent; start it with mts run, or use mts kill, which needs none",
            folder.display()
        );
        CliError::new(ExitKind::Refused, message)
    })
}

/// One order by hand.
pub(crate) fn order(command: &OrderCommand) -> Result<(), CliError> {
    let (act, args): (OperatorAct, &ActArgs) = match command {
        OrderCommand::Submit(args) => (submit(args)?, &args.act),
        OrderCommand::Cancel(args) => {
            (OperatorAct::Cancel { order_id: args.order_id.clone(), actor: args.actor.clone() }, &args.act)
        }
        OrderCommand::Settle(args) => (
            OperatorAct::Settle {
                order_id: args.order_id.clone(),
                actor: args.actor.clone(),
                reason: args.reason.clone(),
            },
            &args.act,
        ),
    };
    let done = have_done(&args.out, act)?;
    done.tell(&args.out, args.json)?;
    if done.has_refusal() {
        return Err(CliError::new(ExitKind::Refused, "the order is refused; nothing has left"));
    }
    Ok(())
}

fn submit(args: &SubmitArgs) -> Result<OperatorAct, CliError> {
    let config = config_of(&args.act.out)?;
    let mut request = OrderRequest::market(args.symbol.clone(), args.side, args.quantity);
    request.idempotency_key.clone_from(&args.key);
    (request.order_type, request.tif) = (args.order_type, args.tif);
    (request.limit_price, request.stop_price) = (args.limit, args.stop);
    Ok(OperatorAct::Submit {
        fund_id: args.fund.clone().unwrap_or(config.fund.fund_id),
        strategy_id: args.strategy.clone().unwrap_or(config.strategy.strategy_id),
        request: Box::new(request),
        actor: args.actor.clone(),
    })
}

/// Asks on a terminal; a script must say `--yes`.
fn sure(args: &AllArgs, word: &str, consequence: &str) -> Result<(), CliError> {
    if args.yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        let message =
            format!("{consequence}: this asks for the word {word} on a terminal; without one say --yes");
        return Err(CliError::new(ExitKind::Usage, message));
    }
    confirm(word, consequence)
}

/// Cancels everything that works; without an engine over a connection of its own.
pub(crate) fn cancel_all(app: &App, args: &AllArgs) -> Result<(), CliError> {
    sure(args, "CANCEL", "everything that works is cancelled")?;
    let folder = &args.act.out;
    let act = OperatorAct::CancelAll { fund_id: args.fund.clone(), actor: args.actor.clone() };
    if let Some(done) = by_engine(folder, act, PATIENCE)? {
        return done.tell(folder, args.act.json);
    }
    let config = config_of(folder)?;
    if is_written(folder) || config.live.as_ref().is_none_or(|live| live.mode != LiveMode::Live) {
        let message = format!(
            "no engine answers in {}, and its broker exists only inside one; end the process, then start it again",
            folder.display()
        );
        return Err(CliError::new(ExitKind::Refused, message));
    }
    for line in own_connection::cancel_all(app, &config, folder)? {
        say(&line);
    }
    Ok(())
}

/// Cancels and closes everything.
pub(crate) fn flatten(args: &AllArgs) -> Result<(), CliError> {
    sure(args, "FLATTEN", "everything is cancelled and closed at the market")?;
    let act = OperatorAct::Flatten { fund_id: args.fund.clone(), actor: args.actor.clone() };
    have_done(&args.act.out, act)?.tell(&args.act.out, args.act.json)
}
