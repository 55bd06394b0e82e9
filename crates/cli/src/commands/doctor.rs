//! `mts doctor`: whether this machine and a configuration are fit to trade.

use super::print::{say, say_json, table};
use super::run::dry;
use crate::alerts::executable;
use crate::app::App;
use crate::args::DoctorArgs;
use crate::config::{Loaded, load};
use crate::error::{CliError, ExitKind};
use crate::run_folder::{is_written, open_reader, read_genesis};
use crate::setup::genesis;
use mts_foundation::secret::{SecretRef, SecretSource};
use serde::Serialize;
use serde_json::Value;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

/// Samples of the disk's latency; their median is shown.
const SYNCS: usize = 31;
/// Free space below which the doctor warns, and below which it refuses, in bytes.
const FREE_WARNING: u64 = 1 << 30;
const FREE_FAILED: u64 = 64 << 20;
/// A sync slower than this at the median is worth a warning.
const SYNC_WARNING: Duration = Duration::from_millis(10);
/// 2026-01-01: this program did not exist before.
const EARLIEST: u64 = 1_767_225_600;

/// How a check went; the worst decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Ok,
    Warning,
    Failed,
}

#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    status: Status,
    /// What was seen.
    found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "str::is_empty")]
    remedy: &'static str,
}

/// The checks so far.
#[derive(Debug, Default)]
struct Checks(Vec<Check>);

impl Checks {
    fn add(&mut self, name: &'static str, status: Status, found: impl Into<String>, remedy: &'static str) {
        let remedy = if status == Status::Ok { "" } else { remedy };
        self.0.push(Check { name, status, found: found.into(), remedy });
    }

    fn ok(&mut self, name: &'static str, found: impl Into<String>) {
        self.add(name, Status::Ok, found, "");
    }

    /// Takes what a check that can fail has found.
    fn attempt(&mut self, name: &'static str, found: Result<String, String>, remedy: &'static str) {
        match found {
            Ok(found) => self.ok(name, found),
            Err(found) => self.add(name, Status::Failed, found, remedy),
        }
    }
}

/// Looks at everything, shows it all, and fails when a check has failed.
pub(crate) fn doctor(app: &App, args: &DoctorArgs) -> Result<(), CliError> {
    let mut checks = Checks::default();
    environment(&mut checks);
    clock(&mut checks);
    let loaded = args.config.as_deref().and_then(|path| configuration(app, path, &mut checks));
    if let Some(path) = &args.config {
        credentials(path, &mut checks);
    }
    if let Some(loaded) = &loaded {
        hooks(loaded, &mut checks);
    }
    let folder = match &loaded {
        Some(loaded) => loaded.output_dir.clone().unwrap_or_else(|| Path::new("runs").join(&loaded.stem)),
        None => PathBuf::from("runs"),
    };
    disk(&folder, &mut checks);
    journal(&folder, &mut checks);
    let worst = checks.0.iter().map(|check| check.status).max().unwrap_or(Status::Ok);
    if args.json {
        say_json(&serde_json::json!({ "status": worst, "checks": checks.0 }))?;
    } else {
        let rows = checks
            .0
            .iter()
            .map(|check| {
                let status = match check.status {
                    Status::Ok => "ok",
                    Status::Warning => "warning",
                    Status::Failed => "FAILED",
                };
                let found = if check.remedy.is_empty() {
                    check.found.clone()
                } else {
                    format!("{}; {}", check.found, check.remedy)
                };
                vec![check.name.to_owned(), status.to_owned(), found]
            })
            .collect();
        say(&table(&["check", "status", "found"], rows, &[]));
    }
    let failed = checks.0.iter().filter(|check| check.status == Status::Failed).count();
    if failed > 0 {
        return Err(CliError::new(
            ExitKind::Refused,
            format!("{failed} checks failed; mend them before trading"),
        ));
    }
    Ok(())
}

fn environment(checks: &mut Checks) {
    checks.ok(
        "program",
        format!("mts {}, {} {}", env!("CARGO_PKG_VERSION"), std::env::consts::ARCH, std::env::consts::OS),
    );
    match std::thread::available_parallelism() {
        Ok(cores) => checks.ok("cores", cores.to_string()),
        Err(error) => {
            checks.add("cores", Status::Warning, error.to_string(), "check the limits of the process")
        }
    }
    match available_memory() {
        Some(kib) if kib < 256 << 10 => {
            checks.add("memory", Status::Warning, format!("{} MiB available", kib >> 10), "free 256 MiB");
        }
        Some(kib) => checks.ok("memory", format!("{} MiB available", kib >> 10)),
        None => checks.add("memory", Status::Warning, "this system does not say", "look at it by hand"),
    }
}

/// KiB, as Linux says.
fn available_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.split_whitespace().next()?.parse().ok()
}

#[expect(clippy::disallowed_methods, reason = "the clock itself is looked at")]
fn clock(checks: &mut Checks) {
    let remedy = "set the clock, and keep it with chrony or systemd-timesyncd";
    let began = (SystemTime::now(), Instant::now());
    std::thread::sleep(Duration::from_millis(20));
    let steady = began.1.elapsed();
    match (began.0.elapsed(), began.0.duration_since(SystemTime::UNIX_EPOCH)) {
        (_, Ok(since)) if since.as_secs() < EARLIEST => {
            checks.add("clock", Status::Failed, "it shows a time before 2026", remedy);
        }
        (Ok(wall), Ok(_)) if wall.abs_diff(steady) < Duration::from_millis(250) => {
            checks.ok(
                "clock",
                "monotonic and wall time go together; skew against a reference is not measured offline",
            );
        }
        _ => checks.add("clock", Status::Failed, "it jumped while it was looked at", remedy),
    }
    let zones =
        mts_foundation::MarketCalendar::builtin("XNYS").map(|calendar| calendar.time_zone().to_string());
    let found = zones.map(|zone| format!("built in, {zone}")).map_err(|error| error.to_string());
    checks.attempt("time zones", found, "build mts again");
}

fn configuration(app: &App, path: &Path, checks: &mut Checks) -> Option<Loaded> {
    let remedy = "mend what the message names; mts config check says the same";
    let loaded = match load(path) {
        Ok(loaded) => loaded,
        Err(error) => {
            checks.add("configuration", Status::Failed, error.message, remedy);
            return None;
        }
    };
    let built = dry(app, &loaded).and_then(|(files, _)| genesis(app, &loaded.config, &files));
    match built {
        Ok(genesis) => {
            checks.ok("configuration", format!("{}, hash {}", path.display(), short(&genesis.config_hash)));
            let files: Vec<_> =
                genesis.files.iter().map(|(role, hash)| format!("{role} {}", short(hash))).collect();
            checks.ok("files", files.join(", "));
        }
        Err(error) => checks.add("configuration", Status::Failed, error.message, remedy),
    }
    Some(loaded)
}

fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

/// Every text of the configuration that names a secret; the values are read and dropped.
fn credentials(path: &Path, checks: &mut Checks) {
    // A file that cannot be read has been reported already.
    let Some(sections) =
        std::fs::read_to_string(path).ok().and_then(|text| toml::from_str::<Value>(&text).ok())
    else {
        return;
    };
    let mut names = Vec::new();
    secrets(&sections, &mut names);
    if names.is_empty() {
        checks.ok("credentials", "the configuration names none");
    }
    let remedy = "the configuration names it";
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let asked = runtime.map_err(|error| error.to_string()).and_then(|runtime| {
        let secrets = crate::secrets::of_environment()?;
        Ok((runtime, secrets))
    });
    let (runtime, secrets) = match asked {
        Ok(asked) => asked,
        Err(fault) => return checks.attempt("credentials", Err(fault), remedy),
    };
    for name in names {
        let found = runtime.block_on(secrets.secret(&name));
        let found = found.map(|_| format!("{name} is there")).map_err(|error| error.to_string());
        checks.attempt("credentials", found, remedy);
    }
}

/// That the programs of the hooks are there; whether they work, mts alert test shows.
fn hooks(loaded: &Loaded, checks: &mut Checks) {
    // The address of a webhook is a credential, and checked as one.
    for (severity, hook) in loaded.alerts.hooks().filter(|(_, hook)| hook.webhook.is_none()) {
        let program = hook.command.first().map_or("", String::as_str);
        let found = match executable(program) {
            Some(path) => Ok(format!("{severity}: {}", path.display())),
            None => Err(format!("{severity}: {program} is no program that can be run")),
        };
        checks.attempt("alerts", found, "install it, or correct [alerts]; then try mts alert test");
    }
}

fn secrets(value: &Value, names: &mut Vec<SecretRef>) {
    match value {
        Value::String(text) => names.extend(text.parse::<SecretRef>().ok()),
        Value::Array(list) => list.iter().for_each(|value| secrets(value, names)),
        Value::Object(table) => table.values().for_each(|value| secrets(value, names)),
        _ => {}
    }
}

/// The nearest folder above that exists: a run makes the rest.
fn existing(folder: &Path) -> PathBuf {
    let here = || PathBuf::from(".");
    folder
        .ancestors()
        .filter(|path| !path.as_os_str().is_empty())
        .find(|path| path.is_dir())
        .map_or_else(here, Path::to_path_buf)
}

fn disk(folder: &Path, checks: &mut Checks) {
    let folder = existing(folder);
    match rustix::fs::statvfs(&folder) {
        Ok(facts) => {
            let free = facts.f_bavail.saturating_mul(facts.f_frsize);
            let status = match free {
                0..FREE_FAILED => Status::Failed,
                FREE_FAILED..FREE_WARNING => Status::Warning,
                _ => Status::Ok,
            };
            let found = format!("{} MiB free in {}", free >> 20, folder.display());
            checks.add("disk space", status, found, "free some, or name another folder in output.dir");
        }
        Err(error) => checks.add("disk space", Status::Warning, error.to_string(), "look at it by hand"),
    }
    let remedy = "use a local disk, and a folder that this user may write to";
    let probe = match tempfile::Builder::new().prefix(".doctor-").tempdir_in(&folder) {
        Ok(probe) => probe,
        Err(error) => {
            checks.add(
                "disk",
                Status::Failed,
                format!("{} cannot be written: {error}", folder.display()),
                remedy,
            );
            return;
        }
    };
    let said = |error: std::io::Error| error.to_string();
    match sync_latency(probe.path()) {
        Ok(median) => {
            let status = if median > SYNC_WARNING { Status::Warning } else { Status::Ok };
            let found = format!("{} µs at the median of {SYNCS}", median.as_micros());
            checks.add("fdatasync", status, found, "every order waits for it; use a faster disk");
        }
        Err(error) => checks.add("fdatasync", Status::Failed, error.to_string(), remedy),
    }
    let synced = File::open(probe.path()).and_then(|folder| folder.sync_all());
    checks.attempt("folder sync", synced.map(|()| "works".to_owned()).map_err(said), remedy);
    checks.attempt("file lock", locks(&probe.path().join("lock")).map_err(said), remedy);
}

#[expect(clippy::disallowed_methods, reason = "the disk is measured")]
fn sync_latency(folder: &Path) -> std::io::Result<Duration> {
    let mut file = File::create(folder.join("sync"))?;
    let mut times = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        file.write_all(&[0; 200])?;
        let began = Instant::now();
        file.sync_data()?;
        times.push(began.elapsed());
    }
    times.sort();
    Ok(times.get(SYNCS / 2).copied().unwrap_or_default())
}

/// Takes a lock, and sees that a second one is refused.
fn locks(path: &Path) -> std::io::Result<String> {
    let first = File::create(path)?;
    first.try_lock().map_err(std::io::Error::other)?;
    match File::open(path)?.try_lock() {
        Err(std::fs::TryLockError::WouldBlock) => Ok("a second writer is kept out".to_owned()),
        Err(std::fs::TryLockError::Error(error)) => Err(error),
        Ok(()) => Err(std::io::Error::other("a second writer is let in")),
    }
}

fn journal(folder: &Path, checks: &mut Checks) {
    if is_written(folder) {
        let path = folder.join(mts_journal::LOCK_NAME);
        let found = format!("{} is held by a running process", path.display());
        checks.add("journal", Status::Warning, found, "wait for its end, or use another folder");
    } else if folder.join(mts_journal::FILE_NAME).exists() {
        let read = open_reader(folder)
            .and_then(|reader| read_genesis(&reader))
            .map(|genesis| format!("{} is whole, hash {}", folder.display(), short(&genesis.config_hash)))
            .map_err(|error| error.message);
        checks.attempt("journal", read, "restore it from a copy, or start anew with mts run --fresh");
    } else {
        checks.ok("journal", format!("none in {} yet", folder.display()));
    }
}
