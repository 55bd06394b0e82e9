//! Recorded files as a feed.

use super::counts::Counts;
use super::decode::Decoder;
use super::names::Names;
use super::pace::Pace;
use super::records::{Records, Step};
use dbn::decode::DynReader;
use mts_foundation::io::Sleep;
use mts_foundation::market_data::{DataFeed, FeedStats, MarketDataError, MarketEvent};
use mts_foundation::time::Clock;
use mts_foundation::{Symbol, Timestamp, VenueName};
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{BufReader, ErrorKind, Read};
use std::sync::Arc;
use std::time::Duration;

/// Most files in one feed.
pub const MAX_FILES: usize = 1_000;

/// How files are played back.
#[derive(Debug, Clone, PartialEq)]
pub struct Replay {
    /// The instruments that are wanted; none = all. Each must be in one of the files.
    pub symbols: BTreeSet<Symbol>,
    /// What instruments are called here, by their name in the files: goes before the data set's spelling, for names that have no
    /// canonical form, such as `ES.c.0`.
    pub names: BTreeMap<SmolStr, Symbol>,
    /// Recorded time per time that passes; 0 = as fast as possible.
    pub replay_speed: f64,
    /// The longest silence that is waited for, in recorded time; `None` = all of it. To pass over nights.
    pub longest_pause: Option<Duration>,
}

impl Default for Replay {
    /// All instruments, in real time.
    fn default() -> Self {
        Self { symbols: BTreeSet::new(), names: BTreeMap::new(), replay_speed: 1.0, longest_pause: None }
    }
}

/// A file: the name for messages, and its bytes. Compression is found out.
pub type File = (String, Box<dyn Read + Send>);

/// Files of Databento's binary encoding (`.dbn`, `.dbn.zst`; versions 1 to 3), played back as one feed in time order.
///
/// Each event is due at a time of its own from the beginning on, so that being late does not add up. Of each file the feed keeps
/// what one piece of it holds, however long it is. Files are read where [`next`](DataFeed::next) is called.
pub struct DatabentoFeed {
    sources: Vec<Source>,
    pace: Pace,
    clock: Arc<dyn Clock>,
    sleep: Arc<dyn Sleep>,
    symbols: BTreeSet<Symbol>,
    stats: FeedStats,
}

impl fmt::Debug for DatabentoFeed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let files: Vec<&str> = self.sources.iter().map(|source| source.path.as_str()).collect();
        out.debug_struct("DatabentoFeed")
            .field("files", &files)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

impl DatabentoFeed {
    /// One file.
    ///
    /// # Errors
    /// As [`DatabentoFeed::from_files`].
    pub fn from_file(
        path: &str,
        file: Box<dyn Read + Send>,
        replay: &Replay,
        clock: Arc<dyn Clock>,
        sleep: Arc<dyn Sleep>,
    ) -> Result<Self, MarketDataError> {
        Self::from_files(vec![(path.to_owned(), file)], replay, clock, sleep)
    }

    /// Several files, merged by time; of one instant, in the order of the files.
    ///
    /// # Errors
    /// [`MarketDataError::Unsupported`] for no file or more than [`MAX_FILES`], a speed below zero, and wanted instruments that
    /// no file has; [`MarketDataError::Source`] for a file whose head cannot be read.
    pub fn from_files(
        files: Vec<File>,
        replay: &Replay,
        clock: Arc<dyn Clock>,
        sleep: Arc<dyn Sleep>,
    ) -> Result<Self, MarketDataError> {
        let fault = |what| MarketDataError::Unsupported { source_name: "databento".to_owned(), what };
        if files.is_empty() || files.len() > MAX_FILES {
            return Err(fault(format!("a replay of {} files: give 1 to {MAX_FILES}", files.len())));
        }
        let pace = Pace::new(replay.replay_speed, replay.longest_pause).map_err(fault)?;
        let open = |(path, file)| Source::open(path, file, replay);
        let sources = files.into_iter().map(open).collect::<Result<Vec<_>, _>>()?;
        let symbols: BTreeSet<Symbol> =
            sources.iter().flat_map(|source| source.decoder.names.known()).cloned().collect();
        // A live stream that was recorded names its instruments on the way.
        let are_named = sources.iter().all(|source| source.is_named);
        let missing: Vec<&str> = replay.symbols.difference(&symbols).map(Symbol::as_str).collect();
        if are_named && !missing.is_empty() {
            let what =
                format!("{}: no file has them; remove them from symbols, or name them", missing.join(", "));
            return Err(fault(what));
        }
        Ok(Self { sources, pace, clock, sleep, symbols, stats: FeedStats::default() })
    }

    /// Its instruments, in symbol order, as far as the files' heads name them.
    #[must_use]
    pub fn symbols(&self) -> &BTreeSet<Symbol> {
        &self.symbols
    }

    /// From when on the files' heads say that they have something, and until when, where all say so.
    #[must_use]
    pub fn range(&self) -> (Timestamp, Option<Timestamp>) {
        let first = self.sources.iter().map(|source| source.covers.0).min().unwrap_or(Timestamp::EPOCH);
        let ends: Option<Vec<_>> = self.sources.iter().map(|source| source.covers.1).collect();
        (first, ends.and_then(|ends| ends.into_iter().max()))
    }

    /// What was read so far, and what was left out and why.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for source in &self.sources {
            counts.join(&source.decoder.counts);
        }
        counts
    }

    /// Has each file show its next event, and finds the earliest.
    fn earliest(&mut self) -> Result<Option<(usize, Timestamp)>, MarketDataError> {
        let mut earliest: Option<(usize, Timestamp)> = None;
        for (place, source) in self.sources.iter_mut().enumerate() {
            if source.shown.is_none() {
                source.show()?;
            }
            if source.shown.is_some() && earliest.is_none_or(|(_, time)| source.time < time) {
                earliest = Some((place, source.time));
            }
        }
        Ok(earliest)
    }
}

impl DataFeed for DatabentoFeed {
    fn name(&self) -> &str {
        "databento"
    }

    async fn start(&mut self) -> Result<(), MarketDataError> {
        if !self.stats.running {
            self.stats.running = true;
            self.pace.restart();
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<MarketEvent>, MarketDataError> {
        if !self.stats.running {
            return Ok(None);
        }
        let earliest = self.earliest().inspect_err(|_| self.stats.running = false)?;
        let Some((place, time)) = earliest else { return Ok(None) };
        // The event stays where it is while we wait: this call may be dropped.
        if let Some(wait) = self.pace.wait(time, self.clock.monotonic()) {
            self.sleep.sleep(wait).await;
        }
        self.pace.take(time, self.clock.monotonic());
        let event = self.sources.get_mut(place).and_then(|source| source.shown.take());
        self.stats.ticks = self.stats.ticks.saturating_add(u64::from(event.is_some()));
        self.stats.last_time = event.as_ref().and_then(MarketEvent::priced_at).or(self.stats.last_time);
        Ok(event)
    }

    async fn stop(&mut self) -> Result<(), MarketDataError> {
        self.stats.running = false;
        Ok(())
    }

    fn stats(&self) -> FeedStats {
        FeedStats { symbols: self.symbols.len() as u64, ..self.stats }
    }
}

/// One file.
struct Source {
    path: String,
    reader: DynReader<'static, BufReader<Box<dyn Read + Send>>>,
    records: Records,
    decoder: Decoder,
    /// Its head names its instruments.
    is_named: bool,
    /// From when until when, by its head.
    covers: (Timestamp, Option<Timestamp>),
    shown: Option<MarketEvent>,
    /// The time of what is shown; what has none belongs where the last event was.
    time: Timestamp,
    has_ended: bool,
    fault: Option<MarketDataError>,
}

/// An instant of a head; one beyond the range is the last of it.
fn instant(nanos: u64) -> Timestamp {
    Timestamp::from_nanos(i64::try_from(nanos).unwrap_or(i64::MAX))
}

impl Source {
    fn open(path: String, file: Box<dyn Read + Send>, replay: &Replay) -> Result<Self, MarketDataError> {
        let fault = |message: String| MarketDataError::Source { path: path.clone(), message };
        let own = VenueName::new("databento").map_err(|error| fault(error.to_string()))?;
        let mut reader = DynReader::new_inferred(file).map_err(|error| fault(error.to_string()))?;
        let mut records = Records::new().map_err(fault)?;
        let metadata = loop {
            match records.step().map_err(fault)? {
                Step::Metadata(metadata) => break metadata,
                Step::Record => {}
                Step::More => {
                    if read(&mut reader, &mut records).map_err(fault)? == 0 {
                        return Err(fault("it ends within its head; fetch it again".to_owned()));
                    }
                }
            }
        };
        let mut names = Names::new(&metadata.dataset, replay.names.clone(), replay.symbols.clone());
        names.describe(&metadata).map_err(fault)?;
        Ok(Self {
            reader,
            records,
            decoder: Decoder::new(names, own),
            is_named: !metadata.mappings.is_empty(),
            covers: (instant(metadata.start), metadata.end.map(|end| instant(end.get()))),
            shown: None,
            time: Timestamp::EPOCH,
            has_ended: false,
            fault: None,
            path,
        })
    }

    /// Reads up to the next event. What was read before a fault is handed out before it.
    fn show(&mut self) -> Result<(), MarketDataError> {
        loop {
            if let Some(event) = self.decoder.event() {
                self.time = match &event {
                    MarketEvent::Gap { to, .. } => *to,
                    event => event.priced_at().unwrap_or(self.time),
                };
                self.shown = Some(event);
                return Ok(());
            }
            if self.has_ended {
                return self.fault.take().map_or(Ok(()), Err);
            }
            if let Err(message) = self.advance() {
                let line = self.decoder.counts.records.saturating_add(1);
                self.end();
                self.fault = Some(MarketDataError::Record { path: self.path.clone(), line, message });
            }
        }
    }

    fn end(&mut self) {
        self.has_ended = true;
        self.decoder.flush();
    }

    /// Reads a record, or a piece of the file.
    fn advance(&mut self) -> Result<(), String> {
        match self.records.step()? {
            Step::Record => {
                if let Some(record) = self.records.record() {
                    self.decoder.take(record)?;
                }
            }
            Step::Metadata(_) => {}
            Step::More => {
                if read(&mut self.reader, &mut self.records)? == 0 {
                    if !self.records.is_whole() {
                        return Err(cut(&self.records));
                    }
                    self.end();
                }
            }
        }
        Ok(())
    }
}

fn cut(records: &Records) -> String {
    format!("the file ends within this record, after {} bytes of it; fetch it again", records.rest())
}

/// Reads a piece; 0 = the end.
fn read(reader: &mut impl Read, records: &mut Records) -> Result<usize, String> {
    loop {
        match reader.read(records.space()) {
            Ok(count) => {
                records.fill(count);
                return Ok(count);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // The compression's own end is missing.
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Err(cut(records)),
            Err(error) => return Err(format!("it cannot be read: {error}")),
        }
    }
}
