//! What issuers do to instruments: splits, dividends, new symbols, the end of one. Told by a person or by whoever watches the
//! announcements; each takes effect once.

use super::{Core, CoreError};
use crate::output::Output;
use chrono::{Days, NaiveDate};
use mts_foundation::event::Event;
use mts_foundation::ledger::Acted;
use mts_foundation::risk::RiskEvent;
use mts_foundation::{ActorId, BrokerName, CorporateAction, FundBook, Symbol};

/// How long an action is remembered, and how late one may be told: behind that it could be one that was booked before.
const MEMORY: Days = Days::new(400);

/// Most actions that are remembered.
const MAX_ACTIONS: usize = 100_000;

impl Core {
    /// Books an action, or says why not.
    pub(super) fn corporate_action(
        &mut self,
        action: &CorporateAction,
        (actor, reason): (&ActorId, &str),
        output: &mut Output,
    ) -> Result<(), CoreError> {
        let CorporateAction { action_id, symbol, ex_date, .. } = action;
        // Before the open the last session is still that of yesterday.
        let date = self.state.now.to_datetime().date_naive();
        let today = self.state.session.map_or(date, |session| session.max(date));
        let forgotten = today.checked_sub_days(MEMORY).unwrap_or(NaiveDate::MIN);
        self.state.actions.retain(|_, ex_date| *ex_date >= forgotten);
        let refusal = if let Some(booked) = self.state.actions.get(action_id) {
            Some(format!("it was booked with ex-date {booked}; give another one its own id"))
        } else if *ex_date > today {
            Some(format!("its ex-date {ex_date} lies behind today, {today}; tell it on that day"))
        } else if *ex_date < forgotten {
            Some(format!("its ex-date {ex_date} is before {forgotten}; adopt what the account holds instead"))
        } else if self.has_traded_since(symbol, *ex_date, today) {
            Some(format!(
                "{symbol} was traded since its ex-date {ex_date}, and not all that is held now was held then; adopt what the \
                 account holds, and book the cash"
            ))
        } else if self.is_closing(symbol)
            || self.state.waiting.iter().any(|order| order.request.symbol == *symbol)
        {
            Some(format!(
                "orders in {symbol} wait or its position is being closed; cancel them, then book the action"
            ))
        } else if self.state.actions.len() >= MAX_ACTIONS {
            Some(format!(
                "{MAX_ACTIONS} actions of the last 400 days are remembered, and there is room for no more"
            ))
        } else {
            None
        };
        let booked = match refusal {
            Some(refusal) => Err(refusal),
            None => self
                .state
                .ledger
                .corporate_action(&self.config.instruments, action)
                .map_err(|error| error.to_string()),
        };
        let acted = match booked {
            Ok(acted) => acted,
            Err(why) => {
                let message = format!("corporate action {action_id} of {symbol} is not booked: {why}");
                self.incident("ACTION_NOT_BOOKED", message, None, output);
                return Ok(());
            }
        };
        let funds = acted.iter().filter(|acted| !acted.before.is_zero()).count();
        if funds == 0 {
            let message =
                format!("corporate action {action_id} of {symbol} is not booked: no fund holds {symbol}");
            self.incident("ACTION_NOT_BOOKED", message, None, output);
            return Ok(());
        }
        self.state.actions.insert(action_id.clone(), *ex_date);
        for acted in acted {
            self.has_acted(action, acted, output);
        }
        let message = format!(
            "corporate action {action_id} of {symbol} is booked into {funds} funds by {actor}: {reason}"
        );
        self.incident("ACTION_BOOKED", message, None, output);
        self.risk_event(&RiskEvent::Marked { symbol: None }, output)
    }

    /// Whether any fund's position changed on the ex-date of an action that is told late, or after it.
    fn has_traded_since(&self, symbol: &Symbol, ex_date: NaiveDate, today: NaiveDate) -> bool {
        let changed = |book: &FundBook| {
            let held = book.positions().get(symbol);
            held.is_some_and(|held| held.updated_at.to_datetime().date_naive() >= ex_date)
        };
        ex_date < today && self.state.ledger.funds().any(|(_, book)| changed(book))
    }

    /// Tells of one fund, and what its account is compared with from now on.
    fn has_acted(&mut self, action: &CorporateAction, acted: Acted, output: &mut Output) {
        let Acted { fund_id, before, after, cash: moved } = acted;
        let cash = self.state.ledger.fund(&fund_id).map(FundBook::cash).unwrap_or_default();
        let broker: Option<BrokerName> = self.brokers.get(&fund_id).cloned();
        if let Some(watch) = broker.as_ref().and_then(|broker| self.state.accounts.get_mut(broker)) {
            watch.cash = watch.cash.map(|more| more.saturating_sub(moved));
        }
        let symbols: [Option<&Symbol>; 2] = [Some(&action.symbol), action.renamed_to()];
        for (broker, symbol) in
            broker.iter().flat_map(|broker| symbols.iter().flatten().map(move |symbol| (broker, *symbol)))
        {
            self.position_changed(broker, symbol);
        }
        output.events.push(Event::CorporateActionApplied {
            fund_id,
            action: action.clone(),
            position_before: before,
            position_after: after,
            cash,
            time: self.state.now,
        });
    }
}
