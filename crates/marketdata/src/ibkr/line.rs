//! Ticks of some instruments over one connection, as a feed: asked for one by one, and again when they were lost.

use super::asks::{Ask, Item, Tick, Ticks, What, subscribe};
use super::gateway::{IbkrGateway, Prices, words};
use super::health::{Change, Health, Refusal, refusal};
use super::level::{Level, Print, Side, print_of, sides_of};
use futures_util::stream::{SelectAll, StreamExt as _};
use ibapi::contracts::Contract;
use ibapi::subscriptions::{NoticeStream, SubscriptionItem};
use ibapi::{Client, Error, Notice, SUBSCRIPTION_LAG_CODE};
use mts_foundation::broker::BoxFuture;
use mts_foundation::market_data::{DataFeed, FeedStats, MarketDataError, MarketEvent, StaleCause};
use mts_foundation::{Quote, Symbol, Timestamp, Trade};
use smol_str::SmolStr;
use std::collections::{BTreeSet, VecDeque};
use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

/// Most complaints of TWS that are kept.
const MAX_COMPLAINTS: usize = 100;
/// How long an instrument waits that was refused for a while.
const AGAIN: Duration = Duration::from_secs(30);
const SHORTEST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What is wanted of each instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Best prices.
    Quotes,
    /// Best prices and prints, as TWS sums them up.
    Level,
    /// Each print and each change of the best prices.
    TickByTick,
}

enum State {
    /// No connection, and the next attempt at this time.
    Waits(Duration),
    Connects(BoxFuture<'static, Result<Arc<Client>, Error>>),
    Open(Box<Open>),
}

/// A connection with what it is asked.
struct Open {
    client: Arc<Client>,
    notices: NoticeStream,
    health: Health,
    /// What is still to be asked for.
    queue: VecDeque<Ask>,
    asking: Option<BoxFuture<'static, (Ask, Result<Ticks, Error>)>>,
    ticks: SelectAll<Ticks>,
    /// What is asked for again later, and when.
    again: VecDeque<(Duration, Ask)>,
    /// Asks TWS whether it is there: its answer shows that it has read what was asked before.
    beat: Option<BoxFuture<'static, Result<(), Error>>>,
    /// Whether something was asked for since the last beat began.
    unread: bool,
    /// Whether TWS has read all that was asked for.
    read: bool,
    /// When something was heard last.
    heard: Duration,
}

enum Woken {
    Tick(Item),
    Notice(Option<Notice>),
    Asked(Ask, Result<Ticks, Error>),
    Beaten(Result<(), Error>),
    Time,
}

struct Instrument {
    symbol: Symbol,
    contract: Contract,
    level: Level,
}

/// See the module. No task is spawned here; a dropped call loses nothing.
pub(super) struct Line {
    gateway: Arc<IbkrGateway>,
    instruments: Vec<Instrument>,
    wanted: Wanted,
    state: State,
    /// A connection that is to be ended before another one is made.
    bad: Option<Arc<Client>>,
    /// What was refused for good.
    refused: BTreeSet<Ask>,
    ready: VecDeque<MarketEvent>,
    /// When something came last.
    covered: Timestamp,
    /// Whose prices were said to be stale.
    stale: BTreeSet<usize>,
    /// Until when all was heard, once prices were said to be stale.
    interrupted: Option<Timestamp>,
    tries: u32,
    complaints: Complaints,
    stats: FeedStats,
}

/// What TWS complained about without ending the feed, the first of it: a line and whoever asks share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Complaints(Arc<Mutex<Vec<String>>>);

impl Complaints {
    pub(super) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A quote of both sides.
pub(super) fn quote_of(
    gateway: &IbkrGateway,
    symbol: &Symbol,
    [bid, ask]: [Side; 2],
    timestamp: Timestamp,
) -> Quote {
    Quote {
        symbol: symbol.clone(),
        bid: bid.0,
        ask: ask.0,
        bid_size: bid.1,
        ask_size: ask.1,
        venue: gateway.venue.clone(),
        timestamp,
    }
}

impl Line {
    /// # Errors
    /// [`MarketDataError::Unsupported`] for an instrument that has no name there, and for none at all.
    pub(super) fn new(
        gateway: Arc<IbkrGateway>,
        symbols: &[Symbol],
        wanted: Wanted,
    ) -> Result<Self, MarketDataError> {
        let symbols: BTreeSet<&Symbol> = symbols.iter().collect();
        if symbols.is_empty() {
            return Err(gateway.lacks("ticks of nothing; name at least one symbol"));
        }
        let now = gateway.clock.now();
        let instrument = |symbol: &Symbol| {
            let (symbol, contract) = (symbol.clone(), gateway.contract(symbol)?);
            Ok(Instrument { symbol, contract, level: Level::new(now) })
        };
        let instruments = symbols.into_iter().map(instrument).collect::<Result<Vec<_>, MarketDataError>>()?;
        let stats = FeedStats { symbols: instruments.len() as u64, ..FeedStats::default() };
        Ok(Self {
            gateway,
            instruments,
            wanted,
            state: State::Waits(Duration::ZERO),
            bad: None,
            refused: BTreeSet::new(),
            ready: VecDeque::new(),
            covered: now,
            stale: BTreeSet::new(),
            interrupted: None,
            tries: 0,
            complaints: Complaints::default(),
            stats,
        })
    }

    /// Where its complaints are told.
    pub(super) fn complaints(&self) -> Complaints {
        self.complaints.clone()
    }

    fn mono(&self) -> Duration {
        self.gateway.clock.monotonic()
    }

    fn now(&self) -> Timestamp {
        self.gateway.clock.now()
    }

    fn complain(&self, what: String) {
        let mut complaints = self.complaints.0.lock().unwrap_or_else(PoisonError::into_inner);
        if complaints.len() < MAX_COMPLAINTS {
            complaints.push(what);
        }
    }

    fn symbol(&self, place: usize) -> &str {
        self.instruments.get(place).map_or("", |instrument| instrument.symbol.as_str())
    }

    fn what(&self) -> &'static [What] {
        match self.wanted {
            Wanted::Quotes | Wanted::Level => &[What::Level],
            Wanted::TickByTick => &[What::Prints, What::Touch],
        }
    }

    /// All that is wanted and was not refused for good.
    fn all(&self) -> VecDeque<Ask> {
        let asks =
            (0..self.instruments.len()).flat_map(|place| self.what().iter().map(move |what| (place, *what)));
        asks.filter(|ask| !self.refused.contains(ask)).collect()
    }

    /// Prices of these are not to be trusted from here on.
    fn interrupt(&mut self, places: impl IntoIterator<Item = usize>) {
        let before = self.stale.len();
        self.stale.extend(places);
        if self.stale.len() == before {
            return;
        }
        let since = *self.interrupted.get_or_insert(self.covered);
        let stale = self.stale.iter().filter_map(|place| self.instruments.get(*place));
        let symbols = stale.map(|instrument| instrument.symbol.clone()).collect();
        let (venue, cause) = (self.gateway.venue.clone(), StaleCause::Interrupted);
        self.ready.push_back(MarketEvent::Stale { venue, since, symbols, cause });
    }

    /// Prices flow again.
    fn recover(&mut self) {
        let now = self.now();
        self.stale.clear();
        if let Some(from) = self.interrupted.take() {
            let venue = self.gateway.venue.clone();
            self.ready.push_back(MarketEvent::Recovered { venue: venue.clone(), time: now });
            self.ready.push_back(MarketEvent::Gap { venue, from, to: now });
        }
        self.covered = now;
    }

    /// The connection is over; `bad` = it does not answer, and is ended first.
    fn lose(&mut self, why: &Error, bad: bool) {
        self.complain(words(why, &self.gateway.settings));
        self.interrupt(0..self.instruments.len());
        let pause = SHORTEST_PAUSE.saturating_mul(1 << self.tries.min(10)).min(LONGEST_PAUSE);
        self.tries = self.tries.saturating_add(1);
        let waits = State::Waits(self.mono().saturating_add(pause));
        if let State::Open(open) = std::mem::replace(&mut self.state, waits)
            && bad
        {
            self.bad = Some(open.client);
        }
    }

    fn connect(&mut self) {
        let (gateway, bad) = (Arc::clone(&self.gateway), self.bad.take());
        self.state = State::Connects(Box::pin(async move {
            if let Some(bad) = bad {
                gateway.give_up(&bad).await;
            }
            gateway.client().await
        }));
    }

    fn opened(&mut self, client: Arc<Client>) -> Result<(), Error> {
        let open = Open {
            notices: client.notice_stream()?,
            client,
            health: Health::default(),
            queue: self.all(),
            asking: None,
            ticks: SelectAll::new(),
            again: VecDeque::new(),
            beat: None,
            unread: true,
            read: false,
            heard: self.mono(),
        };
        self.state = State::Open(Box::new(open));
        self.anew();
        Ok(())
    }

    /// What comes from here on follows on nothing.
    fn anew(&mut self) {
        let now = self.now();
        self.instruments.iter_mut().for_each(|instrument| instrument.level.begin_anew(now));
    }

    /// Takes what an instrument says.
    fn take(&mut self, place: usize, tick: &Tick) {
        let (delayed, now) = (self.gateway.settings.prices == Prices::Delayed, self.now());
        let prints = self.wanted != Wanted::Quotes;
        let Some(instrument) = self.instruments.get_mut(place) else { return };
        let (symbol, venue) = (instrument.symbol.clone(), self.gateway.venue.clone());
        let trade = |Print { price, size, time: timestamp }| {
            MarketEvent::Trade(Trade { trade_id: SmolStr::default(), symbol, price, size, venue, timestamp })
        };
        let print = match tick {
            Tick::Level(tick) => instrument.level.take(tick, delayed).filter(|_| prints),
            Tick::Print(told) => print_of(told),
            Tick::Touch(told) => {
                if let Some((sides, time)) = sides_of(told) {
                    let quote = quote_of(&self.gateway, &instrument.symbol, sides, time);
                    self.ready.push_back(MarketEvent::Quote(quote));
                }
                return;
            }
        };
        if let Some(sides) = instrument.level.news() {
            let quote = quote_of(&self.gateway, &instrument.symbol, sides, now);
            self.ready.push_back(MarketEvent::Quote(quote));
        }
        self.ready.extend(print.map(trade));
    }

    /// Takes that the ticks of an instrument are over.
    fn ended(&mut self, (place, what): Ask, error: &Error) -> Result<(), Lost> {
        match error {
            Error::ConnectionReset | Error::ConnectionFailed | Error::Shutdown | Error::Io(_) => {
                return Err(Lost);
            }
            // By ourselves.
            Error::Cancelled => return Ok(()),
            _ => {}
        }
        let why = words(error, &self.gateway.settings);
        self.complain(format!("{}: {why}", self.symbol(place)));
        if matches!(error, Error::Notice(notice) if refusal(notice.code) == Refusal::Final) {
            self.refused.insert((place, what));
            if self.all().is_empty() {
                let message = format!("TWS has none of the symbols; the last one it refused: {why}");
                self.stats.running = false;
                self.ready.push_back(MarketEvent::Fatal { venue: self.gateway.venue.clone(), message });
            }
            return Ok(());
        }
        let at = self.mono().saturating_add(AGAIN);
        if let State::Open(open) = &mut self.state {
            open.again.push_back((at, (place, what)));
        }
        self.interrupt([place]);
        Ok(())
    }

    fn hear(&mut self, woken: Woken) -> Result<(), (Error, bool)> {
        let now = self.mono();
        let State::Open(open) = &mut self.state else { return Ok(()) };
        if !matches!(woken, Woken::Time) {
            open.heard = now;
        }
        let lost = |Lost| (Error::ConnectionReset, false);
        match woken {
            Woken::Tick((ask, Ok(SubscriptionItem::Data(tick)))) => {
                if self.interrupted.is_none() {
                    self.covered = self.now();
                }
                self.take(ask.0, &tick);
            }
            Woken::Tick((ask, Ok(SubscriptionItem::Notice(notice)))) => {
                if notice.code == SUBSCRIPTION_LAG_CODE {
                    let (venue, from, to) = (self.gateway.venue.clone(), self.covered, self.now());
                    self.ready.push_back(MarketEvent::Gap { venue, from, to });
                }
                let told = words(&Error::Notice(notice), &self.gateway.settings);
                self.complain(format!("{}: {told}", self.symbol(ask.0)));
            }
            Woken::Tick((ask, Err(error))) => self.ended(ask, &error).map_err(lost)?,
            Woken::Asked(ask, asked) => {
                open.asking = None;
                match asked {
                    Ok(ticks) => open.ticks.push(ticks),
                    Err(error) => self.ended(ask, &error).map_err(lost)?,
                }
            }
            Woken::Notice(None) => return Err(lost(Lost)),
            Woken::Notice(Some(notice)) => match open.health.hear(&notice) {
                Change::None => {}
                Change::Stale => self.interrupt(0..self.instruments.len()),
                Change::Well => self.settle(),
                Change::Ask => {
                    open.ticks.clear();
                    (open.asking, open.again) = (None, VecDeque::new());
                    self.interrupt(0..self.instruments.len());
                    let all = self.all();
                    if let State::Open(open) = &mut self.state {
                        (open.queue, open.unread, open.read) = (all, true, false);
                    }
                    self.anew();
                }
                Change::Over => return Err((Error::Notice(notice), true)),
            },
            Woken::Beaten(beaten) => {
                open.beat = None;
                beaten.map_err(|error| (error, true))?;
                open.read = !open.unread;
                // A quiet market is no gap.
                if self.interrupted.is_none() {
                    self.covered = self.gateway.clock.now();
                }
                self.settle();
            }
            Woken::Time => {
                while let Some((_, ask)) = open.again.pop_front_if(|(at, _)| *at <= now) {
                    if let Some(instrument) = self.instruments.get_mut(ask.0) {
                        instrument.level.begin_anew(self.gateway.clock.now());
                    }
                    open.queue.push_back(ask);
                    (open.unread, open.read) = (true, false);
                }
            }
        }
        Ok(())
    }

    /// When TWS has read all that was asked for, and nothing is lost or refused for a while, prices flow.
    fn settle(&mut self) {
        if let State::Open(open) = &self.state
            && open.read
            && open.again.is_empty()
            && open.health.is_well()
        {
            self.tries = 0;
            self.recover();
        }
    }

    /// Asks for what is next, and whether TWS is there.
    fn work(&mut self) {
        let now = self.mono();
        let beat_every = Duration::from_millis(self.gateway.settings.beat_every_ms.max(1));
        let State::Open(open) = &mut self.state else { return };
        if open.asking.is_none()
            && let Some(ask) = open.queue.pop_front()
            && let Some(instrument) = self.instruments.get(ask.0)
        {
            let (client, contract) = (Arc::clone(&open.client), instrument.contract.clone());
            let prints = self.wanted == Wanted::Level;
            open.unread = true;
            open.asking =
                Some(Box::pin(async move { (ask, subscribe(&client, &contract, ask, prints).await) }));
        }
        let asked = open.unread && open.queue.is_empty() && open.asking.is_none();
        if open.beat.is_none() && (asked || now.saturating_sub(open.heard) >= beat_every) {
            open.unread &= !asked;
            let (client, gateway) = (Arc::clone(&open.client), Arc::clone(&self.gateway));
            open.beat = Some(Box::pin(async move { gateway.within(client.server_time()).await.map(drop) }));
        }
    }

    /// Waits for what comes next, and takes it.
    async fn step(&mut self) {
        self.work();
        let now = self.mono();
        let beat_every = Duration::from_millis(self.gateway.settings.beat_every_ms.max(1));
        let gateway = Arc::clone(&self.gateway);
        let woken = match &mut self.state {
            State::Waits(until) => {
                gateway.sleep.sleep(until.saturating_sub(now)).await;
                return self.connect();
            }
            State::Connects(connecting) => {
                let connected = poll_fn(|context| connecting.as_mut().poll(context)).await;
                return match connected.and_then(|client| self.opened(client)) {
                    Ok(()) => {}
                    Err(error) => self.lose(&error, false),
                };
            }
            State::Open(open) => {
                let again = open.again.front().map(|(at, _)| *at);
                let beat = open.beat.is_none().then(|| open.heard.saturating_add(beat_every));
                let until = again.into_iter().chain(beat).min();
                let mut sleep = until.map(|until| gateway.sleep.sleep(until.saturating_sub(now)));
                let Open { notices, asking, ticks, beat, .. } = &mut **open;
                let mut notice = pin!(notices.next());
                poll_fn(|context| {
                    // What is said of the connection goes first: prices that follow on it are told after it.
                    if let Poll::Ready(notice) = notice.as_mut().poll(context) {
                        return Poll::Ready(Woken::Notice(notice));
                    }
                    if let Poll::Ready(Some(item)) = ticks.poll_next_unpin(context) {
                        return Poll::Ready(Woken::Tick(item));
                    }
                    if let Some(asking) = asking
                        && let Poll::Ready((ask, asked)) = asking.as_mut().poll(context)
                    {
                        return Poll::Ready(Woken::Asked(ask, asked));
                    }
                    if let Some(beat) = beat
                        && let Poll::Ready(beaten) = beat.as_mut().poll(context)
                    {
                        return Poll::Ready(Woken::Beaten(beaten));
                    }
                    match &mut sleep {
                        Some(sleep) => sleep.as_mut().poll(context).map(|()| Woken::Time),
                        None => Poll::Pending,
                    }
                })
                .await
            }
        };
        if let Err((error, bad)) = self.hear(woken) {
            self.lose(&error, bad);
        }
    }
}

/// The connection is lost.
struct Lost;

impl DataFeed for Line {
    fn name(&self) -> &str {
        self.gateway.venue.as_str()
    }

    async fn start(&mut self) -> Result<(), MarketDataError> {
        if !self.stats.running {
            self.stats.running = true;
            self.tries = 0;
            self.refused.clear();
            self.covered = self.interrupted.unwrap_or_else(|| self.now());
            self.connect();
        }
        Ok(())
    }

    async fn next(&mut self) -> Result<Option<MarketEvent>, MarketDataError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
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

    /// Its subscriptions end, the connection is the gateway's. Started again, what was missed meanwhile is a gap.
    async fn stop(&mut self) -> Result<(), MarketDataError> {
        if self.stats.running {
            self.stats.running = false;
            if matches!(self.state, State::Open(_)) && self.interrupted.is_none() {
                self.interrupted = Some(self.covered);
            }
            self.state = State::Waits(Duration::ZERO);
        }
        Ok(())
    }

    fn stats(&self) -> FeedStats {
        self.stats
    }
}
