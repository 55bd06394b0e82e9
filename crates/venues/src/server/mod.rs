//! The server: HTTP and WebSocket on this machine, in a thread of its own, so that the calls of a test are done when they
//! return and a drop ends everything. All faults are done here.

mod control;
mod faults;
mod http;
mod plain;
mod socket;
mod streams;
mod tls;

pub(crate) use self::http::{decoded, pairs};
use crate::desk::{Desk, not_possible};
use crate::dialect::{Dialect, Follower, Session};
use crate::{Options, StartError};
use bytes::Bytes;
use faults::Faults;
pub(crate) use faults::{UNKNOWN_NAME, with_unknown_name};
use mts_foundation::double::{
    Act, Call, DoubleAccount, DoubleFill, DoubleOrder, NotPossible, StreamFault, VenueDouble,
};
use mts_foundation::{Bar, Clock, Quote, Symbol, Trade};
use secrecy::SecretString;
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use streams::Streams;
use tls::Tls;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;

/// Most connections at once; further ones end at once.
const MAX_CONNECTIONS: usize = 256;
/// How often what takes effect later is looked at.
const TICK: Duration = Duration::from_millis(10);
/// Connections that wait to be taken.
const BACKLOG: u32 = 256;
/// Bytes that wait for a client at the system's: without a limit it keeps megabytes for who does not read.
const SEND_BUFFER: u32 = 1 << 18;

/// Most requests and messages of clients that are kept.
const MAX_HEARD: usize = 1_000;

/// A request, or with the method `MESSAGE` what a client said in a stream.
struct Heard {
    method: String,
    target: String,
    headers: Vec<(String, String)>,
    body: Bytes,
}

/// What the server and the test share.
struct Inner {
    desk: Desk,
    dialect: Box<dyn Dialect>,
    faults: Faults,
    streams: Streams<dyn Follower>,
    /// Clients on plain sockets.
    sessions: Streams<dyn Session>,
    calls: BTreeMap<Call, u64>,
    /// The open connections, by a number, and the last of these.
    connections: BTreeSet<u64>,
    last_connection: u64,
    outage: bool,
    /// What clients sent last, oldest first.
    heard: VecDeque<Heard>,
    /// A line for each request and act, for people.
    log: Option<Box<dyn std::io::Write + Send>>,
}

/// The state behind its lock, and who is told of changes.
struct Shared {
    inner: Mutex<Inner>,
    clock: Arc<dyn Clock>,
    changed: watch::Sender<u64>,
    host: String,
}

impl Shared {
    /// The state, with the time of now.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        let now = self.clock.now();
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.desk.set_time(now);
        inner
    }

    /// Wakes all connections and streams.
    fn wake(&self) {
        self.changed.send_modify(|count| *count += 1);
    }

    fn act(&self, act: &Act) -> Result<(), NotPossible> {
        let done = self.lock().act(act);
        self.wake();
        done
    }

    fn quote(&self, quote: &Quote) {
        self.lock().desk.quote(quote);
        self.wake();
    }

    fn bars(&self, bars: &[Bar]) {
        self.lock().desk.bars(bars);
        self.wake();
    }

    fn trades(&self, trades: &[Trade]) {
        let mut inner = self.lock();
        trades.iter().for_each(|trade| inner.desk.print(trade));
        drop(inner);
        self.wake();
    }
}

impl Inner {
    fn act(&mut self, act: &Act) -> Result<(), NotPossible> {
        self.dialect.possible(act)?;
        self.note(&format_args!("act {act:?}"));
        match act {
            Act::Call { call, fault, times } => {
                if !self.faults.add(*call, *fault, *times) {
                    return Err(not_possible(format!("too many faults wait for {call} already")));
                }
            }
            Act::Stream(fault) => self.fault(*fault),
            Act::Happen(happening) => {
                let Self { desk, dialect, .. } = self;
                let wanted = match happening {
                    mts_foundation::double::Happening::Correct { fill, .. }
                    | mts_foundation::double::Happening::Bust { fill } => Some(fill.clone()),
                    _ => None,
                };
                desk.happen(happening, |fill| wanted.is_some() && dialect.fill_id(fill) == wanted)?;
            }
            Act::CancelLosesRace => self.desk.lose_next_cancel(),
            Act::FillInParts(parts) => self.desk.fill_in_parts(*parts),
            Act::FillBeforeAnswer => self.desk.fill_before_answer(),
            Act::FeesLate(millis) if self.dialect.tells_fees_apart() => {
                self.desk.set_fees_late(Duration::from_millis(*millis));
            }
            Act::FeesLate(_) => return Err(not_possible("the venue tells fees with their fills")),
            Act::HistoryLate(millis) => self.desk.set_history_late(Duration::from_millis(*millis)),
            Act::Matching(matching) => self.desk.set_matching(*matching),
            Act::Outage(outage) => {
                self.outage = *outage;
                if *outage {
                    self.fault(StreamFault::Cut);
                    self.connections.clear();
                }
            }
            Act::Clock(millis) => self.desk.set_offset(*millis),
            Act::ExpireTokens => {
                self.dialect.expire_tokens();
                self.fault(StreamFault::Cut);
            }
        }
        Ok(())
    }

    /// The number of a new connection, unless there are too many.
    fn admit(&mut self) -> Option<u64> {
        if self.connections.len() >= MAX_CONNECTIONS {
            return None;
        }
        self.last_connection += 1;
        self.connections.insert(self.last_connection);
        Some(self.last_connection)
    }

    fn fault(&mut self, fault: StreamFault) {
        self.streams.fault(fault);
        self.sessions.fault(fault);
    }

    /// Keeps what a client sent.
    fn hear(&mut self, heard: Heard) {
        if self.heard.len() >= MAX_HEARD {
            self.heard.pop_front();
        }
        self.heard.push_back(heard);
    }

    /// Writes a line to the log, if there is one.
    fn note(&mut self, text: &dyn std::fmt::Display) {
        let at = self.desk.clock();
        if let Some(log) = &mut self.log
            && writeln!(log, "{at} {text}").and_then(|()| log.flush()).is_err()
        {
            // A log that cannot be written is given up; the double goes on.
            self.log = None;
        }
    }
}

/// A double that runs. Dropping it ends it.
pub struct Double {
    name: String,
    address: SocketAddr,
    control: SocketAddr,
    certificate: Option<String>,
    shared: Arc<Shared>,
    end: watch::Sender<bool>,
    thread: Option<JoinHandle<()>>,
}

impl Double {
    /// Starts a venue's double.
    pub(crate) fn run(dialect: Box<dyn Dialect>, desk: Desk, options: Options) -> Result<Self, StartError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()
            .map_err(StartError::Runtime)?;
        let listen = |port| {
            let _inside = runtime.enter();
            let at = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let listener = bound(at).and_then(|socket| socket.listen(BACKLOG));
            listener.map_err(|error| StartError::Listen { port, error })
        };
        let listener = listen(options.port)?;
        let address = listener.local_addr().map_err(StartError::Runtime)?;
        let aside = if dialect.speaks_first() { Some(listen(0)?) } else { None };
        let control = aside.as_ref().map_or(Ok(address), TcpListener::local_addr);
        let control = control.map_err(StartError::Runtime)?;
        let inner = Inner {
            desk,
            dialect,
            faults: Faults::default(),
            streams: Streams::default(),
            sessions: Streams::default(),
            calls: BTreeMap::new(),
            connections: BTreeSet::new(),
            last_connection: 0,
            outage: false,
            heard: VecDeque::new(),
            log: options.log,
        };
        let name = inner.dialect.name().to_owned();
        let (changed, _) = watch::channel(0);
        let shared = Arc::new(Shared {
            inner: Mutex::new(inner),
            clock: options.clock,
            changed,
            host: address.to_string(),
        });
        let (end, ended) = watch::channel(false);
        let tls = options.tls.then(Tls::new).transpose()?;
        let certificate = tls.as_ref().map(|tls| tls.certificate().to_owned());
        let served = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name(format!("double of {name}"))
            .spawn(move || {
                runtime.block_on(async move {
                    if let Some(aside) = aside {
                        tokio::spawn(serve_control(Arc::clone(&served), aside));
                    }
                    serve(served, listener, address, tls, ended).await;
                });
            })
            .map_err(StartError::Runtime)?;
        Ok(Self { name, address, control, certificate, shared, end, thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its control channel is: at the same address, unless the venue speaks first there.
    #[must_use]
    pub fn control(&self) -> SocketAddr {
        self.control
    }

    /// Bars of one instant that have ended: orders for instruments without quotes meet them, and who asks for bars of that
    /// length is given them.
    pub fn bars(&self, bars: &[Bar]) {
        self.shared.bars(bars);
    }

    /// Trades of others, which fill no order. A time after now counts as now; venues that number prints by their own time take now.
    pub fn trades(&self, trades: &[Trade]) {
        self.shared.trades(trades);
    }

    /// The certificate that clients must trust, in PEM, where it speaks TLS.
    #[must_use]
    pub fn certificate(&self) -> Option<&str> {
        self.certificate.as_deref()
    }
}

impl std::fmt::Debug for Double {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Double")
            .field("name", &self.name)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

impl Drop for Double {
    fn drop(&mut self) {
        self.end.send_replace(true);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has ended too.
            thread.join().unwrap_or_default();
        }
    }
}

/// A socket that holds the address and does not listen yet.
fn bound(at: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    // What is accepted there has it too.
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(at)?;
    Ok(socket)
}

/// The door: open, or held shut so that nobody can connect and nobody else takes the address.
enum Door {
    Open(TcpListener),
    /// Dropped when it opens again.
    Shut(Option<TcpSocket>),
}

async fn serve(
    shared: Arc<Shared>,
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Tls>,
    mut ended: watch::Receiver<bool>,
) {
    let mut changed = shared.changed.subscribe();
    let mut tick = tokio::time::interval(TICK);
    let mut door = Door::Open(listener);
    loop {
        let outage = shared.lock().outage;
        door = match door {
            Door::Open(listener) if outage => {
                drop(listener);
                Door::Shut(bound(address).ok())
            }
            Door::Shut(held) if !outage => {
                match held.map_or_else(|| bound(address), Ok).and_then(|socket| socket.listen(BACKLOG)) {
                    Ok(listener) => Door::Open(listener),
                    // Somebody has taken the address; it is asked for again with the next tick.
                    Err(_) => Door::Shut(None),
                }
            }
            door => door,
        };
        let accept = async {
            match &door {
                Door::Open(listener) => listener.accept().await,
                Door::Shut(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            accepted = accept => {
                let Ok((stream, _)) = accepted else { continue };
                let number = {
                    let mut inner = shared.lock();
                    if inner.outage { None } else { inner.admit() }
                };
                let Some(number) = number else { continue };
                stream.set_nodelay(true).unwrap_or_default();
                tokio::spawn(tls::connection(Arc::clone(&shared), number, stream, tls.clone()));
            }
            _ = changed.changed() => {}
            _ = tick.tick() => {
                let happened = {
                    let mut inner = shared.lock();
                    let Inner { desk, dialect, .. } = &mut *inner;
                    let happened = [desk.cancel_what_is_under_way(), desk.expire_what_is_due(), dialect.tick(desk)];
                    happened.contains(&true)
                };
                if happened {
                    shared.wake();
                }
            }
            _ = ended.changed() => return,
        }
    }
}

/// Serves the control channel where it has an address of its own, also while the venue is out.
async fn serve_control(shared: Arc<Shared>, listener: TcpListener) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let number = shared.lock().admit();
        if let Some(number) = number {
            tokio::spawn(http::connection(Arc::clone(&shared), number, stream));
        }
    }
}

impl VenueDouble for Double {
    fn name(&self) -> &str {
        &self.name
    }

    fn endpoints(&self) -> BTreeMap<SmolStr, String> {
        self.shared.lock().dialect.endpoints(&self.shared.host, false)
    }

    fn credentials(&self) -> BTreeMap<SmolStr, SecretString> {
        self.shared.lock().dialect.credentials()
    }

    fn symbols(&self) -> Vec<Symbol> {
        self.shared.lock().dialect.symbols()
    }

    fn quote(&self, quote: &Quote) {
        self.shared.quote(quote);
    }

    fn act(&self, act: &Act) -> Result<(), NotPossible> {
        self.shared.act(act)
    }

    fn orders(&self) -> Vec<DoubleOrder> {
        self.shared.lock().orders()
    }

    fn fills(&self) -> Vec<DoubleFill> {
        self.shared.lock().fills()
    }

    fn account(&self) -> DoubleAccount {
        self.shared.lock().account()
    }

    fn calls(&self, call: Call) -> u64 {
        self.shared.lock().calls.get(&call).copied().unwrap_or(0)
    }

    fn streams(&self) -> usize {
        self.shared.lock().following()
    }
}

impl Inner {
    fn following(&self) -> usize {
        self.streams.following() + self.sessions.following()
    }

    fn orders(&self) -> Vec<DoubleOrder> {
        self.desk.orders().iter().map(crate::desk::Row::as_double).collect()
    }

    fn fills(&self) -> Vec<DoubleFill> {
        let kept = self.desk.fills().iter().filter(|fill| !fill.busted);
        kept.filter_map(|fill| {
            Some(DoubleFill {
                id: self.dialect.fill_id(fill)?,
                order: fill.order_id.clone(),
                symbol: fill.symbol.clone(),
                bought: fill.bought,
                quantity: fill.quantity,
                price: fill.price,
                fees: fill.fees,
                time: fill.time,
            })
        })
        .collect()
    }

    fn account(&self) -> DoubleAccount {
        let held = self.desk.positions().iter().map(|(symbol, held)| (symbol.clone(), held.quantity));
        DoubleAccount {
            cash: self.desk.cash(),
            positions: held.filter(|(_, quantity)| !quantity.is_zero()).collect(),
        }
    }
}
