//! `mts init`: a commented configuration from answers.

use super::print::say;
use crate::app::App;
use crate::args::InitArgs;
use crate::config::{KEYS, Key, Loaded, parse};
use crate::error::{CliError, ExitKind, OrExit};
use crate::files::write_whole;
use std::collections::BTreeMap;
use std::io::{BufRead, IsTerminal, Read};
use std::path::Path;

/// Longest answer in bytes.
const MAX_ANSWER: u64 = 4096;

/// One question: a key of the configuration, and what is written when nothing is answered.
struct Question {
    section: &'static str,
    name: &'static str,
    default: &'static str,
    /// Whether the answer is text, written in quotes; otherwise it is TOML as it stands.
    quoted: bool,
}

const fn text(section: &'static str, name: &'static str, default: &'static str) -> Question {
    Question { section, name, default, quoted: true }
}

const fn plain(section: &'static str, name: &'static str, default: &'static str) -> Question {
    Question { section, name, default, quoted: false }
}

/// What is asked, in this order. Limits have the loader's own defaults, and the strategy lives within them.
const QUESTIONS: &[Question] = &[
    text("fund", "fund_id", "fund"),
    text("fund", "name", "My fund"),
    text("fund", "initial_cash", "1000000"),
    text("fund", "base_currency", "USD"),
    text("instruments", "path", "data/instruments.csv"),
    text("data", "path", "data/closes.csv"),
    plain("run", "start", "2000-01-01"),
    plain("run", "end", "2022-12-31"),
    text("run", "calendar", "XNYS"),
    text("strategy", "strategy_id", "momentum-12-1"),
    text("strategy", "kind", "factor"),
    text("strategy", "factor", "f_momentum_12_1"),
    plain("strategy", "params", "{ h_long = 252, h_skip = 21 }"),
    text("strategy", "rebalance", "month_end"),
    text("sizer", "name", "equal_weight_long"),
    plain("sizer", "params", "{ n = 20, gross = 0.9 }"),
    text("sizer", "cash_buffer", "0.01"),
    text("broker", "name", "paper"),
    text("broker", "fee_bps_per_side", "5"),
    plain("envelope", "allowed_brokers", "[\"paper\"]"),
    plain("envelope", "max_position_pct", "0.05"),
    plain("envelope", "max_sector_pct", "0.30"),
    plain("envelope", "max_gross_exposure_pct", "1.0"),
    plain("envelope", "max_net_exposure_pct", "1.0"),
    text("envelope", "max_order_notional_usd", "100000"),
    plain("envelope", "daily_loss_halt_pct", "0.03"),
    plain("envelope", "weekly_loss_halt_pct", "0.08"),
    plain("envelope", "monthly_loss_halt_pct", "0.15"),
    plain("gates", "buying_power", "true"),
    plain("gates", "staleness", "{ bars = 1 }"),
    text("operator", "resume", "never"),
];

/// TOML values by section and key.
type Answers = BTreeMap<(&'static str, &'static str), String>;

/// Asks, checks each answer at once as the loader would, and writes the file.
pub(crate) fn init(app: &App, args: &InitArgs) -> Result<(), CliError> {
    let file = args.file.as_path();
    if file.exists() && !args.force {
        let message =
            format!("{} exists already; name another file, or write over it with --force", file.display());
        return Err(CliError::new(ExitKind::Output, message));
    }
    let mut answers: Answers =
        QUESTIONS.iter().map(|question| (question.key(), question.value(question.default))).collect();
    check(app, &answers, file)?;
    if !args.yes {
        ask_all(app, &mut answers, file)?;
    }
    let loaded = check(app, &answers, file)?;
    write_whole(file, render(&answers, file).as_bytes())?;
    say(&format!("\n{} is written; run it with: mts run {}", file.display(), file.display()));
    for path in [&loaded.config.instruments.path, &loaded.config.data.path] {
        let path = loaded.folder.join(path);
        if !path.exists() {
            say(&format!("{} is not there yet; docs/configuration.md says what it holds", path.display()));
        }
    }
    Ok(())
}

impl Question {
    fn key(&self) -> (&'static str, &'static str) {
        (self.section, self.name)
    }

    fn value(&self, answer: &str) -> String {
        if self.quoted { toml::Value::String(answer.to_owned()).to_string() } else { answer.to_owned() }
    }

    fn documentation(&self) -> Option<&'static Key> {
        KEYS.iter().find(|key| key.section == self.section && key.name == self.name)
    }
}

/// A wrong answer is asked again of a person; a script, whose next line answers another question, is refused.
fn ask_all(app: &App, answers: &mut Answers, file: &Path) -> Result<(), CliError> {
    let input = std::io::stdin();
    let person = input.is_terminal();
    say("An empty answer takes the value in brackets.");
    for question in QUESTIONS {
        if let Some(key) = question.documentation() {
            say(&format!("\n{} ({})", key.doc, key.kind));
        }
        loop {
            say(&format!("{}.{} [{}]", question.section, question.name, question.default));
            let mut line = String::new();
            let read = input.lock().take(MAX_ANSWER).read_line(&mut line).or_exit(ExitKind::Usage)?;
            let answer = line.trim();
            if read == 0 || answer.is_empty() {
                break;
            }
            let value = question.value(answer);
            // A table or a number is one line of TOML; anything else could smuggle in other keys.
            let checked = toml::from_str::<toml::Table>(&format!("{} = {value}", question.name))
                .map_err(|_| {
                    let message = format!(
                        "{}.{} is {answer:?}, which is no TOML value; write it as {}",
                        question.section, question.name, question.default
                    );
                    CliError::new(ExitKind::Config, message)
                })
                .and_then(|_| {
                    let before = answers.insert(question.key(), value);
                    check(app, answers, file).inspect_err(|_| {
                        if let Some(before) = before {
                            answers.insert(question.key(), before);
                        }
                    })
                });
            match checked {
                Ok(_) => break,
                Err(error) if person => super::say_error(&error.message),
                Err(error) => return Err(error),
            }
        }
    }
    Ok(())
}

/// The loader's checks, and those of the parts that need no file.
fn check(app: &App, answers: &Answers, file: &Path) -> Result<Loaded, CliError> {
    let loaded = parse(&render(answers, file), file)?;
    crate::setup::check_names(app, &loaded.config)?;
    Ok(loaded)
}

/// The whole file: every key with what the table says of it, commented out where nothing was asked.
fn render(answers: &Answers, file: &Path) -> String {
    let mut text = format!("# {}: written by mts init. Check it with: mts config check\n", file.display());
    let mut section = "";
    for key in KEYS {
        if key.section != section {
            section = key.section;
            // A section that nobody asked for and that cannot do without an answer is left out.
            let lacks = |key: &&Key| {
                key.section == section
                    && key.default == "required"
                    && !answers.contains_key(&(key.section, key.name))
            };
            let mark = if KEYS.iter().any(|key| lacks(&key)) { "# " } else { "" };
            text.push_str(&format!("\n{mark}[{section}]\n"));
        }
        text.push_str(&format!("# {} ({}; when absent: {})\n", key.doc, key.kind, key.default));
        match answers.get(&(key.section, key.name)).filter(|_| asked_of(answers, key)) {
            Some(value) => text.push_str(&format!("{} = {value}\n", key.name)),
            None => text.push_str(&format!("# {} =\n", key.name)),
        }
    }
    text
}

/// Whether a key belongs to the chosen kind of strategy; a factor and a sizer are only for `factor`.
fn asked_of(answers: &Answers, key: &Key) -> bool {
    let factor = answers.get(&("strategy", "kind")).is_none_or(|kind| kind == "\"factor\"");
    factor
        || !matches!(
            (key.section, key.name),
            ("strategy", "factor" | "params") | ("sizer", "name" | "params")
        )
}
