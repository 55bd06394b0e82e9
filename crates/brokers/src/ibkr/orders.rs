//! Orders: handing over, cancelling and changing, each until TWS has said enough.

use super::book::is_end;
use super::capabilities::accepted;
use super::client::Ibkr;
use super::link::{Heard, Link, failure, heard, lost, within};
use super::map;
use super::order_ids::{Memory, OrderIdError, OrderIds};
use super::outcome::{Changed, Handed, Stopped, Submission, changed, stopped};
use super::request::{changed_order, library_contract, library_order};
use super::told;
use super::wire::{ContractFields, Told, WireOrder};
use crate::kit::{Failure, FailureKind, client_id};
use futures_util::StreamExt as _;
use ibapi::orders::OrderUpdate;
use ibapi::subscriptions::Subscription;
use mts_foundation::broker::{BrokerOrderRef, CancelOutcome, OrderChange, ReplaceOutcome, SubmitOutcome};
use mts_foundation::{Order, OrderState};
use smol_str::{SmolStr, format_smolstr};
use std::sync::Arc;
use std::time::Duration;

/// How long a word why an order has ended is waited for.
const SETTLING: Duration = Duration::from_millis(250);

/// How long TWS is sure to remember an order that it had, whatever became of it.
const REMEMBERED: Duration = Duration::from_secs(600);

impl Ibkr {
    pub(super) async fn submitted(&self, order: &Order) -> Result<SubmitOutcome, Failure> {
        let order_ref = client_id(&order.idempotency_key);
        let _turn = self.turns.take(&order_ref).await;
        let mut may_be_there = self.may_be_there(order, &order_ref);
        let outcome = self.handed_over(order, &order_ref, &mut may_be_there).await;
        outcome.map_err(|failure| match failure.kind {
            // This call has sent nothing, and one before it may have.
            FailureKind::NotSent if may_be_there => lost_with(failure),
            _ => failure,
        })
    }

    /// Whether an earlier call may have sent an order, as far as that is known without a connection.
    fn may_be_there(&self, order: &Order, order_ref: &str) -> bool {
        let told_of = self.shared.orders.knows(&order.idempotency_key);
        let Some(account) = self.account_id() else { return told_of };
        let order_ids = OrderIds::new(&*self.connections.state, &account, self.config.client_id);
        match order_ids.recall(order_ref, order.created_at) {
            // Memory may have been lost.
            Ok(memory) => told_of || memory != Memory::New,
            // What it has sent an engine recalls; a key that nobody has heard of is of no earlier call.
            Err(_) => told_of,
        }
    }

    async fn handed_over(
        &self,
        order: &Order,
        order_ref: &SmolStr,
        may_be_there: &mut bool,
    ) -> Result<SubmitOutcome, Failure> {
        let not_sent = |failure: Failure| Failure { kind: FailureKind::NotSent, ..failure };
        let unkept = |error: OrderIdError| Failure::new(FailureKind::NotSent, error.to_string());
        let link = self.link().await.map_err(not_sent)?;
        let order_ids = OrderIds::new(&*self.connections.state, link.account.as_str(), self.config.client_id);
        let memory = order_ids.recall(order_ref, order.created_at).map_err(unkept)?;
        *may_be_there |= memory != Memory::New;
        if *may_be_there {
            // An earlier call has been here; what it did is not known, so a failure leaves it unknown.
            let found = self.find(&link, |there| there.order_ref == *order_ref).await.map_err(lost_with)?;
            if let Some(there) = found {
                return self.adopted(order, &there, order_ref);
            }
        }
        if memory == Memory::Forgotten {
            let cause = "TWS does not list the order, and it is so old that its order id may be forgotten; \
                         see in TWS whether it was there"
                .into();
            return Ok(SubmitOutcome::Unknown { cause });
        }
        let fields = accepted(&self.capabilities, &self.config, order)
            .map_err(|reason| Failure::new(FailureKind::NotSent, reason))?;
        let contract = self.contract(&link, &order.symbol, fields).await.map_err(not_sent)?;
        if link.is_down() {
            return Err(Failure::new(
                FailureKind::NotSent,
                "TWS has lost Interactive Brokers; it connects again by itself",
            ));
        }
        let (mut used, mut floor, mut was_known) = (None, link.floor, *may_be_there);
        loop {
            let (id, sent) = {
                // TWS takes no number that is lower than one before: they leave in their order.
                let _in_order = self.sending.lock().await;
                let now = self.connections.clock.now();
                let reserved = match used {
                    None => order_ids.reserve(order_ref, floor, now),
                    Some(used) => order_ids.renew(order_ref, floor, used, now),
                };
                let reserved = reserved.map_err(unkept)?;
                was_known |= !reserved.is_new;
                *may_be_there |= was_known;
                self.shared.orders.insert(order);
                (reserved.order_id, self.send(&link, order, reserved.order_id, &contract, order_ref).await?)
            };
            *may_be_there = true;
            let handed = self.heard_of(&link, order, id, order_ref, sent).await?;
            let (reason, refused) = match handed {
                Handed::Taken(perm_id) => return self.taken(order, perm_id),
                // What is refused may have been taken for a change of the order, which then is there as it was.
                Handed::Refused(reason) if was_known => (reason, true),
                Handed::Refused(reason) => return Ok(SubmitOutcome::Rejected { reason }),
                Handed::Strange(words) => return Err(Failure::unreadable(words.to_string())),
                Handed::UsedId(reason) => (reason, false),
            };
            let found = self.find(&link, |there| there.order_ref == *order_ref).await.map_err(lost_with)?;
            if let Some(there) = found {
                return self.adopted(order, &there, order_ref);
            }
            if refused {
                return Ok(SubmitOutcome::Rejected { reason });
            }
            // TWS has refused the number and does not have the order: no copy of it that is still under way will be taken
            // under that number. It goes under another one, if TWS is sure to remember what it had.
            let age = self.connections.clock.now().since(order.created_at);
            if used.is_some() || age > REMEMBERED {
                return Ok(match was_known {
                    true => SubmitOutcome::Unknown { cause: reason },
                    false => SubmitOutcome::Rejected { reason },
                });
            }
            used = Some(id);
            floor = link.next_order_id().await.map_err(lost_with)?;
        }
    }

    fn taken(&self, order: &Order, perm_id: i64) -> Result<SubmitOutcome, Failure> {
        let id = map::venue_id(perm_id)?;
        self.shared.orders.meet(&client_id(&order.idempotency_key), &id);
        Ok(SubmitOutcome::Accepted(order.clone().accepted(self.connections.clock.now(), id)))
    }

    /// What an order that an earlier call has sent says of this call's.
    fn adopted(&self, order: &Order, there: &WireOrder, order_ref: &str) -> Result<SubmitOutcome, Failure> {
        if !map::is_of(order, there, order_ref) {
            // This one was not sent, and the key's order may be live.
            let cause = format_smolstr!("the key has sent another order before: {}", there.perm_id);
            return Ok(SubmitOutcome::Unknown { cause });
        }
        self.shared.orders.insert(order);
        match map::state(there) {
            OrderState::Rejected => Ok(SubmitOutcome::Rejected { reason: there.reason.clone() }),
            OrderState::Submitting => {
                Ok(SubmitOutcome::Unknown { cause: "TWS has the order and has not passed it on yet".into() })
            }
            _ => self.taken(order, there.perm_id),
        }
    }

    /// Writes an order; what is said from then on, and until when it is waited for.
    async fn send(
        &self,
        link: &Arc<Link>,
        order: &Order,
        id: i32,
        contract: &ContractFields,
        order_ref: &str,
    ) -> Result<(Subscription<OrderUpdate>, Duration), Failure> {
        let body = library_order(order, order_ref, link.account.as_str())?;
        let updates = link.listen();
        if !link.lives() {
            return Err(Failure::new(FailureKind::NotSent, "the connection to TWS is lost"));
        }
        let until = self.connections.clock.monotonic().saturating_add(self.config.deadline());
        let contract = library_contract(contract);
        let sent = link.client.submit_order(id, &contract, &body);
        let sent = within(&*link.sleep, self.config.deadline(), sent).await;
        // From here on it may be there.
        let lost = |words: String| Failure::new(FailureKind::Lost { timed_out: false }, words);
        match sent {
            Some(Ok(())) => Ok((updates, until)),
            Some(Err(error)) => Err(lost(error.to_string())),
            None => Err(lost("the order could not be written in time".to_owned())),
        }
    }

    /// Waits for what is said of an order that was sent.
    async fn heard_of(
        &self,
        link: &Arc<Link>,
        order: &Order,
        id: i32,
        order_ref: &str,
        (mut updates, until): (Subscription<OrderUpdate>, Duration),
    ) -> Result<Handed, Failure> {
        let mut submission = Submission::default();
        loop {
            let left = until.saturating_sub(self.connections.clock.monotonic());
            let left = if submission.is_settling() { left.min(SETTLING) } else { left };
            let Some(told) = next_told(&mut updates, link, left).await? else {
                return submission
                    .in_the_end()
                    .map_err(|cause| Failure::new(FailureKind::Lost { timed_out: true }, cause.to_string()));
            };
            self.note(&told);
            if let Some(handed) = submission.take(&told, order, id, order_ref) {
                return Ok(handed);
            }
        }
    }

    /// Remembers what was told while a call waits.
    fn note(&self, told: &Told) {
        let book = &self.shared.book;
        match told {
            Told::Order(order) => drop(book.learn(order.clone())),
            Told::Status(status) => drop(book.status(status)),
            Told::Notice(notice) => drop(book.refused(notice)),
            Told::Live | Told::Execution { .. } | Told::Fees(_) => {}
        }
    }

    pub(super) async fn canceled(&self, order: &BrokerOrderRef) -> Result<CancelOutcome, Failure> {
        let Some(perm_id) = map::perm_id(&order.broker_order_id) else { return Ok(CancelOutcome::NotFound) };
        let link = self.link().await?;
        let known =
            self.shared.book.order(perm_id).filter(|known| known.order_id > 0 && !is_end(&known.status));
        let there = match known {
            Some(known) => known,
            None => match self.find(&link, |there| there.perm_id == perm_id).await? {
                Some(there) => there,
                None => return Ok(CancelOutcome::NotFound),
            },
        };
        if let Some(outcome) = ended(&there) {
            return Ok(outcome);
        }
        if there.client_id != self.config.client_id || there.order_id < 1 {
            let cause = format_smolstr!(
                "client {} has placed order {perm_id}, and only that one can cancel it",
                there.client_id
            );
            return Ok(CancelOutcome::Unknown { cause });
        }
        let mut updates = link.listen();
        let until = self.connections.clock.monotonic().saturating_add(self.config.deadline());
        // What comes is heard by the listener above; this one would hear this order's alone.
        let asked =
            within(&*link.sleep, self.config.deadline(), link.client.cancel_order(there.order_id, ""));
        let _own = match asked.await {
            Some(Ok(own)) => own,
            Some(Err(error)) => return Err(failure(&error)),
            None => return Err(failure(&ibapi::Error::Timeout)),
        };
        loop {
            let left = until.saturating_sub(self.connections.clock.monotonic());
            let Some(told) = next_told(&mut updates, &link, left).await? else {
                let cause = "TWS has not confirmed the cancellation".into();
                return Ok(CancelOutcome::Unknown { cause });
            };
            self.note(&told);
            match stopped(&told, there.order_id, perm_id) {
                None => {}
                Some(Stopped::Canceled) => return Ok(CancelOutcome::Confirmed),
                Some(Stopped::Filled) => return Ok(CancelOutcome::TooLate { state: OrderState::Filled }),
                Some(Stopped::Refused) => return Ok(CancelOutcome::TooLate { state: OrderState::Rejected }),
                Some(Stopped::NotCancellable) => {
                    let there = self.find(&link, |there| there.perm_id == perm_id).await?;
                    let still =
                        || CancelOutcome::Unknown { cause: "TWS does not cancel the order now".into() };
                    return Ok(
                        there.map_or(CancelOutcome::NotFound, |there| ended(&there).unwrap_or_else(still))
                    );
                }
            }
        }
    }

    pub(super) async fn replaced(
        &self,
        order: &BrokerOrderRef,
        change: &OrderChange,
    ) -> Result<ReplaceOutcome, Failure> {
        let rejected = |reason: SmolStr| Ok(ReplaceOutcome::Rejected { reason });
        let Some(perm_id) = map::perm_id(&order.broker_order_id) else {
            return rejected("the id is none of TWS's".into());
        };
        let link = self.link().await?;
        let _turn = self.turns.take(&client_id(&order.idempotency_key)).await;
        let Some(there) = self.find(&link, |there| there.perm_id == perm_id).await? else {
            return rejected("TWS does not know the order".into());
        };
        let state = map::state(&there);
        if state.is_terminal() || state == OrderState::PendingCancel {
            return rejected(format_smolstr!("the order is {state}"));
        }
        if there.client_id != self.config.client_id || there.order_id < 1 {
            return rejected(format_smolstr!("client {} has placed the order", there.client_id));
        }
        let (wanted, body) = match changed_order(&there, change) {
            Ok(made) => made,
            Err(reason) => return rejected(reason.into()),
        };
        let mut updates = link.listen();
        let until = self.connections.clock.monotonic().saturating_add(self.config.deadline());
        let contract = library_contract(&there.contract);
        self.shared.book.changing(there.order_id);
        let sent = link.client.submit_order(there.order_id, &contract, &body);
        let sent = match within(&*link.sleep, self.config.deadline(), sent).await {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => Err(failure(&error)),
            None => Err(failure(&ibapi::Error::Timeout)),
        };
        let mut outcome = sent.map(|()| None);
        while let Ok(None) = outcome {
            let left = until.saturating_sub(self.connections.clock.monotonic());
            outcome = match next_told(&mut updates, &link, left).await {
                Ok(Some(told)) => {
                    self.note(&told);
                    Ok(changed(&told, there.order_id, &wanted))
                }
                Ok(None) => Err(Failure::new(
                    FailureKind::Lost { timed_out: true },
                    "TWS has not said what became of the change",
                )),
                Err(failure) => Err(failure),
            };
        }
        // Without a word it stays open: what is said of it later says nothing of the order.
        let refusal = match outcome? {
            Some(Changed::Refused(words)) => Some(words),
            Some(Changed::Done) | None => None,
        };
        self.shared.book.changed(there.order_id, refusal.clone());
        match refusal {
            Some(reason) => rejected(reason),
            None => Ok(ReplaceOutcome::Replaced(order.broker_order_id.clone())),
        }
    }
}

/// What an order that has ended makes of a cancellation.
fn ended(order: &WireOrder) -> Option<CancelOutcome> {
    match map::state(order) {
        OrderState::Canceled => Some(CancelOutcome::Confirmed),
        state if state.is_terminal() => Some(CancelOutcome::TooLate { state }),
        _ => None,
    }
}

/// A failure after which nobody knows whether the order is there.
fn lost_with(failure: Failure) -> Failure {
    Failure { kind: FailureKind::Lost { timed_out: false }, ..failure }
}

/// The next thing that is told of orders; `None` = nothing within the time.
async fn next_told(
    updates: &mut Subscription<OrderUpdate>,
    link: &Link,
    left: Duration,
) -> Result<Option<Told>, Failure> {
    loop {
        let Some(update) = within(&*link.sleep, left, updates.next()).await else { return Ok(None) };
        let told = match heard(update.ok_or_else(lost)?) {
            Ok(Heard::Notice(notice)) => Some(Told::Notice(notice)),
            // What cannot be read may be about another order.
            Ok(Heard::Update(update)) => told::update(&update, link.zone.as_deref()).unwrap_or_default(),
            Err(failure) => return Err(failure),
        };
        if told.is_some() {
            return Ok(told);
        }
    }
}
