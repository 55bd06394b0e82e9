//! Bugs that are planted on purpose, so that it can be shown that the checkers find them. They sit around the engine, in the
//! simulation's shell, its disk and a risk machine in front of the real one; the engine itself is never changed.

use mts_foundation::risk::{
    GateTrace, HaltRequest, RiskAction, RiskContext, RiskDecision, RiskEvent, RiskMachine, RiskRefusal,
};
use mts_foundation::{FundId, Ledger, Order, OrderId, RiskEnvelope, Timestamp};
use mts_riskengine::RiskPipeline;

/// A planted bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plant {
    /// Fills that come again are taken for new ones.
    DropDedup,
    /// An order without an answer is simply sent again.
    ResendOnTimeout,
    /// The journal says that it synced and did not.
    SkipSync,
    /// What was missed while the connection was down is not asked for.
    ForgetGap,
    /// Recovery loses the end of the journal.
    LoseLastRecord,
    /// One fill in a while is booked twice.
    DoubleFill,
    /// The risk machine lets everything pass.
    Ungated,
    /// After the journal failed, what was to be done is done all the same.
    SendAfterFailure,
    /// Keys and orders are never forgotten.
    ForgetNothing,
    /// Alarms are not heard.
    Silent,
    /// Every child of an algorithm leaves with twice its quantity.
    DoubleChildren,
    /// The exits of a bracket leave with more than the entry has filled.
    LargeExits,
    /// What another order filled is not taken from the alternatives beside it: their cancellations never leave.
    KeepAlternatives,
    /// What asynchronous gates are asked about leaves before they answer.
    LeaveUnasked,
}

impl Plant {
    /// All of them.
    pub const ALL: &'static [Self] = &[
        Self::DropDedup,
        Self::ResendOnTimeout,
        Self::SkipSync,
        Self::ForgetGap,
        Self::LoseLastRecord,
        Self::DoubleFill,
        Self::Ungated,
        Self::SendAfterFailure,
        Self::ForgetNothing,
        Self::Silent,
        Self::DoubleChildren,
        Self::LargeExits,
        Self::KeepAlternatives,
        Self::LeaveUnasked,
    ];
}

/// A risk machine whose gates are open; everything else is the real one's.
pub(crate) struct Ungated(pub(crate) RiskPipeline);

impl RiskMachine for Ungated {
    fn check(&self, _: &Order, _: &RiskContext<'_>, _: &mut GateTrace) -> RiskDecision {
        RiskDecision::Approved
    }
    fn reserve(&mut self, order: &Order, context: &RiskContext<'_>, trace: &mut GateTrace) -> RiskDecision {
        drop(self.0.reserve(order, context, trace));
        RiskDecision::Approved
    }
    fn reduces(&self, order: &Order, context: &RiskContext<'_>) -> bool {
        self.0.reduces(order, context)
    }
    fn commit(&mut self, order: &Order, context: &RiskContext<'_>) {
        self.0.commit(order, context);
    }
    fn release(&mut self, order_id: &OrderId) {
        self.0.release(order_id);
    }
    fn withdraw(&mut self, order: &Order) {
        self.0.withdraw(order);
    }
    fn apply(
        &mut self,
        event: &RiskEvent,
        ledger: &Ledger,
        now: Timestamp,
        actions: &mut Vec<RiskAction>,
    ) -> Result<(), RiskRefusal> {
        self.0.apply(event, ledger, now, actions)
    }
    fn envelope(&self, fund_id: &FundId) -> Option<&RiskEnvelope> {
        self.0.envelope(fund_id)
    }
    fn halts(&self) -> Vec<HaltRequest> {
        self.0.halts()
    }
    fn killed(&self) -> Option<&str> {
        RiskMachine::killed(&self.0)
    }
    fn snapshot(&self) -> Vec<u8> {
        self.0.snapshot()
    }
    fn restore(&mut self, bytes: &[u8]) -> Result<(), RiskRefusal> {
        self.0.restore(bytes)
    }
}
