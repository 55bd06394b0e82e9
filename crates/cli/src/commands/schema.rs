//! `mts schema`.

use super::explain::Story;
use super::print::{say, table};
use crate::args::SchemaArgs;
use crate::config;
use crate::error::{CliError, ExitKind, OrExit};
use crate::export::RunResult;
use crate::files;
use crate::incidents::Incident;
use crate::operations::Operation;
use mts_foundation::schema::Catalogue;
use serde_json::{Value, json};

/// The name under which the configuration file goes.
const CONFIG: &str = "config";

/// Lists the types, or prints the schema of one, or an OpenAPI document of some or all.
pub(crate) fn schema(args: &SchemaArgs) -> Result<(), CliError> {
    let types =
        Catalogue::of_foundation().with::<Incident>().with::<Operation>().with::<RunResult>().with::<Story>();
    let names: Vec<&str> = args.types.iter().map(String::as_str).collect();
    let text = match (names.as_slice(), args.openapi) {
        (names, true) => {
            names.iter().try_for_each(|name| known(&types, name))?;
            pretty(&types.openapi(names).or_exit(ExitKind::Usage)?)?
        }
        ([CONFIG], false) => pretty(&config::schema())?,
        ([name], false) => {
            known(&types, name)?;
            pretty(&types.schema_of(name))?
        }
        ([], false) => list(&types, args.json)?,
        (_, false) => {
            let message = "a schema is of one type; name one, or add --openapi for a document of several";
            return Err(CliError::new(ExitKind::Usage, message));
        }
    };
    match &args.out {
        Some(path) => files::write_whole(path, format!("{text}\n").as_bytes()),
        None => {
            say(&text);
            Ok(())
        }
    }
}

fn pretty(value: &impl serde::Serialize) -> Result<String, CliError> {
    serde_json::to_string_pretty(value).or_exit(ExitKind::Internal)
}

fn known(types: &Catalogue, name: &str) -> Result<(), CliError> {
    let names: Vec<&str> = types.names().collect();
    if names.contains(&name) {
        return Ok(());
    }
    let remedy = match config::nearest(name, &names) {
        _ if name == CONFIG => {
            "the configuration file is no part of the document; leave --openapi out".to_owned()
        }
        Some(nearest) => format!("did you mean {nearest}?"),
        None => "`mts schema` lists the types".to_owned(),
    };
    Err(CliError::new(ExitKind::Usage, format!("there is no type {name:?}; {remedy}")))
}

fn list(types: &Catalogue, as_json: bool) -> Result<String, CliError> {
    let mut rows: Vec<(&str, String)> =
        types.names().map(|name| (name, types.summary(name).unwrap_or_default())).collect();
    rows.push((CONFIG, "The configuration file, for editors".to_owned()));
    if as_json {
        let list: Vec<Value> = rows.iter().map(|(name, doc)| json!({ "name": name, "doc": doc })).collect();
        return pretty(&list);
    }
    let rows = rows.into_iter().map(|(name, doc)| vec![name.to_owned(), doc]).collect();
    Ok(table(&["type", "what it is"], rows, &[]))
}
