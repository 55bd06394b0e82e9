//! Calls of strategies that talk with their broker (decision S2), as both kinds of shells carry them out.

use crate::core::{Core, State};
use crate::input::Input;
use mts_foundation::broker_handle::{HandleAnswer, HandleCall, HandleError, submit_answer};
use mts_foundation::event::Event;
use mts_foundation::strategy::{Command, OrderRequest};
use mts_foundation::{FundId, IdempotencyKey, OrderId, StrategyId, Timestamp};

/// Who calls.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) strategy_id: StrategyId,
    pub(super) fund_id: FundId,
}

/// What a call waits for.
#[derive(Debug, Clone)]
pub(super) enum Awaited {
    /// The broker's answer to the order with this key.
    Submitted(IdempotencyKey),
    /// The end of this order.
    Ended(OrderId),
    /// Nothing more than that it is durable.
    Nothing,
}

/// What a call leads to.
pub(super) enum Called {
    /// An answer at once.
    Answer(Result<HandleAnswer, HandleError>),
    /// An input, and an answer later.
    Input(Box<Input>, Awaited),
}

impl Caller {
    /// What the core is to be told for a call.
    pub(super) fn call(&self, call: HandleCall, core: &Core, time: Timestamp) -> Called {
        let state = core.state();
        let Self { strategy_id, fund_id } = self;
        match call {
            HandleCall::Connected => Called::Answer(Ok(HandleAnswer::Connected(connected(core, fund_id)))),
            HandleCall::Book => Called::Answer(match state.ledger().fund(fund_id) {
                Some(book) => Ok(HandleAnswer::Book(Box::new(book.clone()))),
                None => Err(HandleError::Stopped),
            }),
            HandleCall::Orders => {
                Called::Answer(Ok(HandleAnswer::Orders(state.working_orders(fund_id).cloned().collect())))
            }
            HandleCall::Submit(request) => {
                let OrderRequest { idempotency_key, .. } = &*request;
                // The number of the input never repeats within a journal.
                let key = idempotency_key.clone().unwrap_or_else(|| {
                    let number = state.inputs().saturating_add(1).to_string();
                    IdempotencyKey::hashed(&[fund_id.as_str(), strategy_id.as_str(), "handle", &number])
                });
                let request = OrderRequest { idempotency_key: Some(key.clone()), ..*request };
                self.decided(Command::Submit(request), time, Awaited::Submitted(key))
            }
            HandleCall::Cancel(order_id) => {
                let own = state.order(&order_id).filter(|record| {
                    record.order.fund_id == *fund_id && record.order.strategy_id == *strategy_id
                });
                match own {
                    Some(record) if record.state.is_terminal() => {
                        Called::Answer(Ok(HandleAnswer::Order(Box::new(record.clone()))))
                    }
                    Some(_) => {
                        self.decided(Command::Cancel(order_id.clone()), time, Awaited::Ended(order_id))
                    }
                    None => Called::Answer(Err(HandleError::NotCancelable { order_id })),
                }
            }
            HandleCall::Close(symbol) => self.decided(Command::Close(symbol), time, Awaited::Nothing),
        }
    }

    fn decided(&self, command: Command, time: Timestamp, awaited: Awaited) -> Called {
        let Self { strategy_id, fund_id } = self.clone();
        let decided = Input::Decided { strategy_id, fund_id, time, commands: vec![command], memory: None };
        Called::Input(Box::new(decided), awaited)
    }
}

/// Whether orders can reach the fund's broker; a venue that is not watched always answers.
fn connected(core: &Core, fund_id: &FundId) -> bool {
    let fund = core.config().funds.iter().find(|fund| fund.config.fund_id == *fund_id);
    let account = fund.and_then(|fund| core.accounts().find(|account| account.broker == fund.config.broker));
    account.is_none_or(|account| account.connected && account.reconciled.is_some())
}

/// What there is to answer now; `None` = not yet.
pub(super) fn answer(
    awaited: &Awaited,
    state: &State,
    events: &[Event],
) -> Option<Result<HandleAnswer, HandleError>> {
    match awaited {
        Awaited::Nothing => Some(Ok(HandleAnswer::Done)),
        Awaited::Ended(order_id) => {
            let record = state.order(order_id)?;
            record.state.is_terminal().then(|| Ok(HandleAnswer::Order(Box::new(record.clone()))))
        }
        Awaited::Submitted(key) => match state.order_of_key(key) {
            Some(record) => {
                let why = events.iter().rev().find_map(|event| match event {
                    Event::GateFailed(refused) if refused.order_id == record.order.order_id => {
                        Some(refused.rejection.message.as_str())
                    }
                    _ => None,
                });
                submit_answer(record, why)
            }
            None if state.waits_for_open(key) => Some(Ok(HandleAnswer::Waits(key.clone()))),
            // The order could not even be made.
            None => Some(Err(HandleError::Invalid {
                field: "order",
                message: "it was not made; the incidents say why".to_owned(),
            })),
        },
    }
}

/// What a call is told whose time is over.
pub(super) fn too_late(awaited: &Awaited, state: &State) -> Result<HandleAnswer, HandleError> {
    let order_id = match awaited {
        Awaited::Nothing => return Ok(HandleAnswer::Done),
        Awaited::Ended(order_id) => Some(order_id.clone()),
        Awaited::Submitted(key) => state.order_of_key(key).map(|record| record.order.order_id.clone()),
    };
    Err(order_id.map_or(HandleError::Stopped, |order_id| HandleError::Timeout { order_id }))
}
