//! Places in a history that are instants.

use super::failure::Failure;
use mts_foundation::Timestamp;
use mts_foundation::broker_event::Cursor;
use std::time::Duration;

/// The cursor of an instant.
///
/// # Errors
/// [`Failure`] of kind `Unreadable` for an instant whose text is longer than a cursor may be: there is none.
pub fn cursor(time: Timestamp) -> Result<Cursor, Failure> {
    Cursor::new(time.to_string()).map_err(|error| Failure::unreadable(error.to_string()))
}

/// The instant of a cursor.
///
/// # Errors
/// [`Failure`] of kind `Unreadable` with the cursor.
pub fn place(cursor: &Cursor) -> Result<Timestamp, Failure> {
    cursor.as_str().parse().map_err(|_| {
        Failure::unreadable(format!("the cursor {:?} is no instant; start without one", cursor.as_str()))
    })
}

/// Where a question about what happened after a place begins. The stream moves the place between two looks, and what only the
/// history tells may be as old as the look before; rows come `late` besides. What is told twice is known by its id.
#[must_use]
pub fn reach_back(place: Timestamp, look_every: Duration, late: Duration) -> Timestamp {
    let by = look_every.saturating_add(late);
    Timestamp::from_nanos(place.nanos().saturating_sub(i64::try_from(by.as_nanos()).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_reaches_back_to_before_the_look_before() {
        let place = place(&Cursor::new("2026-11-22T10:00:50Z").unwrap()).unwrap();
        let from = reach_back(place, Duration::from_secs(60), Duration::from_secs(30));
        // A withdrawal at 10:00:05, a fill of the stream at 10:00:50, the look at 10:01:00.
        assert_eq!(from, "2026-11-22T09:59:20Z".parse().unwrap());
        assert_eq!(cursor(from).unwrap().as_str(), "2026-11-22T09:59:20Z");
        assert!(super::place(&Cursor::new("later").unwrap()).unwrap_err().message.contains("later"));
    }
}
