//! `mts quant factors`.

use crate::args::quant::FactorsArgs;
use crate::commands::print::{say, say_json, table};
use crate::error::{CliError, ExitKind, OrExit};
use mts_quantkit::factors::{Family, listing};
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
struct Known {
    name: String,
    family: Family,
}

/// Lists the factors.
pub(crate) fn factors(args: &FactorsArgs) -> Result<(), CliError> {
    let known: Vec<Known> = listing()
        .or_exit(ExitKind::Internal)?
        .into_iter()
        .map(|(name, family)| Known { name, family })
        .collect();
    if args.json {
        return say_json(&serde_json::json!({ "factors": known }));
    }
    let mut counts: BTreeMap<Family, usize> = BTreeMap::new();
    for factor in &known {
        *counts.entry(factor.family).or_default() += 1;
    }
    let rows = known.iter().map(|factor| vec![factor.name.clone(), evidence(factor.family).to_owned()]);
    say(&table(&["factor", "compared with"], rows.collect(), &[]));
    let counts: Vec<String> =
        counts.iter().map(|(family, count)| format!("{count} {}", name(*family))).collect();
    say(&format!("\n{} factors: {}", known.len(), counts.join(", ")));
    Ok(())
}

fn name(family: Family) -> &'static str {
    match family {
        Family::Documented => "documented",
        Family::Classical => "classical",
        Family::Alpha101 => "of the 101 alphas",
        Family::Alpha158 => "of Alpha158",
    }
}

/// What a factor of a family was compared with.
fn evidence(family: Family) -> &'static str {
    match family {
        Family::Documented => "a plain recomputation in this crate's tests",
        Family::Classical | Family::Alpha101 | Family::Alpha158 => "vectors made with pandas",
    }
}
