//! Risk vocabulary: envelopes, limits, gates, codes, halts, and the traits of gates and of the risk machine.

mod decision;
mod envelope;
mod halt;
mod limits;
mod machine;

pub use crate::trading_session::SessionPhase;
pub use decision::{
    Gate, GateOutcome, GateTrace, OrderRejection, RejectCode, Rejection, RiskDecision, Verdict,
};
pub use envelope::{EnvelopeFault, EnvelopeFaults, RiskEnvelope};
pub use halt::{HaltCause, HaltMode, HaltRequest, HaltScope, HaltSeverity, Rebased, ResumeRequest};
pub use limits::{GateLimits, LossResponse, RateBucket, Staleness};
pub use machine::{
    AsyncRiskGate, DynAsyncRiskGate, OrderContext, RiskAction, RiskContext, RiskEvent, RiskGate, RiskMachine,
    RiskRefusal,
};
