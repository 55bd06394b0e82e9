//! `cargo xtask soak`: the live engine at full rate for minutes, at a venue that misbehaves.

use crate::error::{Error, Result};
use crate::process::Program;

pub(crate) const HELP: &str = "\
usage: cargo xtask soak [--minutes N] [--json]

Runs the live engine (crates/engine/tests/soak.rs, optimised) as fast as it takes quotes, at a venue that does not answer and
does not fill in turns, and prints resident memory, descriptors, threads and orders of every minute. The engine has lived
through 1,100,000 fills before, so that its memory of a million is as large as it becomes. After the first fifth
memory may grow by 0.5 MiB a minute, by the line of least squares, and descriptors not at all; else the exit code is 1.

  --minutes N   how long; 10 unless given
  --json        all samples, one a second, as one JSON object on a line of its own";

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<u8> {
    let (minutes, json) = parse(arguments)?;
    program(minutes, json).run_for_code()
}

/// Fails unless memory and descriptors stay flat over ten minutes.
pub(crate) fn check() -> Result<()> {
    program(10.0, false).run()
}

fn program(minutes: f64, json: bool) -> Program {
    let test = ["test", "--quiet", "--release", "--package", "mts-engine", "--test", "soak", "--"];
    let soak = Program::cargo(test).args(["--ignored", "--nocapture", "memory_and_descriptors_stay_flat"]);
    let soak = soak.variable("MTS_SOAK_MINUTES", minutes.to_string());
    if json { soak.variable("MTS_SOAK_JSON", "1") } else { soak }
}

fn parse(arguments: &[String]) -> Result<(f64, bool)> {
    let (mut minutes, mut json) = (10.0, false);
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--json" => json = true,
            "--minutes" => {
                let text = rest.next().map(String::as_str).unwrap_or_default();
                minutes = text
                    .parse()
                    .ok()
                    .filter(|minutes| *minutes > 0.0 && *minutes <= 1_440.0)
                    .ok_or_else(|| {
                        Error::usage(format!("--minutes is {text:?}: write a number above 0 and up to 1440"))
                    })?;
            }
            _ => return Err(Error::usage(format!("soak has no option `{argument}`: see --help"))),
        }
    }
    Ok((minutes, json))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_before_the_build() {
        let parse = |arguments: &[&str]| {
            let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
            parse(&arguments)
        };
        assert_eq!(parse(&[]).unwrap(), (10.0, false));
        assert_eq!(parse(&["--minutes", "0.5", "--json"]).unwrap(), (0.5, true));
        for wrong in [&["--minutes"][..], &["--minutes", "0"], &["--minutes", "inf"], &["9"]] {
            assert_eq!(parse(wrong).unwrap_err().code(), 2, "{wrong:?}");
        }
    }
}
