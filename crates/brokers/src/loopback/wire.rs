//! The messages: one line of JSON each.

use mts_foundation::broker::{CancelOutcome, OrderRef, SubmitOutcome};
use mts_foundation::broker_event::{BrokerEvent, Cursor, OrderReport};
use mts_foundation::{Account, IdempotencyKey, Order, Position, Timestamp};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

/// The version of this wire; both sides must have the same.
pub const VERSION: u32 = 1;

/// Longest line, bytes.
pub const MAX_LINE: usize = 8 << 20;

/// What a client asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// The first line of a connection.
    Hello {
        /// The client's [`VERSION`].
        version: u32,
        /// Who it is, for the venue's log.
        client: SmolStr,
    },
    /// Take this order.
    Submit(Box<Order>),
    /// Cancel the order with this client id.
    Cancel(IdempotencyKey),
    /// What became of this order?
    Order(OrderRef),
    /// Which orders may still fill?
    OpenOrders,
    /// What is held?
    Positions,
    /// What is the account worth?
    Account,
    /// From here on the connection carries events: those after the cursor, or the open orders and what comes.
    Events(Option<Cursor>),
}

/// What the venue answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// To [`Request::Hello`].
    Welcome {
        /// The venue's [`VERSION`].
        version: u32,
        /// The venue's time.
        time: Timestamp,
    },
    /// To [`Request::Submit`].
    Submitted(Box<SubmitOutcome>),
    /// To [`Request::Cancel`].
    Canceled(CancelOutcome),
    /// To [`Request::Order`]; `None` = the venue does not know it.
    Order(Option<Box<OrderReport>>),
    /// To [`Request::OpenOrders`].
    OpenOrders(Vec<OrderReport>),
    /// To [`Request::Positions`].
    Positions(Vec<Position>),
    /// To [`Request::Account`].
    Account(Account),
    /// One of those that [`Request::Events`] asks for.
    Event(Box<BrokerEvent>),
    /// What was asked cannot be read or done; why.
    Refused(String),
}

/// A message as its line, with the line's end.
///
/// # Errors
/// When it has no JSON, which no message of this module lacks.
pub fn line(message: &impl Serialize) -> Result<Vec<u8>, serde_json::Error> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_are_those_of_the_page() {
        let text = |message: &Request| String::from_utf8(line(message).unwrap()).unwrap();
        let hello = Request::Hello { version: 1, client: "mts 4711".into() };
        assert_eq!(text(&hello), "{\"hello\":{\"version\":1,\"client\":\"mts 4711\"}}\n");
        let key = IdempotencyKey::new("k").unwrap();
        assert_eq!(text(&Request::Cancel(key)), "{\"cancel\":\"k\"}\n");
        assert_eq!(text(&Request::OpenOrders), "\"open_orders\"\n");
        let after = Some(Cursor::new("7").unwrap());
        assert_eq!(text(&Request::Events(after)), "{\"events\":\"7\"}\n");
        assert_eq!(text(&Request::Events(None)), "{\"events\":null}\n");
        assert_eq!(String::from_utf8(line(&Answer::Order(None)).unwrap()).unwrap(), "{\"order\":null}\n");
    }
}
