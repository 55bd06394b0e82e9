//! `cargo xtask`: the jobs that keep the workspace healthy, each behind one command.
//!
//! | command | what it does |
//! |---|---|
//! | `lint` | format, clippy, licences and bans, dependency edges, source rules, docs, invariants |
//! | `test` | every test of the workspace, then the doc tests |
//! | `conformance` | runs vectors against the implementation |
//! | `api` | the public interface of every crate, against docs/api |
//! | `codes` | the table of reject codes in docs/risk.md |
//! | `secrets` | secrets of a real Vault server |
//! | `crates` | every crate alone: examples, outside of the workspace, features, packing |
//! | `bench` | measures |
//! | `sim` | simulated worlds that try to break the order path |
//! | `soak` | the live engine at full rate for minutes |
//! | `fuzz` | made-up bytes for the loader and the journal's decoder |
//! | `mutants` | whether tests notice when the code of their crate is changed |
//! | `ci` | what a pull request needs, with a table of times |
//!
//! The tool needs nothing but the Rust toolchain to build, and one small dependency. What it starts it prints
//! first, so that every step can be repeated by hand. Progress goes to standard error, results to standard
//! output; the exit code is 0 for success, 1 for a failure, 2 for a command line that was not understood, and
//! `conformance` hands on the code of its runner.

mod api;
mod bench;
mod ci;
mod codes;
mod concepts;
mod conformance;
mod console;
mod crates;
mod edges;
mod error;
mod folder;
mod fuzz;
mod invariants;
mod lexer;
mod lint;
mod manifests;
mod members;
mod mutants;
mod own_crates;
mod paths;
mod peers;
mod process;
mod sdk;
mod secrets;
mod sim;
mod smoke;
mod soak;
mod source_rules;
mod steps;
mod test;
mod workspace;

use std::process::ExitCode;

use error::{Error, Result};

const HELP: &str = "\
cargo xtask: the maintainers' jobs of mts

usage: cargo xtask COMMAND [OPTIONS]

commands:
  lint           format, clippy, licences and bans, dependency edges, source rules, docs, invariants
  test           every test of the workspace, then the doc tests
  conformance    run test vectors against the implementation
  api            compare the public interface of every crate with docs/api
  codes          the table of reject codes in docs/risk.md, from the enum
  secrets        read secrets of a real Vault server
  crates         use every crate alone: examples, outside of the workspace, features, packing
  bench          run one benchmark or all of them
  sim            run simulated worlds that try to break the order path
  soak           run the live engine at full rate for minutes: memory and descriptors stay flat
  fuzz           feed the loader and the journal's decoder made-up bytes
  mutants        change the code of a crate and see whether its tests notice
  ci             what a pull request needs; with --full, everything
  help           this text

`cargo xtask COMMAND --help` explains a command. To run the trading program itself: `cargo mts`.";

/// A command of the tool: its name, what `--help` prints, and what it does with its arguments.
struct Command {
    name: &'static str,
    help: &'static str,
    run: fn(&[String]) -> Result<u8>,
}

const COMMANDS: &[Command] = &[
    Command { name: "lint", help: lint::HELP, run: lint::run },
    Command { name: "test", help: test::HELP, run: test::run },
    Command { name: "conformance", help: conformance::HELP, run: conformance::run },
    Command { name: "api", help: api::HELP, run: api::run },
    Command { name: "codes", help: codes::HELP, run: codes::run },
    Command { name: "secrets", help: secrets::HELP, run: secrets::run },
    Command { name: "crates", help: crates::HELP, run: crates::run },
    Command { name: "bench", help: bench::HELP, run: bench::run },
    Command { name: "sim", help: sim::HELP, run: sim::run },
    Command { name: "soak", help: soak::HELP, run: soak::run },
    Command { name: "fuzz", help: fuzz::HELP, run: fuzz::run },
    Command { name: "mutants", help: mutants::HELP, run: mutants::run },
    Command { name: "ci", help: ci::HELP, run: ci::run },
];

fn main() -> ExitCode {
    if let Some(code) = api::stand_in() {
        return code;
    }
    match api::remember_this_program().and_then(|()| arguments()).and_then(|arguments| dispatch(&arguments)) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            console::err(format_args!("xtask: {error}"));
            ExitCode::from(error.code())
        }
    }
}

fn arguments() -> Result<Vec<String>> {
    std::env::args_os()
        .skip(1)
        .map(|argument| {
            argument.into_string().map_err(|raw| {
                Error::usage(format!(
                    "the argument {} is not UTF-8: rename the file or folder",
                    raw.display()
                ))
            })
        })
        .collect()
}

/// What a command line asks for.
enum Request<'a> {
    /// Print this help.
    Help(&'static str),
    /// Run this command with these arguments.
    Run(&'static Command, &'a [String]),
}

fn dispatch(arguments: &[String]) -> Result<u8> {
    match request(arguments)? {
        Request::Help(help) => {
            console::out(help);
            Ok(0)
        }
        Request::Run(command, arguments) => (command.run)(arguments),
    }
}

fn request(arguments: &[String]) -> Result<Request<'_>> {
    let Some((name, rest)) = arguments.split_first() else {
        return Ok(Request::Help(HELP));
    };
    if matches!(name.as_str(), "help" | "--help" | "-h") {
        let topic = rest.first().map(|topic| command(topic)).transpose()?;
        return Ok(Request::Help(topic.map_or(HELP, |command| command.help)));
    }
    let command = command(name)?;
    let asks = |argument: &String| matches!(argument.as_str(), "--help" | "-h");
    if rest.iter().take_while(|argument| *argument != "--").any(asks) {
        return Ok(Request::Help(command.help));
    }
    Ok(Request::Run(command, rest))
}

fn command(name: &str) -> Result<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name).ok_or_else(|| {
        let names: Vec<&str> = COMMANDS.iter().map(|command| command.name).collect();
        Error::usage(format!("there is no command `{name}`: use one of {}, or help", names.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_says_how_it_is_used() {
        for command in COMMANDS {
            let usage = format!("usage: cargo xtask {}", command.name);
            assert!(command.help.contains(&usage), "the help of {} lacks its usage line", command.name);
            assert!(HELP.contains(command.name), "the main help does not list {}", command.name);
        }
    }

    fn owned(arguments: &[&str]) -> Vec<String> {
        arguments.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_unknown_command_is_refused_with_the_names() {
        let arguments = owned(&["lnit"]);
        let Err(error) = request(&arguments) else { panic!("`lnit` was understood") };
        assert_eq!(error.code(), 2);
        assert!(
            error.to_string().contains(
                "lint, test, conformance, api, codes, secrets, crates, bench, sim, soak, fuzz, mutants, ci"
            ),
            "{error}"
        );
    }

    #[test]
    fn help_is_answered_before_the_command_runs() {
        for command in COMMANDS {
            for arguments in [[command.name, "--help"], [command.name, "-h"], ["help", command.name]] {
                let arguments = owned(&arguments);
                assert!(matches!(request(&arguments), Ok(Request::Help(help)) if help == command.help));
            }
        }
        assert!(matches!(request(&[]), Ok(Request::Help(HELP))));
        assert!(matches!(request(&owned(&["test", "--", "--help"])), Ok(Request::Run(..))));
    }
}
