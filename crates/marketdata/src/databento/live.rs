//! The live stream as a feed.

use super::counts::Counts;
use super::decode::Decoder;
use super::names::{Names, table};
use super::session::{HEARTBEAT_SECONDS, Heard, Lost, Session, Wanted};
use mts_foundation::broker::BoxFuture;
use mts_foundation::io::{DynSocketConnector, Frame, Sleep, Socket, TransportError};
use mts_foundation::market_data::{DataFeed, FeedStats, MarketDataError, MarketEvent, StaleCause};
use mts_foundation::secret::{SecretRef, SecretSource};
use mts_foundation::time::Clock;
use mts_foundation::{Symbol, Timestamp, VenueName};
use secrecy::SecretString;
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// What is read of the stream, by the gateway's names.
pub const SCHEMAS: [&str; 15] = [
    "trades", "tbbo", "mbp-1", "mbp-10", "mbo", "bbo-1s", "bbo-1m", "cmbp-1", "tcbbo", "cbbo-1s", "cbbo-1m",
    "ohlcv-1s", "ohlcv-1m", "ohlcv-1h", "ohlcv-1d",
];
/// Most symbols in one line of a subscription.
const CHUNK: usize = 500;
/// Most complaints of the gateway that are kept.
const MAX_COMPLAINTS: usize = 100;
/// Longest wait for a connection and for the answers up to the first record.
const OPEN_WITHIN: Duration = Duration::from_secs(20);
/// Longest silence: three heartbeats.
const SILENCE: Duration = Duration::from_secs(3 * HEARTBEAT_SECONDS);
/// After so long without a loss the next attempt is quick again.
const HEALTHY: Duration = Duration::from_secs(60);
const SHORTEST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// The data set, such as `XNAS.ITCH`.
    pub dataset: String,
    /// The gateway, `tcp://host:port`; `None` = that of the data set.
    pub gateway: Option<String>,
    /// Where the key is kept.
    pub key: SecretRef,
    /// A schema of [`SCHEMAS`], and the instruments.
    pub subscriptions: Vec<(String, BTreeSet<Symbol>)>,
    /// What instruments are called here, by their name in the data set: goes before its spelling.
    pub names: BTreeMap<SmolStr, Symbol>,
}

/// What the feed needs of the world.
#[derive(Clone)]
pub struct LiveWorld {
    /// Opens sockets.
    pub connector: Arc<dyn DynSocketConnector>,
    /// Has the key; it is asked at each connection.
    pub secrets: Arc<dyn SecretSource>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Waits.
    pub sleep: Arc<dyn Sleep>,
}

impl fmt::Debug for LiveWorld {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("LiveWorld").finish_non_exhaustive()
    }
}

type Busy = BoxFuture<'static, Result<(Box<dyn Socket>, Option<SecretString>), Lost>>;

enum Line {
    /// No connection, and the next attempt at this time.
    Waits(Duration),
    /// Connects, or says something: it goes on where it was when a call was dropped.
    Busy(Busy),
    Open(Box<dyn Socket>),
}

/// Market data of Databento's live gateway.
///
/// One connection; a lost one is made again with all subscriptions, for ever, until the gateway refuses the key or what is asked.
/// What was missed meanwhile is a [`Gap`](MarketEvent::Gap); it is not asked for. Bytes are read when all events of those before
/// were taken: a slow consumer lets the gateway wait, which says so and, in the end, leaves records out, which is a gap too.
/// No task is spawned; a dropped call loses nothing.
pub struct LiveFeed {
    live: Live,
    wanted: Wanted,
    world: LiveWorld,
    own: VenueName,
    url: String,
    decoder: Decoder,
    line: Line,
    session: Option<Session>,
    /// When patience ends.
    deadline: Duration,
    /// Since when the connection is live.
    live_since: Option<Duration>,
    /// When something came last.
    heard: Timestamp,
    /// The last instant up to which records have come, by the gateway's clock.
    covered: Option<Timestamp>,
    /// Since when nothing comes, once that was told.
    interrupted: Option<Timestamp>,
    tries: u32,
    random: u64,
    complaints: Vec<String>,
    fault: Option<String>,
    symbols: Arc<[Symbol]>,
    stats: FeedStats,
}

impl fmt::Debug for LiveFeed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("LiveFeed").field("dataset", &self.live.dataset).finish_non_exhaustive()
    }
}

impl LiveFeed {
    /// A feed that does not run yet. The number spreads the attempts of programs that lost their connections together: it should
    /// differ from one to the next.
    ///
    /// # Errors
    /// [`MarketDataError::Unsupported`] for no subscription, an unknown schema, a data set that cannot be one, and an instrument
    /// that the data set has no name for.
    pub fn new(live: Live, world: LiveWorld, random: u64) -> Result<Self, MarketDataError> {
        let fault = |what: String| MarketDataError::Unsupported { source_name: "databento".to_owned(), what };
        let wanted = wanted(&live, world.clock.now()).map_err(fault)?;
        let own = VenueName::new("databento").map_err(|error| fault(error.to_string()))?;
        let symbols: BTreeSet<Symbol> = live.subscriptions.iter().flat_map(|(_, it)| it).cloned().collect();
        let url = live.gateway.clone().unwrap_or_else(|| {
            let host = live.dataset.replace('.', "-").to_ascii_lowercase();
            format!("tcp://{host}.lsg.databento.com:13000")
        });
        let all = symbols.iter().cloned().collect();
        let decoder = Decoder::new(Names::new(&live.dataset, live.names.clone(), symbols), own.clone());
        Ok(Self {
            decoder,
            wanted,
            own,
            url,
            line: Line::Waits(Duration::ZERO),
            session: None,
            deadline: Duration::ZERO,
            live_since: None,
            heard: world.clock.now(),
            covered: None,
            interrupted: None,
            tries: 0,
            random,
            complaints: Vec::new(),
            fault: None,
            symbols: all,
            stats: FeedStats::default(),
            live,
            world,
        })
    }

    /// What was read so far, and what was left out and why.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.decoder.counts
    }

    /// What the gateway complained about without ending the stream, such as symbols that it does not have; the first of them.
    #[must_use]
    pub fn complaints(&self) -> &[String] {
        &self.complaints
    }

    /// Why the connection was lost last.
    #[must_use]
    pub fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    fn mono(&self) -> Duration {
        self.world.clock.monotonic()
    }

    /// The last instant that is certainly covered: what was on its way when the connection ended is older than when anything
    /// came last.
    fn covered(&self) -> Timestamp {
        self.covered.map_or(self.heard, |covered| covered.min(self.heard))
    }

    fn connect(&mut self) {
        let (world, url, key) = (self.world.clone(), self.url.clone(), self.live.key.clone());
        let connecting = async move {
            let unavailable = |message: String, temporary| {
                if temporary { Lost::Again(message) } else { Lost::Never(message) }
            };
            let secret = world.secrets.secret(&key).await;
            let secret = secret.map_err(|error| unavailable(error.to_string(), error.temporary))?;
            let request = http::Request::get(url.as_str()).body(());
            let request = request.map_err(|error| Lost::Never(format!("{url} is no address: {error}")))?;
            let socket = world.connector.connect(request, OPEN_WITHIN).await;
            Ok((socket.map_err(again)?, Some(secret)))
        };
        self.session = None;
        self.live_since = None;
        self.deadline = self.mono().saturating_add(OPEN_WITHIN);
        self.line = Line::Busy(Box::pin(connecting));
    }

    fn lose(&mut self, lost: Lost) {
        let mono = self.mono();
        self.session = None;
        if self.live_since.take().is_some_and(|since| mono.saturating_sub(since) >= HEALTHY) {
            self.tries = 0;
        }
        self.line = Line::Waits(mono.saturating_add(self.pause()));
        let venue = self.own.clone();
        match lost {
            Lost::Again(why) => {
                if self.interrupted.is_none() {
                    self.interrupted = Some(self.covered());
                    let (symbols, cause) = (Arc::clone(&self.symbols), StaleCause::Interrupted);
                    self.decoder.say(MarketEvent::Stale { venue, since: self.heard, symbols, cause });
                }
                self.fault = Some(why);
            }
            Lost::Never(message) => {
                self.stats.running = false;
                self.fault = Some(message.clone());
                self.decoder.say(MarketEvent::Fatal { venue, message });
            }
        }
    }

    /// Full jitter: anything up to a limit that doubles with each attempt.
    fn pause(&mut self) -> Duration {
        let limit = Duration::from_secs(1).saturating_mul(1 << self.tries.min(10)).min(LONGEST_PAUSE);
        self.tries = self.tries.saturating_add(1);
        // SplitMix64.
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.random;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        let nanos = u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX);
        Duration::from_nanos(bits % nanos.max(1)).max(SHORTEST_PAUSE)
    }

    /// Takes what was received.
    fn take(&mut self, frame: Option<Frame>) -> Result<(), Lost> {
        let bytes = match frame {
            Some(Frame::Binary(bytes) | Frame::Text(bytes)) => bytes,
            Some(Frame::Ping(_) | Frame::Pong(_)) => return Ok(()),
            Some(Frame::Close) | None => return Err(Lost::Again("the connection has ended".to_owned())),
        };
        let Some(session) = &mut self.session else { return Ok(()) };
        let Heard { say, is_live, start, covered, complaints } =
            session.take(&bytes, &self.wanted, &mut self.decoder)?;
        let room = MAX_COMPLAINTS.saturating_sub(self.complaints.len());
        self.complaints.extend(complaints.into_iter().take(room));
        if is_live && self.live_since.is_none() {
            self.live_since = Some(self.mono());
            let (venue, time) = (self.own.clone(), self.world.clock.now());
            if let Some(from) = self.interrupted.take() {
                self.decoder.precede(MarketEvent::Recovered { venue: venue.clone(), time });
                let to = start.unwrap_or(time).max(time);
                self.decoder.precede(MarketEvent::Gap { venue, from, to });
            }
        }
        self.covered = self.covered.max(start).max(covered);
        if self.live_since.is_some() {
            self.heard = self.world.clock.now();
            self.deadline = self.mono().saturating_add(SILENCE);
        }
        if !say.is_empty()
            && let Line::Open(mut socket) = std::mem::replace(&mut self.line, Line::Waits(Duration::ZERO))
        {
            self.line = Line::Busy(Box::pin(async move {
                socket.send(Frame::Binary(say.into())).await.map_err(again)?;
                Ok((socket, None))
            }));
        }
        Ok(())
    }

    /// Waits for what comes next, and takes it.
    async fn step(&mut self) {
        let patience = match &self.line {
            Line::Waits(until) => *until,
            Line::Busy(_) | Line::Open(_) => self.deadline,
        };
        let mut sleep = self.world.sleep.sleep(patience.saturating_sub(self.mono()));
        let line = &mut self.line;
        let woken = match line {
            Line::Waits(_) => {
                sleep.await;
                return self.connect();
            }
            Line::Busy(busy) => {
                poll_fn(|context| match busy.as_mut().poll(context) {
                    Poll::Ready(done) => Poll::Ready(Some(done.map(Woken::Done))),
                    Poll::Pending => sleep.as_mut().poll(context).map(|()| None),
                })
                .await
            }
            Line::Open(socket) => {
                let mut receiving = socket.receive();
                poll_fn(|context| match receiving.as_mut().poll(context) {
                    Poll::Ready(frame) => Poll::Ready(Some(frame.map(Woken::Frame).map_err(again))),
                    Poll::Pending => sleep.as_mut().poll(context).map(|()| None),
                })
                .await
            }
        };
        let taken = match woken {
            Some(Ok(Woken::Frame(frame))) => self.take(frame),
            Some(Ok(Woken::Done((socket, key)))) => {
                self.line = Line::Open(socket);
                key.map_or(Ok(()), |key| Session::new(key).map(|session| self.session = Some(session)))
            }
            Some(Err(lost)) => Err(lost),
            None => Err(Lost::Again("nothing came for too long".to_owned())),
        };
        if let Err(lost) = taken {
            self.lose(lost);
        }
    }
}

enum Woken {
    Frame(Option<Frame>),
    Done((Box<dyn Socket>, Option<SecretString>)),
}

fn again(error: TransportError) -> Lost {
    Lost::Again(error.message)
}

/// The lines of the subscriptions.
fn wanted(live: &Live, now: Timestamp) -> Result<Wanted, String> {
    let plain =
        |text: &str| !text.is_empty() && text.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'.');
    if !plain(&live.dataset) {
        return Err(format!(
            "the data set {:?}: write it as Databento does, such as XNAS.ITCH",
            live.dataset
        ));
    }
    if live.subscriptions.iter().all(|(_, symbols)| symbols.is_empty()) {
        return Err("a stream of nothing; name at least one symbol".to_owned());
    }
    let table = table(&live.dataset);
    let today = now.to_datetime().date_naive();
    let mut lines = String::new();
    for (number, (schema, symbols)) in (1..).zip(&live.subscriptions) {
        if !SCHEMAS.contains(&schema.as_str()) {
            return Err(format!("the schema {schema:?}; it takes {}", SCHEMAS.join(", ")));
        }
        let native = |symbol: &Symbol| {
            let given = live.names.iter().find(|(_, it)| *it == symbol).map(|(native, _)| native.clone());
            given.map_or_else(|| table.to_native_on(symbol, today).map_err(|error| error.to_string()), Ok)
        };
        let natives = symbols.iter().map(native).collect::<Result<Vec<_>, _>>()?;
        if let Some(name) = natives.iter().find(|name| name.contains(['|', ',', '\n', '\r'])) {
            return Err(format!("the name {name:?}: a name holds no |, no comma and no line end"));
        }
        let last = natives.chunks(CHUNK).count();
        for (place, chunk) in (1..).zip(natives.chunks(CHUNK)) {
            let is_last = u8::from(place == last);
            lines.push_str(&format!(
                "schema={schema}|stype_in=raw_symbol|symbols={}|snapshot=0|is_last={is_last}|id={number}\n",
                chunk.join(",")
            ));
        }
    }
    Ok(Wanted { dataset: live.dataset.clone(), lines })
}

impl DataFeed for LiveFeed {
    fn name(&self) -> &str {
        "databento"
    }

    async fn start(&mut self) -> Result<(), MarketDataError> {
        if !self.stats.running {
            self.stats.running = true;
            self.tries = 0;
            self.heard = self.interrupted.unwrap_or_else(|| self.world.clock.now());
            self.connect();
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<MarketEvent>, MarketDataError> {
        loop {
            if let Some(event) = self.decoder.event() {
                self.stats.ticks = self.stats.ticks.saturating_add(1);
                self.stats.last_time = event.priced_at().or(self.stats.last_time);
                return Ok(Some(event));
            }
            if !self.stats.running {
                return Ok(None);
            }
            self.step().await;
        }
    }

    /// Started again, what was missed meanwhile is a gap.
    async fn stop(&mut self) -> Result<(), MarketDataError> {
        if self.stats.running {
            self.stats.running = false;
            if self.live_since.take().is_some() {
                self.interrupted = Some(self.covered());
            }
            self.session = None;
            self.line = Line::Waits(Duration::ZERO);
        }
        Ok(())
    }

    fn stats(&self) -> FeedStats {
        FeedStats { symbols: self.symbols.len() as u64, ..self.stats }
    }
}
