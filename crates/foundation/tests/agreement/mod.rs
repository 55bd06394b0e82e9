//! Does a type's schema say what serde does? Values that serde writes must fit; of values changed in every place,
//! the schema must take exactly those that serde (and the type's `validate`) takes.

use jsonschema::Validator;
use mts_foundation::schema::Catalogue;
use mts_foundation::{Event, GateLimits, RiskEnvelope};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Values of one type that are changed; after that they need only fit, so that properties stay quick.
const CHANGED_VALUES: usize = 6;

/// The schema of one type, and how many of its values were checked.
struct Checked {
    validator: Validator,
    values: usize,
}

thread_local! {
    static CHECKED: RefCell<BTreeMap<String, Checked>> = const { RefCell::new(BTreeMap::new()) };
}

/// The type's name in the catalogue: the last part of its path.
fn name_of<T>() -> String {
    std::any::type_name::<T>().rsplit("::").next().unwrap().to_owned()
}

/// A validator of one type's schema, formats included.
fn validator(name: &str) -> Validator {
    let schema = Catalogue::of_foundation()
        .schema_of(name)
        .unwrap_or_else(|| panic!("{name} has no schema; see mts_foundation::schema, \"A new type\""));
    jsonschema::options().should_validate_formats(false).build(&schema).unwrap()
}

/// Checks one value and what becomes of it by changes.
pub(crate) fn agrees<T: Serialize + DeserializeOwned + 'static>(value: &T) {
    CHECKED.with_borrow_mut(|all| {
        let name = name_of::<T>();
        let checked =
            all.entry(name.clone()).or_insert_with(|| Checked { validator: validator(&name), values: 0 });
        let tree = serde_json::to_value(value).unwrap();
        if let Err(error) = checked.validator.validate(&tree) {
            panic!(
                "{name}: what is written does not fit its schema: {error} at {}: {tree}",
                error.instance_path()
            );
        }
        checked.values += 1;
        if checked.values > CHANGED_VALUES {
            return;
        }
        let mut faults = Vec::new();
        for (place, changed) in changes(&tree) {
            let read = reads::<T>(&changed);
            let fits = checked.validator.is_valid(&changed);
            if read != fits && !cannot_be_said(&name, &place) {
                let serde = if read { "reads" } else { "refuses" };
                faults.push(format!("{place}: serde {serde} and the schema does not"));
            }
        }
        assert!(faults.is_empty(), "{name}: {tree}\n{}", faults.join("\n"));
    });
}

/// Every type of the catalogue had a value in this test, or is one of `elsewhere`.
pub(crate) fn every_type_was_seen(elsewhere: &[&str]) {
    CHECKED.with_borrow(|all| {
        let catalogue = Catalogue::of_foundation();
        let missing: Vec<_> =
            catalogue.names().filter(|name| !all.contains_key(*name) && !elsewhere.contains(name)).collect();
        assert!(missing.is_empty(), "no value of {missing:?} was checked: add round_trips(&value) for each");
    });
}

/// Whether mts takes the value: serde reads it, and the limits of the type hold.
fn reads<T: DeserializeOwned + 'static>(value: &Value) -> bool {
    let Ok(read) = serde_json::from_value::<T>(value.clone()) else { return false };
    let read: &dyn Any = &read;
    let envelope = match read.downcast_ref::<Event>() {
        Some(Event::EnvelopeUpdated(envelope)) => Some(envelope),
        _ => read.downcast_ref::<RiskEnvelope>(),
    };
    envelope.is_none_or(|envelope| envelope.validate().is_ok())
        && read.downcast_ref::<GateLimits>().is_none_or(|limits| limits.validate().is_ok())
}

/// What docs/schema.md lists: serde's own `Duration` refuses unknown fields, schemars' does not.
fn cannot_be_said(name: &str, place: &str) -> bool {
    let duration = name == "Duration" || place.starts_with("/history_window");
    duration && place.ends_with("with an unknown field")
}

/// The tree with one thing changed, in every place and every way, and what was changed.
fn changes(tree: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for place in places(tree, "") {
        let here = tree.pointer(&place).unwrap();
        let mut put = |what: String, value: Value| {
            let mut changed = tree.clone();
            *changed.pointer_mut(&place).unwrap() = value;
            found.push((format!("{place} {what}"), changed));
        };
        for value in [
            json!(null),
            json!(true),
            json!(-1),
            json!(0),
            json!(3),
            json!(0.5),
            json!(0.1),
            json!(1e300),
            json!(""),
            json!(" "),
            json!("no such thing"),
            json!("a\u{1}b"),
            json!("x".repeat(257)),
            json!("-1"),
            json!("0.000"),
            json!(" +7.50 "),
            json!("1e3"),
            json!("2026-03-02T14:30:00"),
            json!({ "no_such_field": 1 }),
        ] {
            put(format!("= {value}"), value);
        }
        match here {
            Value::String(text) => put("with white space".to_owned(), json!(format!("\t {text}\n"))),
            Value::Object(object) => {
                for key in object.keys() {
                    let mut less = object.clone();
                    less.remove(key);
                    put(format!("without {key}"), Value::Object(less));
                }
                let mut more = object.clone();
                more.insert("no_such_field".to_owned(), json!(1));
                put("with an unknown field".to_owned(), Value::Object(more));
            }
            Value::Array(list) => {
                let mut more = list.clone();
                more.push(Value::Null);
                put("with one more".to_owned(), Value::Array(more));
            }
            _ => {}
        }
    }
    found
}

/// JSON pointers to everything in the tree.
fn places(tree: &Value, here: &str) -> Vec<String> {
    let mut found = vec![here.to_owned()];
    match tree {
        Value::Object(object) => {
            for (key, value) in object {
                let key = key.replace('~', "~0").replace('/', "~1");
                found.extend(places(value, &format!("{here}/{key}")));
            }
        }
        Value::Array(list) => {
            for (index, value) in list.iter().enumerate() {
                found.extend(places(value, &format!("{here}/{index}")));
            }
        }
        _ => {}
    }
    found
}
