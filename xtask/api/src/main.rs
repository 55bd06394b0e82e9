//! `xtask-api FOLDER CRATE...`: for each crate that rustdoc described in the folder, as `mts_engine.json`, writes its
//! public items beside it, as `mts-engine.api.txt`: one a line with their signatures, without what the compiler derives
//! or implements for everything.

use std::path::Path;
use std::process::ExitCode;

use public_api::Builder;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(folder) = arguments.next() else {
        return failed("usage: xtask-api FOLDER CRATE...; `cargo xtask api` calls it");
    };
    for name in arguments {
        let json = Path::new(&folder).join(format!("{}.json", name.replace('-', "_")));
        if let Err(message) = write(&json, &Path::new(&folder).join(format!("{name}.api.txt"))) {
            return failed(&message);
        }
    }
    ExitCode::SUCCESS
}

fn write(json: &Path, out: &Path) -> Result<(), String> {
    let api = Builder::from_rustdoc_json(json)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .sorted(true)
        .build()
        .map_err(|error| {
            format!(
                "{} cannot be read ({error}): public-api in Cargo.toml must fit the JSON format of the pinned Rust",
                json.display()
            )
        })?;
    let mut text = String::new();
    for item in api.items() {
        text.push_str(&item.to_string());
        text.push('\n');
    }
    std::fs::write(out, text).map_err(|error| format!("cannot write {}: {error}", out.display()))
}

fn failed(message: &str) -> ExitCode {
    #[expect(clippy::print_stderr, reason = "a program for the maintainers tells what went wrong")]
    {
        eprintln!("xtask-api: {message}");
    }
    ExitCode::FAILURE
}
