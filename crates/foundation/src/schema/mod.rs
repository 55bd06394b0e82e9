//! JSON Schemas (draft 2020-12) and an OpenAPI 3.1 document of every type that travels, for integrators in other
//! languages. Only with the feature `schema`.
//!
//! ```
//! let types = mts_foundation::schema::Catalogue::of_foundation();
//! let order = types.schema_of("Order").unwrap();
//! assert_eq!(order["properties"]["tif"]["default"], "day");
//! let document = types.openapi(&["Order", "Fill"]).unwrap();
//! assert_eq!(document["components"]["schemas"]["Side"]["oneOf"][0]["const"], "buy");
//! ```
//!
//! A schema says what serde reads; what serde writes is part of that. The limits that a type's `validate` checks are
//! in it too. What JSON Schema cannot say is listed in docs/schema.md.
//!
//! # A new type
//!
//! One line in the table of `schema/table.rs`, and below the type's serde derive:
//!
//! ```text
//! #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
//! ```
//!
//! Doc comments become descriptions; `#[serde(with = "exact")]` is understood. A type that reads through another
//! (`#[serde(try_from = …)]`) says what the other checks, as [`Fill`](crate::Fill) and [`Symbol`](crate::Symbol) do.
//! `crates/foundation/tests/schema.rs` names every type that is missing here, and wants a value of each.

mod decimal;
mod patterns;
mod table;

pub use decimal::PositiveDecimal;
pub(crate) use patterns::{CURRENCY, DAY_ROLL, IDENTIFIER, INSTANT, INTERVAL, SYMBOL, bound};
pub use schemars;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// The dialect of all schemas.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// A name that is not in the catalogue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no schema of {name:?}; Catalogue::names lists those there are")]
pub struct UnknownType {
    /// The name.
    pub name: String,
}

/// One type: its name, how its whole schema is made, how it enters a document with others.
struct Row {
    name: Cow<'static, str>,
    whole: fn(SchemaGenerator) -> Schema,
    part: fn(&mut SchemaGenerator) -> Schema,
}

/// All types that have a schema, in name order.
pub struct Catalogue {
    rows: Vec<Row>,
}

impl std::fmt::Debug for Catalogue {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_list().entries(self.names()).finish()
    }
}

impl Catalogue {
    /// The types of this crate.
    #[must_use]
    pub fn of_foundation() -> Self {
        table::all(Self { rows: Vec::new() })
    }

    /// The same with one more type, under the name that its schema has; a type of one's own for example.
    #[must_use]
    pub fn with<T: JsonSchema>(mut self) -> Self {
        let name = T::schema_name();
        if let Err(place) = self.rows.binary_search_by(|row| row.name.cmp(&name)) {
            let row = Row {
                name,
                whole: SchemaGenerator::into_root_schema_for::<T>,
                part: SchemaGenerator::subschema_for::<T>,
            };
            self.rows.insert(place, row);
        }
        self
    }

    /// All names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.rows.iter().map(|row| row.name.as_ref())
    }

    /// The schema of one type, with everything it refers to under `$defs`; `None` when the name is unknown.
    #[must_use]
    pub fn schema_of(&self, name: &str) -> Option<Value> {
        let row = self.rows.iter().find(|row| row.name == name)?;
        let schema = (row.whole)(SchemaSettings::draft2020_12().into_generator());
        Some(finished(schema.to_value()))
    }

    /// The first sentence of a type's description.
    #[must_use]
    pub fn summary(&self, name: &str) -> Option<String> {
        let schema = self.schema_of(name)?;
        let text = schema.get("description").and_then(Value::as_str).unwrap_or_default();
        let end = text.match_indices(['.', '\n']).find(|(at, mark)| {
            *mark == "\n"
                || text
                    .get(at + 1..)
                    .is_none_or(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
        });
        Some(end.map_or(text, |(at, _)| text.get(..at).unwrap_or(text)).to_owned())
    }

    /// An OpenAPI 3.1 document with these types, and what they refer to, as `components/schemas`; without names, of
    /// all types. It has no paths: mts serves none, its messages are the interface.
    ///
    /// # Errors
    /// [`UnknownType`] for a name that is not in the catalogue.
    pub fn openapi(&self, names: &[&str]) -> Result<Value, UnknownType> {
        if let Some(name) = names.iter().find(|name| !self.names().any(|known| known == **name)) {
            return Err(UnknownType { name: (*name).to_owned() });
        }
        let mut settings = SchemaSettings::draft2020_12();
        settings.definitions_path = "/components/schemas".into();
        let mut generator = settings.into_generator();
        for row in &self.rows {
            if names.is_empty() || names.contains(&row.name.as_ref()) {
                // What comes back is the reference; the schema itself stays with the generator.
                let _reference = (row.part)(&mut generator);
            }
        }
        let schemas: Map<_, _> = generator.take_definitions(true);
        Ok(json!({
            "openapi": "3.1.0",
            "jsonSchemaDialect": DIALECT,
            "info": {
                "title": "mts",
                "version": env!("CARGO_PKG_VERSION"),
                "description": "Every type that mts writes to files, journals' exports and messages, or reads from \
                    them. Money, prices and quantities travel as text, so that nothing is rounded.",
                "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
            },
            "components": { "schemas": finished(Value::Object(schemas)) },
        }))
    }
}

/// Finishes what schemars makes: doc comments readable outside of Rust, the grammar of dates, the ranges of integers.
fn finished(mut value: Value) -> Value {
    match &mut value {
        Value::Object(object) => {
            for (key, entry) in object.iter_mut() {
                match entry {
                    Value::String(text) if key == "description" => *text = plain(text),
                    entry => *entry = finished(entry.take()),
                }
            }
            if object.get("format").is_some_and(|format| format == "date") {
                object.entry("pattern").or_insert(patterns::DATE.into());
            }
            let largest = match object.get("format").and_then(Value::as_str) {
                Some("uint32") => Some(json!(u32::MAX)),
                Some("uint64") => Some(json!(u64::MAX)),
                Some("int64") => Some(json!(i64::MAX)),
                _ => None,
            };
            if let Some(largest) = largest {
                object.entry("maximum").or_insert(largest);
            }
            if object.get("format").is_some_and(|format| format == "int64") {
                object.entry("minimum").or_insert(json!(i64::MIN));
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|entry| *entry = finished(entry.take())),
        _ => {}
    }
    value
}

/// No links into rustdoc, JSON's word for nothing, one line per paragraph.
fn plain(text: &str) -> String {
    let unlinked = text.replace("[`", "`").replace("`]", "`").replace("`None`", "`null`");
    let paragraphs = unlinked.split("\n\n").map(|paragraph| paragraph.replace('\n', " "));
    paragraphs.collect::<Vec<_>>().join("\n\n")
}
