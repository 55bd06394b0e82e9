//! `cargo xtask bench peers`: our order path and those of other systems, measured one after the other in the same run.
//!
//! The peers' scripts are not ours and not part of the repository; what they print is read, and nothing of them is built in.

mod figures;
mod install;
mod report;
mod table;

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::bench;
use crate::console;
use crate::error::{Error, Result};
use crate::process::Program;
use crate::workspace;
use figures::{Ours, median};
use install::SCRIPTS;
use report::{Report, Row};
use table::{PEERS, Peer, Run};

/// Runs of ours.
const ROUNDS: usize = 3;

/// Longest run of a peer, and the most of its output that is read.
const LIMIT: Duration = Duration::from_secs(900);
const MOST_OUTPUT: u64 = 1 << 20;

/// What the command line asks for.
#[derive(Debug)]
struct Request {
    peers: Vec<&'static Peer>,
    install: bool,
    json: bool,
    scripts: Option<PathBuf>,
    ours: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn run(arguments: &[String]) -> Result<u8> {
    let request = request(arguments)?;
    let scripts = request.scripts.clone().unwrap_or_else(|| workspace::root().join(SCRIPTS));
    let scripts = existing(&scripts, "the folder of the peers' scripts", "--scripts DIR")?;
    let mut report = Report::default();
    if request.install {
        for peer in &request.peers {
            if let Err(error) = install::install(peer, &scripts) {
                report.failed.push((peer.title, error.to_string()));
            }
        }
    }
    let ours = measure_ours(&request, &mut report)?;
    for peer in &request.peers {
        measure(peer, &scripts, &ours, &mut report);
    }
    console::out(if request.json { report.json().to_string() } else { report.text() });
    Ok(u8::from(report.is_unread()))
}

/// The whole path of what was named from the folder in which it was typed; programs run in the root of the workspace.
fn existing(path: &Path, what: &str, option: &str) -> Result<PathBuf> {
    path.canonicalize().map_err(|error| {
        Error::failed(format!("cannot use {} as {what} ({error}): name it with {option}", path.display()))
    })
}

fn request(arguments: &[String]) -> Result<Request> {
    let mut request = Request { peers: Vec::new(), install: false, json: false, scripts: None, ours: None };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = || {
            rest.next().ok_or_else(|| Error::usage(format!("{argument} needs a value behind it: see --help")))
        };
        match argument.as_str() {
            "--install" => request.install = true,
            "--json" => request.json = true,
            "--scripts" => request.scripts = Some(PathBuf::from(value()?)),
            "--ours" => request.ours = Some(PathBuf::from(value()?)),
            option if option.starts_with('-') => {
                return Err(Error::usage(format!("bench peers has no option `{option}`: see --help")));
            }
            name => request.peers.push(find(name)?),
        }
    }
    if request.peers.is_empty() {
        request.peers = PEERS.iter().collect();
    }
    Ok(request)
}

fn find(name: &str) -> Result<&'static Peer> {
    PEERS.iter().find(|peer| peer.name == name).ok_or_else(|| {
        let names: Vec<&str> = PEERS.iter().map(|peer| peer.name).collect();
        Error::usage(format!("there is no peer `{name}`: use one of {}", names.join(", ")))
    })
}

/// Runs our benchmark.
fn measure_ours(request: &Request, report: &mut Report) -> Result<Vec<Ours>> {
    let bench = match &request.ours {
        Some(program) => {
            let program = existing(program, "our benchmark", "--ours PROGRAM")?;
            Program::named(&program.to_string_lossy()).args(["--json", "--quick"])
        }
        None => bench::path(),
    };
    // The first run builds what there is to build and is not counted.
    bench.output()?;
    (0..ROUNDS)
        .map(|_| {
            report.note_load("mts");
            Ours::read(&bench.output()?)
        })
        .collect()
}

/// Runs a peer and puts its figures beside ours.
fn measure(peer: &'static Peer, scripts: &Path, ours: &[Ours], report: &mut Report) {
    if !install::is_installed(peer) {
        report.missing.push((peer.title, install::advice(peer)));
        return;
    }
    report.differs.push((peer.title, peer.differs));
    for run in peer.runs {
        report.note_load(peer.title);
        let program = install::program(peer, scripts).args(run.arguments);
        match program.output_within(LIMIT, MOST_OUTPUT) {
            Ok(output) => compare(peer, run, &output, ours, report),
            Err(error) => report.failed.push((peer.title, error.to_string())),
        }
    }
}

/// Reads the figures of a run and compares each with ours.
fn compare(peer: &'static Peer, run: &Run, output: &str, ours: &[Ours], report: &mut Report) {
    for wanted in run.wanted {
        let row = peer.format.read(output, wanted).and_then(|theirs| {
            let rounds: Vec<(u64, f64)> =
                ours.iter().map(|ours| ours.nearest(wanted.work, wanted.size)).collect::<Result<_>>()?;
            let size = rounds.first().map_or(0, |(size, _)| *size);
            let figure = median(rounds.into_iter().map(|(_, rate)| rate).collect());
            let figure =
                figure.ok_or_else(|| Error::failed("no round of ours was measured: run it again"))?;
            Ok(Row {
                work: wanted.work,
                peer: peer.title,
                theirs,
                size: wanted.size,
                ours: figure,
                our_size: size,
                unlike: wanted.unlike,
            })
        });
        match row {
            Ok(row) => report.rows.push(row),
            Err(error) => report.unread.push((peer.title, error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(arguments: &[&str]) -> Result<Request> {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        request(&arguments)
    }

    #[test]
    fn all_peers_are_meant_unless_some_are_named() {
        assert_eq!(asked(&[]).unwrap().peers.len(), PEERS.len());
        let request = asked(&["barter", "--install", "--scripts", "x", "--json"]).unwrap();
        assert_eq!(request.peers.iter().map(|peer| peer.name).collect::<Vec<_>>(), ["barter"]);
        assert!(request.install && request.json && request.scripts == Some(PathBuf::from("x")));
        for wrong in [&["bartr"][..], &["--instal"], &["--scripts"]] {
            assert_eq!(asked(wrong).unwrap_err().code(), 2, "{wrong:?}");
        }
    }

    #[test]
    fn a_peer_has_a_name_of_its_own_and_says_how_it_is_installed() {
        for (place, peer) in PEERS.iter().enumerate() {
            assert!(
                !PEERS
                    .iter()
                    .skip(place + 1)
                    .any(|other| other.name == peer.name || other.title == peer.title)
            );
            let advice = install::advice(peer);
            assert!(
                advice.starts_with(&format!("cargo xtask bench peers --install {}", peer.name)),
                "{advice}"
            );
            assert!(!advice.contains(&*workspace::root().to_string_lossy()), "{advice}");
        }
    }

    #[test]
    fn a_figure_that_is_not_there_is_an_error_and_the_others_stand() {
        let ours = "{\"market\": [{\"kind\": \"quotes\", \"events\": 100000, \"events_per_second\": 3000000.0}], \
            \"in_memory\": {\"stations\": [{\"orders\": 1000, \"orders_per_second\": 150000.0}]}}";
        let ours: Vec<Ours> = [ours, &ours.replace("150000", "160000"), &ours.replace("150000", "9")]
            .iter()
            .map(|output| Ours::read(output).unwrap())
            .collect();
        let peer = find("barter").unwrap();
        let run = peer.runs.first().unwrap();
        let mut report = Report::default();
        compare(peer, run, "E1_sync_market rep0 0.1s 2000000 events/s seq=0", &ours, &mut report);
        assert_eq!((report.rows.len(), report.unread.len()), (1, 1));
        let orders = "O2_rt_pipelined_100 one 0.1s sent 1000 filled 1000 50000 orders/s";
        compare(peer, run, orders, &ours, &mut report);
        let row = report.rows.get(1).unwrap();
        assert!((row.ours - 150_000.0).abs() < 1e-9, "the median of three: {row:?}");
        assert_eq!((row.our_size, row.size, report.unread.len()), (1_000, 1_000, 2));
    }
}
