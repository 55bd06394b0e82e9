//! Faults of calls: those that are still to come, and answers that cannot be right.

use crate::dialect::{Answer, Fields};
use bytes::Bytes;
use mts_foundation::double::{Call, CallFault, WrongAnswer};
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};

/// Most faults that wait for calls of one kind.
const MAX_WAITING: usize = 1_000;

/// A name nobody has seen before.
pub(crate) const UNKNOWN_NAME: &str = "mts_unheard_of";

/// The faults that are still to come.
#[derive(Debug, Default)]
pub(super) struct Faults {
    waiting: BTreeMap<Call, VecDeque<(CallFault, u32)>>,
}

impl Faults {
    /// The next `times` calls of a kind go wrong, after those that wait already. `false` when too many wait.
    pub(super) fn add(&mut self, call: Call, fault: CallFault, times: u32) -> bool {
        let waiting = self.waiting.entry(call).or_default();
        if waiting.len() >= MAX_WAITING {
            return false;
        }
        if times > 0 {
            waiting.push_back((fault, times));
        }
        true
    }

    /// What goes wrong with a call that has come.
    pub(super) fn take(&mut self, call: Call) -> Option<CallFault> {
        let waiting = self.waiting.get_mut(&call)?;
        let (fault, times) = waiting.front_mut()?;
        let fault = *fault;
        *times = times.saturating_sub(1);
        if *times == 0 {
            waiting.pop_front();
        }
        Some(fault)
    }
}

/// Makes of a right answer one that cannot be right, or not quite.
pub(super) fn spoil(mut answer: Answer, wrong: WrongAnswer, fields: Fields) -> Answer {
    match wrong {
        WrongAnswer::Empty => {
            answer.status = 200;
            answer.body = Bytes::new();
        }
        WrongAnswer::Html => {
            answer.status = 200;
            answer.headers = vec![("content-type", "text/html".to_owned())];
            answer.body = Bytes::from_static(b"<!doctype html><title>Welcome</title><p>Please sign in.</p>");
        }
        WrongAnswer::Truncated => answer.body = answer.body.slice(..answer.body.len() / 2),
        _ => {
            if let Ok(mut value) = serde_json::from_slice::<Value>(&answer.body) {
                spoil_value(&mut value, wrong, fields);
                answer.body = Bytes::from(value.to_string());
            }
        }
    }
    answer
}

fn spoil_value(value: &mut Value, wrong: WrongAnswer, fields: Fields) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| spoil_value(item, wrong, fields)),
        Value::Object(object) => {
            for (name, field) in object.iter_mut() {
                let name = name.as_str();
                match wrong {
                    WrongAnswer::UnknownName if fields.names.contains(&name) && field.is_string() => {
                        *field = json!(UNKNOWN_NAME);
                    }
                    WrongAnswer::OtherType if fields.numbers.contains(&name) && !field.is_null() => {
                        *field = json!({"not": ["a", "number"]});
                    }
                    WrongAnswer::HugeNumber if fields.numbers.contains(&name) && !field.is_null() => {
                        *field = json!("1e400");
                    }
                    WrongAnswer::OtherOrder if fields.ids.contains(&name) && field.is_string() => {
                        *field = json!("00000000-0000-4000-a000-000000000000");
                    }
                    _ => spoil_value(field, wrong, fields),
                }
            }
            // An object of objects is a list by names: what is more there would be an item, not a field.
            if wrong == WrongAnswer::ExtraField && !object.values().all(Value::is_object) {
                object.insert("mts_new_field".to_owned(), json!({"since": 2027}));
            }
        }
        _ => {}
    }
}

/// The same message with a name that nobody has seen before.
pub(crate) fn with_unknown_name(text: &str, fields: Fields) -> String {
    let Ok(mut value) = serde_json::from_str::<Value>(text) else { return text.to_owned() };
    spoil_value(&mut value, WrongAnswer::UnknownName, fields);
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: Fields = Fields { names: &["status"], numbers: &["qty"], ids: &["id"] };

    fn spoiled(wrong: WrongAnswer) -> String {
        let right = json!([{"id": "a", "qty": "1", "status": "new", "legs": [{"qty": 2}], "limit": null}]);
        String::from_utf8(spoil(Answer::json(200, &right), wrong, FIELDS).body.to_vec()).unwrap()
    }

    #[test]
    fn each_wrong_answer_is_wrong_in_its_way() {
        assert_eq!(spoiled(WrongAnswer::Empty), "");
        assert!(spoiled(WrongAnswer::Html).starts_with("<!doctype"));
        assert!(serde_json::from_str::<Value>(&spoiled(WrongAnswer::Truncated)).is_err());
        let value = |wrong| serde_json::from_str::<Value>(&spoiled(wrong)).unwrap();
        assert!(value(WrongAnswer::OtherType)[0]["legs"][0]["qty"].is_object());
        assert_eq!(value(WrongAnswer::UnknownName)[0]["status"], UNKNOWN_NAME);
        assert_eq!(value(WrongAnswer::HugeNumber)[0]["qty"], "1e400");
        assert_ne!(value(WrongAnswer::OtherOrder)[0]["id"], "a");
        let extra = value(WrongAnswer::ExtraField);
        assert!(extra[0]["mts_new_field"].is_object() && extra[0]["qty"] == "1");
        let by_name = Answer::json(200, &json!({"a": {"qty": "1"}}));
        let spoiled = spoil(by_name, WrongAnswer::ExtraField, FIELDS).body;
        let spoiled: Value = serde_json::from_slice(&spoiled).unwrap();
        assert!(spoiled.get("mts_new_field").is_none() && spoiled["a"]["mts_new_field"].is_object());
    }

    #[test]
    fn faults_come_in_order_and_as_often_as_they_were_asked_for() {
        let mut faults = Faults::default();
        assert!(faults.add(Call::Submit, CallFault::Silent, 2));
        assert!(faults.add(Call::Submit, CallFault::NotRead, 1));
        assert!(faults.add(Call::Cancel, CallFault::Ignored, 0));
        let taken: Vec<_> = (0..4).map(|_| faults.take(Call::Submit)).collect();
        assert_eq!(taken, [Some(CallFault::Silent), Some(CallFault::Silent), Some(CallFault::NotRead), None]);
        assert_eq!(faults.take(Call::Cancel), None);
    }
}
