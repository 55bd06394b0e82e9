//! `mts action`: what issuers do to instruments, booked by a running engine.

use super::operate::have_done;
use crate::args::books::ActionCommand;
use crate::error::{CliError, ExitKind};
use mts_engine::OperatorAct;
use mts_foundation::CorporateAction;

/// Books an issuer's action into every fund that holds the instrument.
pub(crate) fn action(command: &ActionCommand) -> Result<(), CliError> {
    let (symbol, kind, word, args) = command.parts();
    let action_id = args.id.clone().unwrap_or_else(|| format!("{symbol}-{word}-{}", args.ex).into());
    let action = CorporateAction { action_id, symbol: symbol.clone(), ex_date: args.ex, kind };
    action.check().map_err(|error| CliError::new(ExitKind::Usage, error))?;
    let act = OperatorAct::Corporate { action, actor: args.actor.clone(), reason: args.reason.clone() };
    let done = have_done(&args.act.out, act)?;
    done.tell(&args.act.out, args.act.json)?;
    if done.has_incident("ACTION_NOT_BOOKED") {
        return Err(CliError::new(ExitKind::Refused, "the action is not booked"));
    }
    Ok(())
}
