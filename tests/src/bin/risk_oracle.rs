//! `mts-risk-oracle`: many made-up orders through the risk machine and through a model of its documentation. See
//! [`mts_tests::risk_oracle`].

#![expect(clippy::disallowed_methods, reason = "it says how long it took")]

use mts_tests::risk_oracle::run::{Request, USAGE, mismatch_as_json, run, tally_as_json};
use mts_tests::risk_oracle::stream::{Mismatch, Tally};
use serde_json::json;
use std::io::Write as _;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let request = match Request::parse(&arguments) {
        Ok(Some(request)) => request,
        Ok(None) => {
            print(USAGE);
            return ExitCode::SUCCESS;
        }
        Err(sentence) => {
            say(&format!("mts-risk-oracle: {sentence}"));
            return ExitCode::from(2);
        }
    };
    let (began, said) = (Instant::now(), AtomicU64::new(0));
    let progress = |orders: u64| {
        let tenth = orders.saturating_mul(10) / request.orders.max(1);
        if said.fetch_max(tenth, Ordering::Relaxed) < tenth {
            say(&format!("{orders} orders, {:.1} s", began.elapsed().as_secs_f64()));
        }
    };
    match run(&request, &progress) {
        Ok(tally) => {
            let seconds = began.elapsed().as_secs_f64();
            if request.json {
                let mut result = tally_as_json(&tally);
                result["seconds"] = json!(seconds);
                print(&result.to_string());
            } else {
                print(&table(&tally, seconds));
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            match error.downcast_ref::<Mismatch>() {
                Some(mismatch) if request.json => print(&mismatch_as_json(mismatch).to_string()),
                _ => say(&format!("mts-risk-oracle: {error}")),
            }
            ExitCode::FAILURE
        }
    }
}

fn table(tally: &Tally, seconds: f64) -> String {
    let mut lines = vec![format!(
        "{} orders and {} asked again: machine and oracle agree; {} passed, {} counted, no limit passed; \
         {} fills, {} halts, kills, resumes and stops, {} restarts; {seconds:.1} s",
        tally.orders,
        tally.asked_again,
        tally.accepted,
        tally.counted,
        tally.fills,
        tally.consequences,
        tally.restarts
    )];
    lines.extend(tally.codes.iter().map(|(code, count)| format!("{count:>10}  {code}")));
    lines.join("\n")
}

/// Prints a result. A reader that went away is not an error.
fn print(text: &str) {
    drop(writeln!(std::io::stdout(), "{text}"));
}

fn say(text: &str) {
    drop(writeln!(std::io::stderr(), "{text}"));
}
