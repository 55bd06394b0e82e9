//! `cargo xtask bench`: the table of benchmarks, and running one of them or all.

use crate::console;
use crate::error::{Error, Result};
use crate::peers;
use crate::process::Program;

pub(crate) const HELP: &str = "\
usage: cargo xtask bench [--list]
       cargo xtask bench NAME [ARGS]...
       cargo xtask bench peers [NAME]... [--install] [--json] [--scripts DIR] [--ours PROGRAM]

Runs one benchmark in full, ARGS going to it as they are; without a NAME it runs all of them, criterion's with
--quick. --list prints their names and what they measure. Numbers mean something on an idle machine only.

`peers` measures our order path and other systems on the same work, one after the other, and prints ratios and what must be
known to read them (docs/performance.md). Without the NAME of a peer all of them; those that are not installed are listed
with how to install them. Ours is the median of three short runs, a peer's figure the best that its script tells. A peer
that fails is listed and changes nothing; output without the figure that it should have makes the exit code 1.

  --install       first install the peers below target/peers (pip in an environment of their own, cargo build --release)
  --json          one JSON object in place of the table
  --scripts DIR   where the peers' scripts are, if not in ../shared/bench
  --ours PROGRAM  an mts-bench-path that is built already, in place of building it";

/// Not in the table: it measures others too, and only who asks for it by name gets it.
const PEERS: (&str, &str) = ("peers", "the order path beside other systems on the same work, as ratios");

/// How a benchmark is started.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Criterion bench targets of the package.
    Criterion { package: &'static str, targets: &'static [&'static str], features: &'static str },
    /// A program of the package, built as one that is handed on, that measures by itself.
    Binary { package: &'static str, target: &'static str, features: &'static str },
}

#[derive(Debug)]
struct Bench {
    name: &'static str,
    measures: &'static str,
    kind: Kind,
}

/// The whole path; peers are measured beside it.
const PATH: Kind = Kind::Binary { package: "mts-tests", target: "mts-bench-path", features: "databento" };

const TABLE: &[Bench] = &[
    Bench {
        name: "brokers",
        measures: "a message of each venue's stream to a fill, an order to a signed request",
        kind: Kind::Criterion {
            package: "mts-brokers",
            targets: &["alpaca", "coinbase", "ibkr", "kraken"],
            features: "",
        },
    },
    Bench {
        name: "books",
        measures: "a fill into positions, lots and books; value after a mark; a rebalance of 3,000 names to orders",
        kind: Kind::Criterion { package: "mts-portfolio", targets: &["books"], features: "" },
    },
    Bench {
        name: "calendar",
        measures: "looking up sessions, windows and trading days; expanding a table",
        kind: Kind::Criterion { package: "mts-foundation", targets: &["calendar"], features: "" },
    },
    Bench {
        name: "data",
        measures: "ticks into bars of each kind, frames of venues' streams to prints, recordings of Databento to events, bars into panels and \
                   stores",
        kind: Kind::Criterion {
            package: "mts-marketdata",
            targets: &["aggregate", "streams", "panel", "databento", "store"],
            features: "databento,store",
        },
    },
    Bench {
        name: "domain",
        measures: "building, reading and writing an order; booking fills into positions and tax lots",
        kind: Kind::Criterion { package: "mts-foundation", targets: &["domain"], features: "" },
    },
    Bench {
        name: "journal",
        measures: "appending to the journal and making it durable by size of group; a start after 1 M records",
        kind: Kind::Criterion { package: "mts-journal", targets: &["append"], features: "" },
    },
    Bench {
        name: "matching",
        measures: "book operations a second, and bars with few and many resting orders",
        kind: Kind::Criterion { package: "mts-matching", targets: &["matching"], features: "" },
    },
    Bench {
        name: "path",
        measures: "market events and recordings to a strategy; an order from signal to books, in memory and durable: flatness, what holds \
                   it back",
        kind: PATH,
    },
    Bench {
        name: "recovery",
        measures: "a start after 1 M records, from a snapshot and without: percentiles over several starts",
        kind: Kind::Binary { package: "mts-tests", target: "mts-bench-recovery", features: "" },
    },
    Bench {
        name: "risk",
        measures: "asking all gates about an order: percentiles, orders a second, allocations, instructions, flatness",
        kind: Kind::Binary { package: "mts-tests", target: "mts-bench-risk", features: "" },
    },
    Bench {
        name: "run",
        measures: "the main job from data to report: events a second and where the time goes",
        kind: Kind::Binary { package: "mts-tests", target: "mts-bench-run", features: "" },
    },
    Bench {
        name: "symbology",
        measures: "reading canonical symbols and translating them for a venue",
        kind: Kind::Criterion { package: "mts-foundation", targets: &["symbology"], features: "" },
    },
    Bench {
        name: "transport",
        measures: "what the layers around a client cost a request",
        kind: Kind::Criterion { package: "mts-transport", targets: &["stack"], features: "" },
    },
];

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<u8> {
    match arguments.split_first() {
        None => {
            console::out(list());
            run_all()?;
        }
        Some((first, [])) if first == "--list" => console::out(list()),
        Some((name, rest)) if name == PEERS.0 => return peers::run(rest),
        Some((name, rest)) => find(name)?.program(rest).run()?,
    }
    Ok(0)
}

/// Runs every benchmark, short; all of them, even if one fails.
pub(crate) fn run_all() -> Result<()> {
    let mut failed = Vec::new();
    for bench in TABLE {
        let short: &[&str] = match bench.kind {
            Kind::Criterion { .. } => &["--quick"],
            Kind::Binary { .. } => &[],
        };
        if let Err(error) = bench.program(short).run() {
            console::err(error);
            failed.push(bench.name);
        }
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(Error::failed(format!(
            "these benchmarks failed, each for the reason above: {}",
            failed.join(", ")
        )))
    }
}

fn find(name: &str) -> Result<&'static Bench> {
    TABLE.iter().find(|bench| bench.name == name).ok_or_else(|| {
        let names: Vec<&str> = TABLE.iter().map(|bench| bench.name).chain([PEERS.0]).collect();
        Error::usage(format!("there is no benchmark `{name}`: use one of {}", names.join(", ")))
    })
}

fn list() -> String {
    let width = TABLE.iter().map(|bench| bench.name.len()).max().unwrap_or(0);
    let rows = TABLE.iter().map(|bench| (bench.name, bench.measures)).chain([PEERS]);
    let lines: Vec<String> = rows.map(|(name, measures)| format!("{name:width$}  {measures}")).collect();
    lines.join("\n")
}

/// The whole path, to be started with further arguments.
pub(crate) fn path() -> Program {
    PATH.program(&["--json", "--quick"])
}

impl Bench {
    fn program<S: AsRef<str>>(&self, arguments: &[S]) -> Program {
        self.kind.program(arguments)
    }
}

impl Kind {
    fn program<S: AsRef<str>>(&self, arguments: &[S]) -> Program {
        let start = match *self {
            Kind::Criterion { package, targets, features } => {
                let targets = targets.iter().flat_map(|target| ["--bench", target]);
                let features = if features.is_empty() { Vec::new() } else { vec!["--features", features] };
                ["bench", "-p", package].into_iter().chain(features).chain(targets).collect()
            }
            Kind::Binary { package, target, features } => {
                let mut start = vec!["run", "--profile", "dist", "-p", package, "--bin", target];
                if !features.is_empty() {
                    start.extend(["--features", features]);
                }
                start
            }
        };
        let program = Program::cargo(start);
        if arguments.is_empty() { program } else { program.args(["--"]).args(arguments) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_benchmark_is_found_by_its_name() {
        let journal = find("journal").unwrap().program(&["--quick"]);
        assert_eq!(journal.line(), "cargo bench -p mts-journal --bench append -- --quick");
        let run = find("run").unwrap().program::<&str>(&[]);
        assert_eq!(run.line(), "cargo run --profile dist -p mts-tests --bin mts-bench-run");
    }

    #[test]
    fn one_name_may_mean_several_targets() {
        let data = find("data").unwrap().program::<&str>(&[]);
        assert_eq!(
            data.line(),
            "cargo bench -p mts-marketdata --features databento,store --bench aggregate --bench streams --bench panel \
             --bench databento --bench store"
        );
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = find("jornal").unwrap_err();
        assert_eq!(error.code(), 2);
        assert!(error.to_string().contains("there is no benchmark `jornal`: use one of "), "{error}");
        assert!(TABLE.iter().all(|bench| error.to_string().contains(bench.name)), "{error}");
    }

    #[test]
    fn names_are_unique() {
        for (index, bench) in TABLE.iter().enumerate() {
            assert!(!TABLE.iter().skip(index + 1).any(|other| other.name == bench.name), "{}", bench.name);
            assert!(list().contains(bench.measures));
        }
    }
}
