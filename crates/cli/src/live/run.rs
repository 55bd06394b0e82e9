//! From a configuration to a live engine and its servers.

use super::{KILL_FILE, KillNote, SystemClock, control, metrics};
use crate::alerts::{Alert, Alerts};
use crate::app::App;
use crate::config::{LiveMode, Loaded};
use crate::error::{CliError, ExitKind, OrExit};
use crate::log;
use crate::setup::{Parts, calendar, live_broker};
use crate::signals::StopSignal;
use mts_engine::shell::live::{
    KillFlag, LiveEngine, LiveError, LiveParts, LiveRules, LiveStats, Stopper, Told, Venue,
};
use mts_foundation::ActorId;
use mts_journal::FileJournal;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What a live run leaves.
pub(crate) struct LiveRan {
    /// The engine's last word of itself.
    pub(crate) stats: LiveStats,
    /// A signal has ended it.
    pub(crate) stopped: Option<ExitKind>,
}

/// Time between two looks for a signal.
const LOOK: Duration = Duration::from_millis(20);

/// Trades in real time until a signal comes or the feed ends; `record` is the folder of a tape, where one is wanted.
pub(crate) fn trade(
    app: &App,
    parts: Parts,
    loaded: &Loaded,
    folder: &Path,
    journal: FileJournal,
    alerts: &mut Option<Alerts>,
    record: Option<&Path>,
) -> Result<LiveRan, CliError> {
    let Some(section) = &loaded.config.live else {
        return Err(CliError::new(ExitKind::Internal, "a back-test is no live run"));
    };
    let broker = loaded.config.broker.name.clone();
    let venue = match section.mode {
        LiveMode::Replay | LiveMode::Paper | LiveMode::Shadow => Venue::Simulated(parts.venue.into()),
        LiveMode::Live => Venue::Real(live_broker(app, &loaded.config, record)?),
    };
    let name = loaded.config.run.name.clone();
    let gates = if parts.core.config().async_gates { app.async_gates.clone() } else { Vec::new() };
    // Shared with the core's thread while the engine runs.
    let shared = Arc::new(Mutex::new(alerts.take()));
    let observed = Arc::clone(&shared);
    let engine = LiveEngine::new(LiveParts {
        core: parts.core,
        journal,
        clock: Arc::new(SystemClock),
        venues: BTreeMap::from([(broker, venue)]),
        gates,
        feeds: vec![parts.feed.feed],
        traders: parts.traders,
        calendar: Some(calendar(&loaded.config)?),
        rules: LiveRules {
            call_deadline: Duration::from_millis(section.call_deadline_ms),
            gate_deadline: Duration::from_millis(section.gate_deadline_ms),
            feed_silence: Duration::from_secs(section.feed_silence_s),
            strategy_deadline: Duration::from_millis(section.strategy_deadline_ms),
            halt_on_error: section.halt_on_error,
            end_with_feed: true,
            snapshot_every: loaded.journal.snapshot_every,
            ..LiveRules::default()
        },
        kill_flag: Some(Box::new(FileFlag(folder.join(KILL_FILE)))),
        observe: Box::new(move |told| observe(told, &name, &observed)),
    });
    let ran = engine.map_err(failed).and_then(|engine| run(engine, loaded, folder));
    *alerts = shared.lock().unwrap_or_else(PoisonError::into_inner).take();
    ran
}

fn observe(told: Told<'_>, name: &str, alerts: &Mutex<Option<Alerts>>) {
    match told {
        Told::Event(event) => {
            log::event(event);
            if let Some(alerts) = &mut *alerts.lock().unwrap_or_else(PoisonError::into_inner)
                && let Some(alert) = Alert::of_event(event, name)
            {
                alerts.send(alert);
            }
        }
        Told::StrategyError { strategy, error, time } => {
            tracing::error!(strategy = strategy.as_str(), %time, "{error}");
        }
        Told::Notice(text) => tracing::warn!("{text}"),
        _ => {}
    }
}

fn run(mut engine: LiveEngine<FileJournal>, loaded: &Loaded, folder: &Path) -> Result<LiveRan, CliError> {
    let (handle, stopper, clock) = (engine.handle(), engine.stopper(), engine.clock());
    {
        let _inside = engine.runtime().enter();
        tokio::spawn(control::serve(control::listen(folder)?, handle.clone(), Arc::clone(&clock)));
        if let Some(port) = loaded.metrics.port {
            tokio::spawn(metrics::serve(metrics::listen(port)?, handle, clock));
        }
    }
    engine.connect().map_err(failed)?;
    let signal = StopSignal::install()?;
    let over = Arc::new(AtomicBool::new(false));
    let watcher = watch(signal.clone(), stopper, Arc::clone(&over))?;
    let ended = engine.run();
    over.store(true, Ordering::Relaxed);
    // It ends by itself within one look.
    watcher.join().ok();
    // The lock on the journal tells who is there; a socket that is left behind is replaced.
    std::fs::remove_file(control::path(folder)).ok();
    let stats = ended.map_err(failed)?;
    Ok(LiveRan { stats, stopped: signal.received() })
}

fn watch(
    signal: StopSignal,
    stopper: Stopper,
    over: Arc<AtomicBool>,
) -> Result<std::thread::JoinHandle<()>, CliError> {
    std::thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            while !over.load(Ordering::Relaxed) {
                if signal.received().is_some() {
                    stopper.stop();
                    return;
                }
                std::thread::sleep(LOOK);
            }
        })
        .or_exit(ExitKind::Internal)
}

fn failed(error: LiveError) -> CliError {
    let kind = match &error {
        LiveError::Driver(..) | LiveError::Recovery(_) => ExitKind::Journal,
        LiveError::Calendar(_) | LiveError::NoBroker { .. } => ExitKind::Config,
        _ => ExitKind::Internal,
    };
    CliError::new(kind, error)
}

/// The kill switch as a file.
struct FileFlag(PathBuf);

impl KillFlag for FileFlag {
    fn wanted(&mut self) -> Option<(String, ActorId)> {
        let text = match std::fs::read_to_string(&self.0) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            // It is there; what stands in it matters less.
            Err(_) => String::new(),
        };
        let unreadable =
            || ActorId::new("kill-file").ok().map(|actor| (format!("{KILL_FILE} is there"), actor));
        match serde_json::from_str::<KillNote>(&text) {
            Ok(note) => Some((note.reason, note.actor)),
            Err(_) => unreadable(),
        }
    }

    fn taken(&mut self) {
        // One that stays is taken again, which changes nothing.
        std::fs::remove_file(&self.0).ok();
    }
}
