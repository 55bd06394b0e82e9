//! The project's own vectors, and the others where they are there.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and says what it ran"
)]

use mts_quant_vectors::{FORMATS, Found, parse, run};
use std::collections::BTreeMap;
use std::path::Path;

/// Runs all files of a folder; how many cases agree, by file.
fn all_of(folder: &Path) -> BTreeMap<String, usize> {
    let mut agree = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let file = parse(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let format = file["header"]["format"].as_str().unwrap();
        assert!(FORMATS.contains(&format), "{}: {format}", path.display());
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let cases = run(format, &file, folder).unwrap();
        let mut failures = Vec::new();
        let mut counts = [0; 3];
        for case in &cases {
            match &case.found {
                Found::Agrees => counts[0] += 1,
                Found::Deviates(_) => counts[1] += 1,
                Found::NotClaimed(_) => counts[2] += 1,
                Found::Fails(problem) => failures.push(format!("{}: {problem}", case.name)),
            }
        }
        let [agrees, deviates, unclaimed] = counts;
        println!(
            "{name}: {agrees} agree, {deviates} deviate, {unclaimed} are not claimed, {} fail",
            failures.len()
        );
        assert!(failures.is_empty(), "{name}: {failures:#?}");
        agree.insert(name, agrees);
    }
    agree
}

#[test]
fn the_projects_own() {
    let found = all_of(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors/quant"));
    let found: Vec<(&str, usize)> = found.iter().map(|(name, agree)| (name.as_str(), *agree)).collect();
    let wanted =
        [("factors5", 145), ("he_litterman", 3), ("sp20", 146), ("sp20_short15", 23), ("stats", 500)];
    assert_eq!(found, wanted, "fewer agree than did, or more: then raise the number");
}

#[test]
fn those_of_other_data() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors/quant");
    if folder.is_dir() {
        all_of(&folder);
    } else {
        println!("skipped: {} is not there", folder.display());
    }
}
