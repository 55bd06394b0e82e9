//! `ml4t-bar-aggregator/1`: streams of ticks and smaller bars through [`AggregatedFeed`].
//!
//! A stream is a case. It goes through the feed on a clock that the file sets, and the bars that are whole by the end of the stream
//! are compared with the file's, as a set with repetitions: when a bar is handed out is a matter of each package's own. Where the
//! file marks a stream as showing a defect of the package that made it (0.1.0a6), what its later version (0.1.3) made is compared.
//!
//! A stream deviates, rather than fails, only for one of the [rules](RULES), each recognised by what the stream contains, and its
//! bars have to be those of a model that is written down here.

use super::Outcome;
use mts_foundation::broker::BoxFuture;
use mts_foundation::io::Sleep;
use mts_foundation::market_data::{DataFeed, FeedStats, MarketDataError, MarketEvent};
use mts_foundation::num::{Decimal, as_written};
use mts_foundation::ready::ready;
use mts_foundation::{Bar, Clock, Interval, Symbol, Timestamp, Trade, VenueName};
use mts_marketdata::aggregate::{Aggregator, Hours, Patience};
use mts_marketdata::feeds::{AggregatedFeed, Passing};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

/// A price or size that is none, such as NaN. The origin ends at it, or counts half of it.
pub const REFUSED: &str = "what has no possible price or size is refused and counted, and the feed goes on";
/// A bar whose end the time of the whole stream has reached is whole. The later version closes it at the instrument's own next
/// tick, which the stream does not have.
pub const PASSED: &str = "a bar is whole when time has reached its end, by whichever instrument's tick";
/// The origin keeps apart what differs in capitals only.
pub const CANONICAL: &str = "symbols are compared in their canonical form (M4)";
/// The rules under which a stream may deviate.
pub const RULES: [&str; 3] = [REFUSED, PASSED, CANONICAL];

#[derive(Debug, Deserialize)]
struct Streams {
    streams: Vec<Stream>,
}

#[derive(Debug, Deserialize)]
struct Stream {
    id: String,
    config: Config,
    events: Vec<Event>,
    #[serde(default)]
    known_bug: bool,
    v0_1_3: Later,
}

#[derive(Debug, Deserialize)]
struct Config {
    #[serde(default = "one")]
    bar_size_minutes: f64,
    #[serde(default)]
    assets: Option<Vec<String>>,
    #[serde(default = "two")]
    flush_timeout_seconds: f64,
}

fn one() -> f64 {
    1.0
}

fn two() -> f64 {
    2.0
}

#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
enum Event {
    Data {
        time: String,
        data: Value,
        #[serde(default)]
        now: Option<String>,
        emits: Vec<Emitted>,
    },
    FlushCheck {
        now: String,
        emits: Vec<Emitted>,
    },
    SourceEnd {
        emits: Vec<Emitted>,
    },
    Stop {
        emits: Vec<Emitted>,
    },
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Emitted {
    Bars { time: String, data: BTreeMap<String, Prices> },
    End(#[allow(dead_code, reason = "it is the word END")] String),
}

#[derive(Debug, Deserialize)]
struct Prices {
    open: Value,
    high: Value,
    low: Value,
    close: Value,
    volume: Value,
}

#[derive(Debug, Deserialize)]
struct Later {
    #[serde(default)]
    emits: Vec<(usize, String, String, String, [Value; 5])>,
    construct_error: Option<Value>,
}

/// Volumes differ by less than this: sizes are kept to nine digits, and the file's have up to 17.
const TOLERANCE: Decimal = Decimal::from_parts(1, 0, 0, false, 8);

/// A bar: its beginning, its instrument, and open, high, low, close and volume with nine digits, for sums of floats have a rest.
type Row = (Timestamp, String, [Decimal; 5]);

fn alike(ours: &Row, theirs: &Row) -> bool {
    let (a, b) = (ours.2, theirs.2);
    (ours.0, &ours.1, &a[..4]) == (theirs.0, &theirs.1, &b[..4]) && (a[4] - b[4]).abs() < TOLERANCE
}

/// Whether two sorted sets of bars are the same.
fn same(ours: &[Row], theirs: &[Row]) -> bool {
    ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| alike(ours, theirs))
}

/// Runs the streams of a file.
///
/// # Errors
/// When the text is not such a file.
pub fn run(text: &str) -> Result<Outcome, String> {
    let file: Streams = serde_json::from_str(text).map_err(|error| error.to_string())?;
    let mut outcome = Outcome::default();
    for stream in &file.streams {
        match stream.compare() {
            Ok(None) => outcome.pass(),
            Ok(Some(rule)) => outcome.deviate(rule),
            Err(detail) => outcome.fail(&stream.id, detail),
        }
    }
    let marked = file.streams.iter().filter(|stream| stream.known_bug).count();
    outcome.notes.push(format!(
        "a case is a stream; {} streams, {marked} of them marked and compared with the later version",
        file.streams.len()
    ));
    Ok(outcome)
}

impl Stream {
    fn compare(&self) -> Result<Option<&'static str>, String> {
        let Some(interval) = self.interval() else {
            // Both refuse such a length when they are made.
            let refused = self.v0_1_3.construct_error.is_some();
            return if refused { Ok(None) } else { Err("no such interval".to_owned()) };
        };
        let ours = self.ours(interval)?;
        let theirs = self.expected()?;
        if same(&ours, &theirs) {
            return Ok(None);
        }
        let items: Vec<_> = self.events.iter().flat_map(Event::items).collect();
        let rule = if items.iter().any(|(_, item)| matches!(item, Item::Impossible)) {
            Some(REFUSED)
        } else if items.iter().any(|(asset, _)| canonical(asset).as_ref() != Ok(asset)) {
            Some(CANONICAL)
        } else {
            // What the later version has is there, and more.
            let more = self.known_bug && theirs.iter().all(|bar| ours.iter().any(|own| alike(own, bar)));
            more.then_some(PASSED)
        };
        if rule.is_some() && same(&ours, &self.model(interval)?) {
            return Ok(rule);
        }
        Err(format!("ours {ours:?}, theirs {theirs:?}"))
    }

    /// How long a bar without ticks stays open after its end.
    fn patience(&self) -> Result<Duration, String> {
        Duration::try_from_secs_f64(self.config.flush_timeout_seconds).map_err(|error| error.to_string())
    }

    /// Whole minutes above zero.
    fn interval(&self) -> Option<Interval> {
        format!("{}m", self.config.bar_size_minutes).parse().ok()
    }

    /// What the file says, sorted.
    fn expected(&self) -> Result<Vec<Row>, String> {
        let mut rows = Vec::new();
        if self.known_bug {
            for (_, time, asset, completion, prices) in &self.v0_1_3.emits {
                if completion == "complete" {
                    let [open, high, low, close, volume] = prices.each_ref().map(number);
                    rows.push((instant(time)?, asset.clone(), [open?, high?, low?, close?, volume?]));
                }
            }
        } else {
            for event in &self.events {
                let (Event::Data { emits, .. }
                | Event::FlushCheck { emits, .. }
                | Event::SourceEnd { emits }
                | Event::Stop { emits }) = event;
                for emitted in emits {
                    let Emitted::Bars { time, data } = emitted else { continue };
                    for (asset, Prices { open, high, low, close, volume }) in data {
                        let numbers =
                            [number(open)?, number(high)?, number(low)?, number(close)?, number(volume)?];
                        rows.push((instant(time)?, asset.clone(), numbers));
                    }
                }
            }
        }
        rows.sort();
        Ok(rows)
    }

    /// The feed's whole bars, sorted.
    fn ours(&self, interval: Interval) -> Result<Vec<Row>, String> {
        let patience = Patience { flush_after: self.patience()?, ..Patience::default() };
        let assets = self.config.assets.iter().flatten();
        let assets = assets
            .map(|asset| Symbol::new(asset).map_err(|error| error.to_string()))
            .collect::<Result<Vec<_>, _>>()?;
        let mut aggregator = Aggregator::new(Hours::always(interval), patience, assets);
        aggregator.whole_since(Timestamp::from_nanos(i64::MIN));
        let world = Arc::new(World::default());
        let passing = Passing::Live {
            clock: Arc::new(TheClock(Arc::clone(&world))),
            sleep: Arc::new(TheSleep(Arc::clone(&world))),
        };
        let mut feed = AggregatedFeed::new(Box::new(Source(Arc::clone(&world))), aggregator)
            .passing(passing)
            .whole_bars_only();
        let mut rows = Vec::new();
        let mut wall = Timestamp::EPOCH;
        ready(feed.start()).map_err(|error| error.to_string())?.map_err(|error| error.to_string())?;
        for event in &self.events {
            match event {
                Event::Data { time, now, data, .. } => {
                    let time = instant(time)?;
                    wall = now.as_deref().map_or(Ok(wall.max(time)), instant)?;
                    world.set(wall, events_of(time, data)?);
                }
                Event::FlushCheck { now, .. } => {
                    wall = instant(now)?;
                    world.set(wall, Vec::new());
                }
                Event::SourceEnd { .. } => world.end(),
                Event::Stop { .. } => break,
            }
            drain(&mut feed, &mut rows)?;
        }
        // What time has reached by the end of the stream is whole, whoever would have said so next.
        world.end();
        drain(&mut feed, &mut rows)?;
        rows.sort();
        Ok(rows)
    }

    /// What is right, written as plainly as can be: each tick belongs to the bar of its time, counted from the beginning of 1970.
    /// What belongs to a bar before the newest of its instrument is late, as is what comes when time has passed the bar's end by the
    /// patience; time is that of the newest event, and what the clock says has passed since it came.
    fn model(&self, interval: Interval) -> Result<Vec<Row>, String> {
        let length = i64::try_from(interval.duration().as_nanos()).map_err(|error| error.to_string())?;
        let patience = Timestamp::EPOCH.plus(self.patience()?).nanos();
        let wanted: Vec<_> = self.config.assets.iter().flatten().map(|asset| canonical(asset)).collect();
        let (mut wall, mut newest, mut came, mut passed) = (0, i64::MIN, 0, i64::MIN);
        let mut bars: BTreeMap<(String, i64), [Decimal; 5]> = BTreeMap::new();
        for event in &self.events {
            match event {
                Event::Data { time, now, .. } => {
                    let time = instant(time)?.nanos();
                    wall = now
                        .as_deref()
                        .map_or(Ok(wall.max(time)), |now| instant(now).map(Timestamp::nanos))?;
                    if time > newest {
                        (newest, came) = (time, wall);
                    }
                    let start = time.div_euclid(length) * length;
                    for (asset, item) in event.items() {
                        let asset = canonical(&asset)?;
                        if !wanted.is_empty() && !wanted.contains(&Ok(asset.clone())) {
                            continue;
                        }
                        let own =
                            bars.keys().filter(|(other, _)| *other == asset).map(|(_, start)| *start).max();
                        let closed = start.saturating_add(length + patience) <= passed;
                        if own.is_some_and(|own| start < own || (start == own && closed)) {
                            continue;
                        }
                        let Item::Prices([open, high, low, close, volume]) = item else { continue };
                        let bar =
                            bars.entry((asset, start)).or_insert([open, high, low, close, Decimal::ZERO]);
                        *bar = [bar[0], bar[1].max(high), bar[2].min(low), close, bar[4] + volume];
                    }
                }
                Event::FlushCheck { now, .. } => wall = instant(now)?.nanos(),
                Event::SourceEnd { .. } | Event::Stop { .. } => break,
            }
            passed = passed.max(newest.saturating_add(wall - came).min(wall));
        }
        let whole = bars.into_iter().filter(|((_, start), _)| start + length <= passed);
        let row = |((asset, start), numbers): ((String, i64), [Decimal; 5])| {
            (Timestamp::from_nanos(start), asset, numbers.map(rounded))
        };
        let mut rows: Vec<Row> = whole.map(row).collect();
        rows.sort();
        Ok(rows)
    }
}

impl Event {
    /// What comes at once: of which instrument, what.
    fn items(&self) -> Vec<(String, Item)> {
        let Self::Data { data, .. } = self else { return Vec::new() };
        let all = data.as_object().into_iter().flatten();
        all.filter_map(|(asset, fields)| Item::of(fields).map(|item| (asset.clone(), item))).collect()
    }
}

fn canonical(asset: &str) -> Result<String, String> {
    Symbol::new(asset).map(|symbol| symbol.to_string()).map_err(|error| error.to_string())
}

/// What the file says of an instrument at once.
enum Item {
    /// Open, high, low, close, volume; of a tick, its price four times.
    Prices([Decimal; 5]),
    /// A number that is none.
    Impossible,
}

impl Item {
    /// `None` = it says no price.
    fn of(fields: &Value) -> Option<Self> {
        let field = |name: &str| fields.get(name);
        let (price, size) = match (field("close"), field("price")) {
            (Some(close), _) => (close, field("volume")),
            (None, Some(price)) => (price, field("size")),
            (None, None) => return None,
        };
        let zero = Value::from(0);
        let size = size.unwrap_or(&zero);
        let bar =
            ["open", "high", "low"].map(|name| if field("close").is_some() { field(name) } else { None });
        let numbers =
            [bar[0].unwrap_or(price), bar[1].unwrap_or(price), bar[2].unwrap_or(price), price, size];
        let [open, high, low, close, volume] = numbers.map(|value| value.as_f64().and_then(as_written));
        let possible =
            [open, high, low, close].iter().all(|price| price.is_some_and(|price| price > Decimal::ZERO));
        Some(match (open, high, low, close, volume) {
            (Some(open), Some(high), Some(low), Some(close), Some(volume))
                if possible && volume >= Decimal::ZERO =>
            {
                Self::Prices([open, high, low, close, volume])
            }
            _ => Self::Impossible,
        })
    }
}

/// The market events that a line of the file is. What no decimal can say never becomes one.
fn events_of(time: Timestamp, data: &Value) -> Result<Vec<MarketEvent>, String> {
    let venue = VenueName::new("file").map_err(|error| error.to_string())?;
    let mut events = Vec::new();
    for (asset, fields) in data.as_object().into_iter().flatten() {
        let Some(Item::Prices([open, high, low, close, volume])) = Item::of(fields) else { continue };
        let symbol = Symbol::new(asset).map_err(|error| error.to_string())?;
        if fields.get("open").is_none() {
            let (trade_id, venue) = ("".into(), venue.clone());
            events.push(MarketEvent::Trade(Trade {
                trade_id,
                symbol,
                price: close,
                size: volume,
                venue,
                timestamp: time,
            }));
            continue;
        }
        // The file labels by the beginning and says no length.
        let interval: Interval = "1s".parse().map_err(|_| "no interval".to_owned())?;
        let end = time.plus(interval.duration());
        let bar = Bar {
            open,
            high,
            low,
            volume,
            close_only: false,
            ..Bar::close_only(symbol, interval, close, end)
        };
        events.push(MarketEvent::Bars { time: end, bars: [bar].into() });
    }
    Ok(events)
}

/// Takes everything that the feed has by now.
fn drain(feed: &mut impl DataFeed, rows: &mut Vec<Row>) -> Result<(), String> {
    while let Ok(event) = ready(feed.next()) {
        match event.map_err(|error| error.to_string())? {
            Some(MarketEvent::Bars { bars, .. }) => rows.extend(bars.iter().map(row)),
            Some(other) => return Err(format!("an event that is no bar: {other:?}")),
            None => break,
        }
    }
    Ok(())
}

fn row(bar: &Bar) -> Row {
    let length = i64::try_from(bar.interval.duration().as_nanos()).unwrap_or(i64::MAX);
    let start = Timestamp::from_nanos(bar.timestamp.nanos().saturating_sub(length));
    let numbers = [bar.open, bar.high, bar.low, bar.close, bar.volume];
    (start, bar.symbol.to_string(), numbers.map(rounded))
}

fn rounded(number: Decimal) -> Decimal {
    number.round_dp(9)
}

fn number(value: &Value) -> Result<Decimal, String> {
    value.as_f64().and_then(as_written).map(rounded).ok_or_else(|| format!("{value} is no number"))
}

/// A time without an offset is UTC.
fn instant(text: &str) -> Result<Timestamp, String> {
    let zoned = text.ends_with('Z') || text.get(19..).is_some_and(|rest| rest.contains(['+', '-']));
    let whole = if zoned { text.to_owned() } else { format!("{text}Z") };
    whole.parse::<Timestamp>().map_err(|error| format!("{text}: {error}"))
}

/// The clock, and what has come by it.
#[derive(Default)]
struct World(Mutex<Now>);

struct Now {
    wall: Timestamp,
    coming: VecDeque<MarketEvent>,
    ended: bool,
    /// Whoever waits is to look at the clock once.
    look: bool,
}

impl Default for Now {
    fn default() -> Self {
        Self { wall: Timestamp::EPOCH, coming: VecDeque::new(), ended: false, look: false }
    }
}

impl World {
    fn with<T>(&self, act: impl FnOnce(&mut Now) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn set(&self, wall: Timestamp, events: Vec<MarketEvent>) {
        self.with(|now| (now.wall, now.coming, now.look) = (wall, events.into(), true));
    }

    fn end(&self) {
        self.with(|now| now.ended = true);
    }
}

struct TheClock(Arc<World>);

impl Clock for TheClock {
    fn now(&self) -> Timestamp {
        self.0.with(|now| now.wall)
    }
}

struct TheSleep(Arc<World>);

impl Sleep for TheSleep {
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        let world = Arc::clone(&self.0);
        Box::pin(poll_fn(move |_| {
            if world.with(|now| std::mem::take(&mut now.look)) { Poll::Ready(()) } else { Poll::Pending }
        }))
    }
}

struct Source(Arc<World>);

impl DataFeed for Source {
    fn name(&self) -> &str {
        "file"
    }

    async fn start(&mut self) -> Result<(), MarketDataError> {
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<MarketEvent>, MarketDataError> {
        poll_fn(|_| {
            self.0.with(|now| match now.coming.pop_front() {
                Some(event) => Poll::Ready(Ok(Some(event))),
                None if now.ended => Poll::Ready(Ok(None)),
                None => Poll::Pending,
            })
        })
        .await
    }

    async fn stop(&mut self) -> Result<(), MarketDataError> {
        Ok(())
    }

    fn stats(&self) -> FeedStats {
        FeedStats::default()
    }
}
