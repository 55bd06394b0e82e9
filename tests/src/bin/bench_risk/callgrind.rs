//! Instructions per order, counted by callgrind: a figure that another program on the machine does not change.

use crate::Fallible;
use std::process::{Command, Stdio};

/// Instructions of one order, and where most of those of `reserve` and `commit` go.
pub(crate) struct Instructions {
    pub(crate) check: u64,
    pub(crate) accept: u64,
    pub(crate) most: Vec<String>,
}

/// Functions that are named.
const MOST: usize = 24;

/// Orders that are counted.
const COUNTED: u64 = 2_000;

/// Runs this program again below callgrind; `None` where valgrind is not installed.
pub(crate) fn count() -> Fallible<Option<Instructions>> {
    let there =
        Command::new("valgrind").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !there.is_ok_and(|status| status.success()) {
        return Ok(None);
    }
    let (check, _) = below("check")?;
    let (accept, most) = below("accept")?;
    Ok(Some(Instructions { check, accept, most }))
}

fn below(what: &str) -> Fallible<(u64, Vec<String>)> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("callgrind.out");
    let status = Command::new("valgrind")
        .args(["--tool=callgrind", &format!("--toggle-collect=*Scene::{what}*"), "--collect-atstart=no"])
        .arg(format!("--callgrind-out-file={}", out.display()))
        .arg(std::env::current_exe()?)
        .args(["--below-callgrind", what, &COUNTED.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    if !status.success() {
        return Err(format!("valgrind ended with {status}; run it by hand to see why").into());
    }
    let text = std::fs::read_to_string(&out)?;
    let total =
        text.lines().find_map(|line| line.strip_prefix("totals: ").or(line.strip_prefix("summary: ")));
    let total: u64 = total.ok_or("callgrind wrote no total")?.trim().parse()?;
    let annotated =
        Command::new("callgrind_annotate").arg("--inclusive=yes").arg(&out).stderr(Stdio::null()).output();
    let annotated = annotated.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let most = annotated.as_deref().map(most).unwrap_or_default();
    Ok((total / COUNTED, most))
}

/// The functions of ours that cost most, with what they call, as share and name.
fn most(annotated: &str) -> Vec<String> {
    let ours = |line: &&str| line.contains("mts_riskengine::") || line.contains("mts_foundation::");
    let named = |line: &str| {
        let (_, rest) = line.split_once('(')?;
        let (share, name) = rest.split_once(')')?;
        let name = name.split(" [").next()?.trim().trim_start_matches("???:");
        Some(format!("{:>6}  {name}", share.trim()))
    };
    annotated.lines().filter(ours).filter_map(named).take(MOST).collect()
}
