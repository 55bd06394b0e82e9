//! The kill switch, halts and envelopes: acts of people, each durable before it is answered.

use super::SafeBroker;
use super::error::SafeBrokerError;
use mts_foundation::risk::{HaltRequest, ResumeRequest, RiskEnvelope, RiskEvent};
use mts_foundation::{ActorId, RiskMachine};

impl SafeBroker {
    /// Activates the kill switch: nothing but closing and cancelling passes until it is disabled, over restarts and days.
    /// Cancels every working order of the account. The documented reason is "Manual".
    ///
    /// # Errors
    /// [`SafeBrokerError::State`] when the switch cannot be made durable (it is on all the same);
    /// [`SafeBrokerError::Account`] or [`SafeBrokerError::CancelUnconfirmed`] when not every order is confirmed to be
    /// cancelled; the next tick asks again.
    pub async fn enable_kill_switch(&self, reason: &str) -> Result<(), SafeBrokerError> {
        let actor = self.identity.actor.clone();
        let saved = self.act(&RiskEvent::Kill { reason: reason.to_owned(), actor });
        // On the list until it is done: this future may be dropped.
        self.books().to_do.cancel_all = true;
        let canceled = self.cancel_all().await;
        if canceled.is_ok() {
            self.books().to_do.cancel_all = false;
        }
        saved.and(canceled)
    }

    /// Disables the kill switch: the same act as a resume, by operators and with a reason (decision R9).
    ///
    /// # Errors
    /// [`SafeBrokerError::ActRefused`] when it is not on or the operators do not suffice; [`SafeBrokerError::State`].
    pub fn disable_kill_switch(&self, operators: &[ActorId], reason: &str) -> Result<(), SafeBrokerError> {
        let timestamp = self.clock.now();
        let (operators, reason) = (operators.to_vec(), reason.to_owned());
        self.resume(ResumeRequest { scope: None, operators, reason, timestamp })
    }

    /// Halts.
    ///
    /// # Errors
    /// [`SafeBrokerError::State`]; the halt is in force all the same.
    pub fn halt(&self, request: HaltRequest) -> Result<(), SafeBrokerError> {
        self.act(&RiskEvent::Halt(request))
    }

    /// Ends a halt.
    ///
    /// # Errors
    /// [`SafeBrokerError::ActRefused`] when nothing is halted or the operators do not suffice; [`SafeBrokerError::State`].
    pub fn resume(&self, request: ResumeRequest) -> Result<(), SafeBrokerError> {
        self.act(&RiskEvent::Resume(request))
    }

    /// Puts the next version of the envelope in force.
    ///
    /// # Errors
    /// [`SafeBrokerError::ActRefused`] for a wrong version, limits out of range, or loosening during a halt.
    pub fn update_envelope(&self, envelope: RiskEnvelope) -> Result<(), SafeBrokerError> {
        self.act(&RiskEvent::EnvelopeUpdated(Box::new(envelope)))
    }

    /// Whether the kill switch is on, and why.
    #[must_use]
    pub fn killed(&self) -> Option<String> {
        self.books().machine.killed().map(str::to_owned)
    }

    /// Halts in force.
    #[must_use]
    pub fn halts(&self) -> Vec<HaltRequest> {
        self.books().machine.halts()
    }

    fn act(&self, event: &RiskEvent) -> Result<(), SafeBrokerError> {
        let now = self.clock.now();
        let mut books = self.books();
        books.apply(event, now)?;
        Ok(books.save()?)
    }
}
