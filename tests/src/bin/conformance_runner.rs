//! `mts-conformance-runner`: runs vectors against this build. See [`mts_tests::conformance`].

use mts_tests::conformance::{Request, USAGE, run};
use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    match arguments().and_then(|arguments| Request::parse(&arguments)) {
        Ok(Request::Help) => {
            print(USAGE);
            ExitCode::SUCCESS
        }
        Ok(Request::Run(options)) => {
            let report = run(&options.folders, &options.required);
            print(&if options.json { report.to_json().to_string() } else { report.to_string() });
            if report.is_green() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(sentence) => {
            drop(writeln!(std::io::stderr(), "mts-conformance-runner: {sentence}"));
            ExitCode::from(2)
        }
    }
}

fn arguments() -> Result<Vec<String>, String> {
    std::env::args_os()
        .skip(1)
        .map(|argument| {
            argument
                .into_string()
                .map_err(|raw| format!("the argument {} is not UTF-8: rename the folder", raw.display()))
        })
        .collect()
}

/// Prints a result. A reader that went away (`| head -1`) is not an error.
fn print(text: &str) {
    drop(writeln!(std::io::stdout(), "{text}"));
}
