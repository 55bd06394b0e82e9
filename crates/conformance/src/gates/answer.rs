//! Asking a gate, whatever kind it is, so that even a panic is an answer.

use super::Question;
use mts_foundation::broker::BoxFuture;
use mts_foundation::risk::Rejection;
use mts_foundation::{AsyncRiskGate, RiskGate};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;

/// What a gate says to an order: nothing, or why not.
pub type GateResult = Result<(), Box<Rejection>>;

/// What came of asking.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Answer {
    Passed,
    Refused(Box<Rejection>),
    /// With the message of the panic.
    Panicked(String),
}

impl Answer {
    pub(super) fn refusal(&self) -> Option<&Rejection> {
        match self {
            Self::Refused(rejection) => Some(rejection),
            Self::Passed | Self::Panicked(_) => None,
        }
    }

    pub(super) fn panicked(&self) -> bool {
        matches!(self, Self::Panicked(_))
    }

    /// Whether two answers are the same to a machine: everything but the sentence for people.
    pub(super) fn same_verdict(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Refused(one), Self::Refused(two)) => {
                (one.gate, one.code, one.limit, one.observed) == (two.gate, two.code, two.limit, two.observed)
            }
            _ => self == other,
        }
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Passed => out.write_str("passed"),
            Self::Refused(why) => {
                write!(out, "refused with {} of gate {} ({:?})", why.code, why.gate, why.message)
            }
            Self::Panicked(message) => write!(out, "panicked ({message:?})"),
        }
    }
}

/// The value, or the message of the panic.
pub(super) fn caught<T>(act: impl FnOnce() -> T) -> Result<T, String> {
    // What a gate leaves behind when it panics is looked at by the next question, which is a test of its own.
    catch_unwind(AssertUnwindSafe(act)).map_err(|payload| {
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
    })
}

/// A gate under test.
pub(super) trait Subject: Sync {
    fn name(&self) -> String;

    /// Does not allocate when the gate passes and does not.
    fn ask(&self, question: &Question) -> Answer;

    /// Asks and goes away before the answer is there. Only asynchronous gates know this.
    fn give_up(&self, question: &Question) -> Result<(), String>;
}

fn answer(asked: Result<GateResult, String>) -> Answer {
    match asked {
        Ok(Ok(())) => Answer::Passed,
        Ok(Err(rejection)) => Answer::Refused(rejection),
        Err(message) => Answer::Panicked(message),
    }
}

/// A gate that answers at once.
pub(super) struct Pure<G>(pub(super) G);

impl<G: RiskGate> Subject for Pure<G> {
    fn name(&self) -> String {
        self.0.name().to_owned()
    }

    fn ask(&self, question: &Question) -> Answer {
        answer(caught(|| self.0.check(&question.order, question.envelope.as_ref(), &question.context())))
    }

    fn give_up(&self, _: &Question) -> Result<(), String> {
        Ok(())
    }
}

/// A gate that asks somebody, with what drives its futures.
pub(super) struct Asking<'a, G, R> {
    pub(super) gate: G,
    pub(super) run: &'a R,
}

impl<G, R> Subject for Asking<'_, G, R>
where
    G: AsyncRiskGate,
    R: for<'f> Fn(BoxFuture<'f, GateResult>) -> GateResult + Sync,
{
    fn name(&self) -> String {
        self.gate.name().to_owned()
    }

    fn ask(&self, question: &Question) -> Answer {
        let future = || Box::pin(self.gate.check(&question.order, question.envelope.as_ref()));
        answer(caught(|| (self.run)(future())))
    }

    fn give_up(&self, question: &Question) -> Result<(), String> {
        let once = async {
            let mut asked = pin!(self.gate.check(&question.order, question.envelope.as_ref()));
            let first = std::future::poll_fn(|context| Poll::Ready(asked.as_mut().poll(context)));
            drop(first.await);
            Ok(())
        };
        // Its answer, if it was there at once, is none of ours.
        caught(|| (self.run)(Box::pin(once))).map(drop)
    }
}

/// Wakes a thread that waits.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Drives a future on this thread until it is ready; for gates whose futures need no runtime.
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return value;
        }
        std::thread::park();
    }
}
