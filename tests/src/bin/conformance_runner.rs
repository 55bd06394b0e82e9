//! `mts-conformance-runner`: runs vectors against this build, and with `--broker NAME` the suite of brokers. See
//! [`mts_tests::conformance`].

use mts_tests::conformance::{Request, USAGE, brokers, run};
use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    match arguments().and_then(|arguments| broker(&arguments).map(|done| (arguments, done))) {
        Ok((_, Some(code))) => code,
        Ok((arguments, None)) => vectors(&arguments),
        Err(sentence) => complain(&sentence),
    }
}

/// The suite of brokers, if the command line begins with `--broker`.
fn broker(arguments: &[String]) -> Result<Option<ExitCode>, String> {
    let Some((option, rest)) = arguments.split_first() else { return Ok(None) };
    let (name, rest) = match (option.strip_prefix("--broker="), rest.split_first()) {
        (Some(name), _) => (name, rest),
        (None, Some((name, rest))) if option == "--broker" => (name.as_str(), rest),
        (None, None) if option == "--broker" => {
            return Err("--broker needs a name behind it, or all".to_owned());
        }
        _ => return Ok(None),
    };
    let (text, green) = brokers::run(name, rest)?;
    print(&text);
    Ok(Some(ExitCode::from(u8::from(!green))))
}

fn complain(sentence: &str) -> ExitCode {
    drop(writeln!(std::io::stderr(), "mts-conformance-runner: {sentence}"));
    ExitCode::from(2)
}

fn vectors(arguments: &[String]) -> ExitCode {
    match Request::parse(arguments) {
        Ok(Request::Help) => {
            print(USAGE);
            ExitCode::SUCCESS
        }
        Ok(Request::Run(options)) => {
            let report = run(&options.folders, &options.required);
            print(&if options.json { report.to_json().to_string() } else { report.to_string() });
            if report.is_green() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(sentence) => complain(&sentence),
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
