//! The catalogue of schemas: complete, without loose ends, and true to the grammars of texts. That each schema agrees
//! with serde is tested in `round_trips.rs`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a helper that fails fails its test")]

use jsonschema::Validator;
use mts_foundation::schema::Catalogue;
use mts_foundation::{Currency, FundId, Interval, Symbol, Timestamp, num};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Public types that are serialised and yet have no schema of their own, and why.
const WITHOUT: &[(&str, &str)] = &[("OrderFields", "the fields of Order, written as an Order")];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            found.push(path);
        }
    }
}

/// The word after `start` on a line, where the line begins with it.
fn word_after<'a>(line: &'a str, start: &str) -> Option<&'a str> {
    let rest = line.trim_start().strip_prefix(start)?;
    rest.split(|letter: char| !letter.is_alphanumeric() && letter != '_')
        .next()
        .filter(|word| !word.is_empty())
}

/// Macros whose types derive `Serialize`: `macro_rules! name { … derive(… Serialize …) … pub struct $name … }`.
fn defining_macros(text: &str) -> Vec<&str> {
    let bodies = text.split("macro_rules! ").skip(1);
    let serialising = bodies.filter_map(|body| {
        let body = body.split("\n}\n").next()?;
        let defines =
            body.contains("Serialize") && (body.contains("struct $name") || body.contains("enum $name"));
        defines.then(|| body.split_whitespace().next()).flatten()
    });
    serialising.collect()
}

/// Public types that a source serialises: by derive, by hand, or through one of `macros`.
fn serialised_types(text: &str, macros: &[String]) -> Vec<String> {
    let text = text.split("#[cfg(test)]\nmod ").next().unwrap();
    let mut found = Vec::new();
    // What stands above an item, since the last blank line.
    let mut above = String::new();
    let mut in_macro = false;
    for line in text.lines() {
        if line.trim().is_empty() {
            above.clear();
        } else if line.contains("! ") || line.contains("!(") {
            in_macro |= macros.iter().any(|name| line.trim_start().starts_with(&format!("{name}!")));
        }
        let defined = word_after(line, "pub struct ").or_else(|| word_after(line, "pub enum "));
        if let Some(name) = defined {
            if above.lines().any(|line| line.contains("derive(") && line.contains("Serialize")) {
                found.push(name.to_owned());
            }
            above.clear();
        } else if let Some(name) = word_after(line, "impl Serialize for ") {
            found.push(name.to_owned());
        } else if in_macro
            && let Some(name) = word_after(line, "").filter(|name| name.starts_with(char::is_uppercase))
        {
            found.push(name.to_owned());
            in_macro = false;
        }
        above.push_str(line);
        above.push('\n');
    }
    found
}

#[test]
fn every_public_type_that_is_serialised_has_a_schema() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let texts: Vec<_> = files.iter().map(|file| (file, std::fs::read_to_string(file).unwrap())).collect();
    let macros: Vec<String> =
        texts.iter().flat_map(|(_, text)| defining_macros(text)).map(str::to_owned).collect();
    let catalogue = Catalogue::of_foundation();
    let known: BTreeSet<_> = catalogue.names().chain(WITHOUT.iter().map(|(name, _)| *name)).collect();
    let mut seen = BTreeSet::new();
    let mut missing = Vec::new();
    for (file, text) in &texts {
        for name in serialised_types(text, &macros) {
            if !known.contains(name.as_str()) {
                missing.push(format!("{name} in {}", file.display()));
            }
            seen.insert(name);
        }
    }
    assert!(
        missing.is_empty(),
        "serialised without a schema: {}\nadd below its serde derive\n    \
        #[cfg_attr(feature = \"schema\", derive(schemars::JsonSchema))]\nand its path to the table in \
        crates/foundation/src/schema/table.rs",
        missing.join(", ")
    );
    // The scan itself must see every way of defining a type, and every row but those that are no types of ours.
    let unseen: Vec<_> = known.iter().filter(|name| !seen.contains(**name)).copied().collect();
    assert_eq!(unseen, ["Decimal", "Duration", "PositiveDecimal"]);
}

/// Calls `visit` with every object of the tree.
fn objects(tree: &Value, visit: &mut impl FnMut(&serde_json::Map<String, Value>)) {
    match tree {
        Value::Object(object) => {
            visit(object);
            object.values().for_each(|value| objects(value, visit));
        }
        Value::Array(list) => list.iter().for_each(|value| objects(value, visit)),
        _ => {}
    }
}

fn assert_no_reference_dangles(document: &Value) {
    objects(document, &mut |object| {
        if let Some(Value::String(reference)) = object.get("$ref") {
            let target = document.pointer(reference.strip_prefix('#').unwrap());
            assert!(target.is_some_and(Value::is_object), "{reference}");
        }
    });
}

#[test]
fn the_document_holds_every_type_once_and_no_reference_dangles() {
    let catalogue = Catalogue::of_foundation();
    let document = catalogue.openapi(&[]).unwrap();
    assert_no_reference_dangles(&document);
    let schemas = document["components"]["schemas"].as_object().unwrap();
    // A type that another refers to and that is not in the table would stand here too; two types of one name get
    // numbers.
    assert_eq!(schemas.keys().collect::<Vec<_>>(), catalogue.names().collect::<Vec<_>>());
    for (name, schema) in schemas {
        let described = schema["description"].as_str().is_some_and(|text| !text.is_empty());
        assert!(described || name == "Duration", "{name} has no doc comment");
    }
}

#[test]
fn every_schema_is_one_and_takes_its_own_examples() {
    let catalogue = Catalogue::of_foundation();
    for name in catalogue.names() {
        let schema = catalogue.schema_of(name).unwrap();
        jsonschema::meta::validate(&schema).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_no_reference_dangles(&schema);
        let validator = validator(name);
        for example in schema["examples"].as_array().into_iter().flatten() {
            assert!(validator.is_valid(example), "{name}: {example}");
        }
        assert!(!catalogue.summary(name).unwrap().contains('\n'));
    }
    assert_eq!(catalogue.schema_of("Ordr"), None);
}

#[test]
fn a_document_of_some_types_has_what_they_refer_to() {
    let catalogue = Catalogue::of_foundation();
    let names = |wanted: &[&str]| -> Vec<String> {
        let document = catalogue.openapi(wanted).unwrap();
        assert_no_reference_dangles(&document);
        document["components"]["schemas"].as_object().unwrap().keys().cloned().collect()
    };
    assert_eq!(names(&["Side"]), ["Side"]);
    assert_eq!(names(&["HaltCause"]), ["Decimal", "HaltCause", "RejectCode"]);
    let error = catalogue.openapi(&["Side", "Sid"]).unwrap_err();
    assert_eq!(error.to_string(), "there is no schema of \"Sid\"; Catalogue::names lists those there are");
}

#[test]
fn types_of_ones_own_join() {
    #[derive(schemars::JsonSchema)]
    #[expect(dead_code, reason = "only its schema is wanted")]
    struct Mine {
        side: mts_foundation::Side,
    }
    use mts_foundation::schema::schemars;
    let catalogue = Catalogue::of_foundation().with::<Mine>().with::<Mine>();
    assert_eq!(catalogue.names().filter(|name| *name == "Mine").count(), 1);
    let document = catalogue.openapi(&["Mine"]).unwrap();
    assert_eq!(document["components"]["schemas"].as_object().unwrap().len(), 2);
}

fn validator(name: &str) -> Validator {
    jsonschema::validator_for(&Catalogue::of_foundation().schema_of(name).unwrap()).unwrap()
}

/// The schema `name` takes exactly the texts that `parse` does.
fn same_grammar(name: &str, texts: &str, parse: impl Fn(&str) -> bool) {
    let validator = jsonschema::options()
        .should_validate_formats(false)
        .build(&Catalogue::of_foundation().schema_of(name).unwrap())
        .unwrap();
    let config = ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(text in texts)| {
        prop_assert_eq!(validator.is_valid(&json!(text)), parse(&text), "{} {:?}", name, text);
    });
}

#[test]
fn texts_have_the_grammar_of_their_parsers() {
    // At most 20 digits, so that the 28 of a decimal, which a pattern cannot count, are not at stake.
    same_grammar(
        "Decimal",
        r"[ \t]?[-+]{0,2}[0-9_]{0,4}\.{0,2}[0-9_]{0,4}([eE][+-]?[0-9]{0,1})?[ \n]?",
        |text| num::parse(text).is_ok(),
    );
    same_grammar("PositiveDecimal", r"[-+]?[01_]{0,3}\.?[01_]{0,3}([eE][+-]?[0-9]{0,1})?", |text| {
        num::parse(text).is_ok_and(|value| value > num::Decimal::ZERO)
    });
    same_grammar("FundId", r"[ \t\u{a0}a-zé\u{0}\u{1f}\u{7f}\u{80}]{0,4}", |text| FundId::new(text).is_ok());
    same_grammar("Symbol", r"[ \t\u{a0}a-zA-Z.é\u{0}\u{7f}]{0,4}", |text| Symbol::new(text).is_ok());
    same_grammar("Currency", r"[ ]?[a-zA-Z0-9é-]{0,10}\n?", |text| Currency::new(text).is_ok());
    same_grammar("Interval", r"[ ]?[-+]?[0-2]{0,3}[smhdwy]{0,2}[ ]?", |text| {
        text.parse::<Interval>().is_ok()
    });
    // Not in 1677 and 2262, of which a part is in the range, nor in February, of which the pattern knows no more.
    same_grammar(
        "Timestamp",
        r" ?(1[0-9]|2[0-5])[0-589][0-9]-(0[013-9]|1[0-9])-[0-2][0-9][Tt _]?[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.[0-9]{0,12})?([zZ]|[+-][0-2][0-9]:?[0-6][0-9])? ?",
        |text| text.parse::<Timestamp>().is_ok(),
    );
}

/// Numbers are read as decimals exactly when the schema takes them. Validators differ beyond 15 digits.
#[test]
fn numbers_are_taken_only_when_exact() {
    let validator = validator("Decimal");
    let agree = |value: Value| {
        let reads = num::exact::deserialize(&value).is_ok();
        prop_assert_eq!(validator.is_valid(&value), reads, "{}", value);
        Ok(())
    };
    for value in
        [json!(0), json!(-7), json!(u64::MAX), json!(i64::MIN), json!(0.1), json!(1e300), json!(1e-7)]
    {
        agree(value).unwrap();
    }
    proptest!(|(whole in -999_i32..=999, halvings in 0_i32..=12)| {
        agree(json!(f64::from(whole) / 2_f64.powi(halvings)))?;
    });
    proptest!(|(odd in 0_i32..1_000_000, halvings in 21_i32..=30, decimal in 1_i32..100_000)| {
        agree(json!(f64::from(2 * odd + 1) / 2_f64.powi(halvings)))?;
        agree(json!(f64::from(decimal) / 1e4))?;
    });
}
