//! Whether a cancellation has come to pass.

use super::failure::{Failure, FailureKind};
use mts_foundation::OrderState;
use mts_foundation::broker::CancelOutcome;
use mts_foundation::io::Sleep;
use std::time::Duration;

/// Looks what has become of an order that the venue was asked to cancel, with these pauses in milliseconds while it is taken
/// and not done. `asked` is the venue's answer, `look` where the order is; `None` = it does not know the order.
///
/// # Errors
/// [`Failure`] of the question or of a look: nobody knows.
pub async fn canceled<F>(
    sleep: &dyn Sleep,
    pauses: &[u64],
    asked: Result<(), Failure>,
    look: impl Fn() -> F,
) -> Result<CancelOutcome, Failure>
where
    F: Future<Output = Result<Option<OrderState>, Failure>>,
{
    // What has ended is refused, and often not known any more.
    let refused = match asked {
        Ok(()) => None,
        Err(failure) if matches!(failure.kind, FailureKind::Refused | FailureKind::NotFound) => Some(failure),
        Err(failure) => return Err(failure),
    };
    let mut pauses = pauses.iter();
    loop {
        let Some(state) = look().await? else { return Ok(CancelOutcome::NotFound) };
        match (state, &refused, pauses.next()) {
            (OrderState::Canceled, ..) => return Ok(CancelOutcome::Confirmed),
            (state, ..) if state.is_terminal() => return Ok(CancelOutcome::TooLate { state }),
            (_, Some(failure), _) => return Ok(failure.clone().of_cancel()),
            (_, None, Some(pause)) => sleep.sleep(Duration::from_millis(*pause)).await,
            (state, None, None) => {
                let cause = format!("the cancellation is taken, and the order is {state} still");
                return Ok(CancelOutcome::Unknown { cause: cause.into() });
            }
        }
    }
}
