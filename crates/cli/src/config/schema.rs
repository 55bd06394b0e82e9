//! The configuration file as JSON Schema, so that editors complete it.

use super::load::Output;
use super::{AlertsSection, JournalSection, KEYS, LogSection, MetricsSection, RunConfig};
use mts_foundation::schema::Catalogue;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Sections that a file cannot do without.
const REQUIRED: &[&str] = &["run", "fund", "envelope", "instruments", "data", "strategy", "broker"];

/// Sections that the file has and `RunConfig` has not, with their types.
const BESIDE: &[(&str, &str)] = &[
    ("output", "Output"),
    ("alerts", "AlertsSection"),
    ("log", "LogSection"),
    ("metrics", "MetricsSection"),
    ("journal", "JournalSection"),
];

/// JSON Schema of the configuration file: the types of [`RunConfig`], of which each section has exactly the keys of
/// [`KEYS`]; unknown ones are refused.
#[must_use]
pub fn schema() -> Value {
    let catalogue = Catalogue::of_foundation()
        .with::<RunConfig>()
        .with::<Output>()
        .with::<AlertsSection>()
        .with::<LogSection>()
        .with::<MetricsSection>()
        .with::<JournalSection>();
    let whole = |name| match catalogue.schema_of(name) {
        Some(Value::Object(schema)) => schema,
        _ => Map::new(),
    };
    let mut root = whole("RunConfig");
    let Some(Value::Object(mut types)) = root.remove("$defs") else { return Value::Object(root) };
    for (_, name) in BESIDE {
        let mut section = whole(name);
        if let Some(Value::Object(parts)) = section.remove("$defs") {
            types.extend(parts);
        }
        types.insert((*name).to_owned(), Value::Object(section));
    }
    let mut sections = Map::new();
    for name in KEYS.iter().map(|key| key.section) {
        if !sections.contains_key(name) {
            sections.insert(name.to_owned(), section(name, &root, &types));
        }
    }
    root.insert("title".to_owned(), "mts configuration".into());
    root.insert("description".to_owned(), "What `mts run` runs. See docs/configuration.md.".into());
    root.insert("properties".to_owned(), Value::Object(sections));
    root.insert("required".to_owned(), json!(REQUIRED));
    root.insert("additionalProperties".to_owned(), Value::Bool(false));
    with_needed(root, types)
}

/// The type of a section, cut to its keys. Keys that mts fills in itself, such as the envelope's ids, go.
fn section(name: &str, root: &Map<String, Value>, types: &Map<String, Value>) -> Value {
    let field = root.get("properties").and_then(|fields| fields.get(name));
    let mut references = BTreeSet::new();
    field.into_iter().for_each(|field| refers_to(field, &mut references));
    let beside = BESIDE.iter().find(|(section, _)| *section == name).map(|(_, type_name)| *type_name);
    let type_name = references.first().map(String::as_str).or(beside).unwrap_or_default();
    let Some(Value::Object(mut schema)) = types.get(type_name).cloned() else { return Value::Bool(false) };
    let mut fields = Map::new();
    for key in KEYS.iter().filter(|key| key.section == name) {
        let of_type = schema.get("properties").and_then(|fields| fields.get(key.name)).cloned();
        let mut field = of_type.unwrap_or(Value::Bool(false));
        if let Value::Object(field) = &mut field {
            field.insert("description".to_owned(), key.doc.into());
        }
        fields.insert(key.name.to_owned(), field);
    }
    let required: Vec<_> = KEYS
        .iter()
        .filter(|key| key.section == name && key.default == "required")
        .map(|key| key.name)
        .collect();
    for keyword in ["$schema", "title", "$defs"] {
        schema.remove(keyword);
    }
    schema.insert("properties".to_owned(), Value::Object(fields));
    schema.insert("required".to_owned(), json!(required));
    schema.insert("additionalProperties".to_owned(), Value::Bool(false));
    Value::Object(schema)
}

/// Names of the types that a schema refers to.
fn refers_to(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(object) => {
            if let Some(name) =
                object.get("$ref").and_then(Value::as_str).and_then(|at| at.strip_prefix("#/$defs/"))
            {
                found.insert(name.to_owned());
            }
            object.values().for_each(|value| refers_to(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| refers_to(value, found)),
        _ => {}
    }
}

/// The schema with those of the types that it still refers to.
fn with_needed(mut root: Map<String, Value>, types: Map<String, Value>) -> Value {
    let mut needed = BTreeSet::new();
    refers_to(&Value::Object(root.clone()), &mut needed);
    let mut before = 0;
    while needed.len() > before {
        before = needed.len();
        for name in needed.clone() {
            types.get(&name).into_iter().for_each(|schema| refers_to(schema, &mut needed));
        }
    }
    let kept = types.into_iter().filter(|(name, _)| needed.contains(name)).collect();
    root.insert("$defs".to_owned(), Value::Object(kept));
    Value::Object(root)
}
