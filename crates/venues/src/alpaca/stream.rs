//! The stream of trade updates. Paper accounts send binary frames that hold text; so does the double.

use super::render::{number, order, status};
use crate::desk::{Desk, Event, State, What};
use crate::dialect::{Follower, Frame};
use serde_json::{Value, json};

/// One client's stream.
pub(super) struct TradeUpdates {
    key: (String, String),
    /// Its credentials shall not be taken.
    refused: bool,
    authorised: bool,
    follows: bool,
}

impl TradeUpdates {
    pub(super) fn new(key: (String, String), refused: bool) -> Self {
        Self { key, refused, authorised: false, follows: false }
    }

    fn authorise(&mut self, id: Option<&str>, secret: Option<&str>) -> Vec<Frame> {
        let known = id == Some(self.key.0.as_str()) && secret == Some(self.key.1.as_str());
        self.authorised = known && !self.refused;
        if self.authorised {
            return vec![self.say(&json!({
                "stream": "authorization", "data": {"action": "authenticate", "status": "authorized"},
            }))];
        }
        let refusal = json!({
            "stream": "authorization",
            "data": {"action": "authenticate", "status": "unauthorized", "message": "access key verification failed"},
        });
        vec![self.say(&refusal), Frame::Close]
    }

    fn listen(&mut self, data: &Value) -> Vec<Frame> {
        let streams = data.get("streams").and_then(Value::as_array).cloned().unwrap_or_default();
        let known: Vec<Value> = streams.into_iter().filter(|stream| stream == "trade_updates").collect();
        self.follows = self.authorised && !known.is_empty();
        let known = if self.authorised { known } else { Vec::new() };
        vec![self.say(&json!({"stream": "listening", "data": {"streams": known}}))]
    }

    fn say(&self, message: &Value) -> Frame {
        self.frame(message.to_string())
    }
}

impl Follower for TradeUpdates {
    fn hear(&mut self, _desk: &mut Desk, text: &str) -> Vec<Frame> {
        let message: Value = serde_json::from_str(text).unwrap_or_default();
        let field = |object: &Value, name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
        let data = message.get("data").cloned().unwrap_or_default();
        match field(&message, "action").as_deref() {
            Some("authenticate") => {
                self.authorise(field(&data, "key_id").as_deref(), field(&data, "secret_key").as_deref())
            }
            // The newer form.
            Some("auth") => {
                self.authorise(field(&message, "key").as_deref(), field(&message, "secret").as_deref())
            }
            Some("listen") => self.listen(&data),
            _ => Vec::new(),
        }
    }

    fn follows(&self) -> bool {
        self.follows
    }

    fn tell(&mut self, desk: &Desk, event: &Event) -> Vec<Frame> {
        let row = &event.order;
        let name = match &event.what {
            What::New => "new",
            What::Fill(_) if row.state == State::Filled => "fill",
            What::Fill(_) => "partial_fill",
            What::PendingCancel => "pending_cancel",
            What::Canceled => "canceled",
            What::Expired => "expired",
            What::Rejected => "rejected",
            What::Replaced => "replaced",
            // The venue does not tell of these.
            What::Triggered | What::Amended | What::Corrected | What::Busted => return Vec::new(),
        };
        let mut data = json!({
            "event": name, "execution_id": desk.uuid("execution", event.number),
            "order": order(desk, row, status(row)), "timestamp": event.time.to_string(),
        });
        if let (What::Fill(fill), Some(data)) = (&event.what, data.as_object_mut()) {
            data.insert("price".to_owned(), json!(number(fill.price)));
            data.insert("qty".to_owned(), json!(number(fill.quantity)));
            data.insert("position_qty".to_owned(), json!(number(event.position)));
        }
        vec![self.say(&json!({"stream": "trade_updates", "data": data}))]
    }

    fn unknown_message(&mut self, _desk: &Desk) -> Frame {
        self.say(&json!({"stream": "mts_unheard_of", "data": {"since": 2027}}))
    }

    fn frame(&self, text: String) -> Frame {
        Frame::Binary(text.into_bytes())
    }
}
