//! One client: its greeting, its messages with their answers, and what it is told.

use super::account;
use super::book::{MESSAGES_PER_SECOND, SharedBook};
use super::contracts::find;
use super::executions;
use super::history;
use super::message::{Asked, Said, asked, call_of};
use super::orders;
use super::prices;
use super::proto::{
    CommissionAndFeesReport, ContractDataEnd, CurrentTime, CurrentTimeInMillis, ManagedAccounts, NextValidId,
};
use super::read::greeting;
use super::render::{Told, both, completed, error, order_status, owner, status};
use super::spoil;
use super::tick_by_tick;
use super::wire::{Wire, agree, framed};
use crate::desk::{Desk, Event, FillRow, Row, What};
use crate::dialect::{Fields, Follower, Frame, Reply, Session, Trouble, Unreadable};
use crate::server::UNKNOWN_NAME;
use bytes::{Buf, Bytes, BytesMut};
use mts_foundation::double::{Call, WrongAnswer};
use mts_foundation::{Symbol, Timestamp};

/// What a client begins with; its versions follow as a frame.
pub(super) const GREETING: &[u8] = b"API\0";
/// Largest message of a client.
const MAX_MESSAGE: usize = 1 << 16;
/// Messages beyond the limit of rate after which a client is thrown out.
const MAX_VIOLATIONS: u32 = 3;
/// Most commissions that are still to be told.
const MAX_PENDING: usize = 10_000;
/// The client that is told of everybody's orders.
const MASTER: i32 = 0;

/// How far a client has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It has said nothing.
    New,
    /// It has greeted; its versions come next.
    Greeted,
    /// The version is agreed on.
    Agreed,
    /// It is in, under this id.
    In(i32),
}

/// One client's connection.
pub(super) struct Client {
    book: SharedBook,
    stage: Stage,
    wire: Wire,
    follows_positions: bool,
    follows_account: bool,
    pub(super) prices: prices::Tickers,
    ticks: tick_by_tick::Ticks,
    /// Commissions with the time from which on they are told.
    pending: Vec<(Timestamp, CommissionAndFeesReport)>,
    violations: u32,
}

impl Drop for Client {
    fn drop(&mut self) {
        if let Stage::In(id) = self.stage {
            self.book.lock().disconnect(id);
        }
    }
}

impl Client {
    pub(super) fn new(book: SharedBook) -> Self {
        Self {
            book,
            stage: Stage::New,
            wire: Wire::Text,
            follows_positions: false,
            follows_account: false,
            prices: prices::Tickers::default(),
            ticks: tick_by_tick::Ticks::default(),
            pending: Vec::new(),
            violations: 0,
        }
    }

    fn id(&self) -> Option<i32> {
        match self.stage {
            Stage::In(id) => Some(id),
            _ => None,
        }
    }

    /// Whether it may see an order.
    fn sees(&self, row: &Row) -> bool {
        self.id().is_some_and(|id| id == MASTER || id == owner(row).0)
    }

    fn frames(&self, said: &[Said]) -> Vec<Frame> {
        said.iter().map(|said| self.wire.write(said)).collect()
    }

    /// Answers the versions of a client, and remembers what was agreed on.
    fn agree(&mut self, desk: &Desk, message: &[u8], wrong: Option<WrongAnswer>) -> Vec<Frame> {
        let text = String::from_utf8_lossy(message);
        // Options of the connection may follow after a space.
        let versions = text.split([' ', '\0']).next().unwrap_or_default().strip_prefix('v');
        let versions = versions.map(|versions| versions.split_once("..").unwrap_or((versions, versions)));
        let agreed = versions.and_then(|(least, most)| agree(least.parse().ok()?, most.parse().ok()?));
        let Some((version, wire)) = agreed else { return vec![Frame::Close] };
        (self.stage, self.wire) = (Stage::Agreed, wire);
        let right = format!("{version}\0{}\0", greeting(desk.clock()));
        let answer = match wrong {
            None | Some(WrongAnswer::ExtraField) => right,
            Some(WrongAnswer::Empty) => String::new(),
            Some(WrongAnswer::Truncated) => right.get(..2).unwrap_or_default().to_owned(),
            Some(_) => format!("{UNKNOWN_NAME}\0{UNKNOWN_NAME}\0"),
        };
        vec![framed(answer.as_bytes())]
    }

    /// Lets a client in.
    fn start(&mut self, desk: &Desk, id: i32) -> Reply {
        let mut book = self.book.lock();
        if !book.connect(id) {
            let message =
                "Unable to connect as the client id is already in use. Retry with a unique client id.";
            let frames = vec![self.wire.write(&error(-1, 326, message, desk)), Frame::Close];
            return Reply { frames, waits: false };
        }
        self.stage = Stage::In(id);
        let farms = [
            (2_104, "Market data farm connection is OK:usfarm"),
            (2_106, "HMDS data farm connection is OK:ushmds"),
            (2_158, "Sec-def data farm connection is OK:secdefnj"),
        ];
        let accounts = ManagedAccounts { accounts_list: Some(book.account().to_owned()) };
        let next = NextValidId { order_id: Some(book.last_id(id) + 1) };
        drop(book);
        let mut said = vec![Said::ManagedAccounts(accounts), Said::NextValidId(next)];
        said.extend(farms.map(|(code, message)| error(-1, code, message, desk)));
        Reply { frames: self.frames(&said), waits: false }
    }

    /// What a message of a client that is in comes to.
    fn carry_out(&mut self, desk: &mut Desk, id: i32, asked: Asked) -> orders::Answer {
        let shared = self.book.clone();
        let mut book = shared.lock();
        let account = book.account().to_owned();
        let said = match asked {
            Asked::PlaceOrder(asked) => return orders::place(desk, &mut book, id, &asked),
            Asked::CancelOrder(asked) => orders::cancel(desk, &book, id, asked.order_id.unwrap_or_default()),
            Asked::GlobalCancel => orders::cancel_all(desk, id),
            Asked::OpenOrders => self.open_orders(desk, &account, |row| self.sees(row)),
            Asked::AllOpenOrders => self.open_orders(desk, &account, |_| true),
            Asked::CompletedOrders(_) => {
                let ended = desk.orders().iter().filter(|row| !row.state.works());
                let said = ended.filter_map(|row| completed(desk, row, &account));
                said.chain([Said::CompletedOrdersEnd]).collect()
            }
            Asked::Executions(asked) => {
                let told = Told { desk, account: &account, mark: book.mark() };
                executions::list(&told, &asked, |row| self.sees(row))
            }
            Asked::Positions => {
                self.follows_positions = true;
                account::positions(desk, &account)
            }
            Asked::CancelPositions => {
                self.follows_positions = false;
                Vec::new()
            }
            Asked::AccountSummary(asked) => account::summary(desk, &account, &asked),
            Asked::AccountData(asked) => {
                self.follows_account = asked.subscribe == Some(true);
                if self.follows_account {
                    account::data(desk, &account).into_iter().chain([account::data_end(&account)]).collect()
                } else {
                    Vec::new()
                }
            }
            Asked::AccountUpdatesMulti(asked) => {
                account::multi(desk, &account, asked.req_id, asked.ledger_and_nlv == Some(true))
            }
            Asked::ManagedAccounts => {
                vec![Said::ManagedAccounts(ManagedAccounts { accounts_list: Some(account) })]
            }
            Asked::Ids => vec![Said::NextValidId(NextValidId { order_id: Some(book.last_id(id) + 1) })],
            Asked::ContractData(asked) => match find(desk, &asked.contract.unwrap_or_default()) {
                Some(found) => vec![
                    Said::ContractData(Box::new(found.details(asked.req_id))),
                    Said::ContractDataEnd(ContractDataEnd { req_id: asked.req_id }),
                ],
                None => {
                    let message = "No security definition has been found for the request";
                    vec![error(asked.req_id.unwrap_or(-1), 200, message, desk)]
                }
            },
            Asked::MarketData(asked) => self.prices.begin(desk, &asked),
            Asked::CancelMarketData(asked) => {
                self.prices.end(asked.req_id.unwrap_or_default());
                Vec::new()
            }
            Asked::MarketDataType(asked) => {
                self.prices.kind = asked.market_data_type.unwrap_or(1);
                Vec::new()
            }
            Asked::TickByTick(asked) => self.ticks.begin(desk, &asked),
            Asked::CancelTickByTick(asked) => {
                self.ticks.end(asked.req_id.unwrap_or_default());
                Vec::new()
            }
            Asked::HistoricalData(asked) => {
                let mut said = history::bars(desk, &asked);
                // The text dialect has it in the same message as the bars.
                said.retain(|said| {
                    self.wire == Wire::Protobuf || !matches!(said, Said::HistoricalDataEnd(_))
                });
                said
            }
            Asked::HistoricalTicks(asked) => tick_by_tick::history(desk, &asked),
            Asked::CurrentTime => {
                let seconds = desk.clock().nanos() / 1_000_000_000;
                vec![Said::CurrentTime(CurrentTime { current_time: Some(seconds) })]
            }
            Asked::CurrentTimeInMillis => {
                let millis = desk.clock().nanos() / 1_000_000;
                vec![Said::CurrentTimeInMillis(CurrentTimeInMillis { current_time_in_millis: Some(millis) })]
            }
            // A second start, and what nobody needs an answer to.
            Asked::StartApi(_)
            | Asked::AutoOpenOrders
            | Asked::CancelAccountSummary(_)
            | Asked::CancelAccountUpdatesMulti(_)
            | Asked::CancelHistorical
            | Asked::LogLevel => Vec::new(),
            Asked::Other => vec![error(-1, 505, "Fatal Error: Unknown message id.", desk)],
        };
        (said, false)
    }

    fn open_orders(&self, desk: &Desk, account: &str, is: impl Fn(&Row) -> bool) -> Vec<Said> {
        let working = desk.working().filter(|row| is(row));
        working.flat_map(|row| both(desk, row, account, status(row))).chain([Said::OpenOrdersEnd]).collect()
    }

    /// What an event says to this client.
    fn said_of(&mut self, desk: &Desk, event: &Event) -> Vec<Said> {
        let row = &event.order;
        if !self.sees(row) {
            return Vec::new();
        }
        let shared = self.book.clone();
        let book = shared.lock();
        let account = book.account();
        let is_own = self.id() == Some(owner(row).0);
        let (now, average) = (status(row), row.average_price().unwrap_or_default());
        let told = Told { desk, account, mark: book.mark() };
        match &event.what {
            // The answer says so already.
            What::New | What::Amended | What::PendingCancel if is_own => Vec::new(),
            What::PendingCancel => vec![order_status(row, now)],
            What::New | What::Amended | What::Triggered => both(desk, row, account, now),
            What::Fill(fill) => {
                let mut said: Vec<Said> = told.execution(fill, row, average, -1).into_iter().collect();
                said.extend(both(desk, row, account, now));
                said.extend(self.commission(&told, fill));
                said.extend(self.holdings(desk, account, &fill.symbol));
                said
            }
            What::Canceled | What::Expired => {
                let why = row.reason.as_deref().unwrap_or_default();
                let code = error(owner(row).1, 202, format!("Order Canceled - reason:{why}"), desk);
                let status = order_status(row, now);
                if is_own { vec![status, code] } else { vec![status] }
            }
            What::Rejected => {
                let why = row.reason.as_deref().unwrap_or_default();
                let code = error(owner(row).1, 201, format!("Order rejected - reason:{why}"), desk);
                let said = both(desk, row, account, now);
                if is_own { [code].into_iter().chain(said).collect() } else { said }
            }
            What::Corrected => {
                let Some(fill) = &event.corrected else { return Vec::new() };
                let mut said: Vec<Said> = told.execution(fill, row, average, -1).into_iter().collect();
                said.extend(self.commission(&told, fill));
                said.extend(self.holdings(desk, account, &fill.symbol));
                said
            }
            What::Replaced | What::Busted => Vec::new(),
        }
    }

    /// What an execution has cost, now or later.
    fn commission(&mut self, told: &Told<'_>, fill: &FillRow) -> Option<Said> {
        let said = told.commission(fill);
        if fill.fees_known <= told.desk.now() {
            return Some(said);
        }
        if let Said::Commission(report) = said
            && self.pending.len() < MAX_PENDING
        {
            self.pending.push((fill.fees_known, report));
        }
        None
    }

    /// What one who follows positions or the account is told after a trade.
    fn holdings(&self, desk: &Desk, account: &str, symbol: &Symbol) -> Vec<Said> {
        let position = if self.follows_positions { account::position(desk, account, symbol) } else { None };
        let data = if self.follows_account { account::data(desk, account) } else { Vec::new() };
        position.into_iter().chain(data).collect()
    }
}

impl Follower for Client {
    fn hear(&mut self, _desk: &mut Desk, _text: &str) -> Vec<Frame> {
        Vec::new()
    }

    fn follows(&self) -> bool {
        self.id().is_some()
    }

    fn tell(&mut self, desk: &Desk, event: &Event) -> Vec<Frame> {
        let said = self.said_of(desk, event);
        self.frames(&said)
    }

    fn tell_strangely(&mut self, desk: &Desk, event: &Event, _fields: Fields) -> Vec<Frame> {
        let mut said = self.said_of(desk, event);
        said.iter_mut().for_each(spoil::rename);
        self.frames(&said)
    }

    fn after_loss(&mut self, desk: &Desk) -> Vec<Frame> {
        // Between clients and the gateway nothing is lost; between the gateway and the venue something may be.
        let lost = "Connectivity between IBKR and Trader Workstation has been lost.";
        let back = "Connectivity between IBKR and Trader Workstation has been restored - data lost.";
        self.frames(&[error(-1, 1_100, lost, desk), error(-1, 1_101, back, desk)])
    }

    fn heartbeat(&mut self, desk: &Desk) -> Vec<Frame> {
        if self.id().is_none() {
            return Vec::new();
        }
        let now = desk.now();
        let (due, pending) = std::mem::take(&mut self.pending).into_iter().partition(|(at, _)| *at <= now);
        self.pending = pending;
        let due: Vec<(Timestamp, CommissionAndFeesReport)> = due;
        let mut said: Vec<Said> = due.into_iter().map(|(_, report)| Said::Commission(report)).collect();
        said.extend(self.prices.news(desk));
        said.extend(self.ticks.news(desk));
        self.frames(&said)
    }

    fn unknown_message(&mut self, _desk: &Desk) -> Frame {
        self.wire.frame(190, b"since 2027\0")
    }

    fn frame(&self, text: String) -> Frame {
        // As the status of an order.
        self.wire.frame(3, text.as_bytes())
    }
}

impl Session for Client {
    fn split(&mut self, buffer: &mut BytesMut) -> Result<Option<Bytes>, Unreadable> {
        if self.stage == Stage::New {
            if buffer.len() < GREETING.len() {
                return Ok(None);
            }
            buffer.advance(GREETING.len());
            self.stage = Stage::Greeted;
        }
        let Some(length) = buffer.first_chunk::<4>() else { return Ok(None) };
        let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| Unreadable)?;
        if length > MAX_MESSAGE {
            return Err(Unreadable);
        }
        if buffer.len() < 4 + length {
            return Ok(None);
        }
        buffer.advance(4);
        Ok(Some(buffer.split_to(length).freeze()))
    }

    fn call_of(&self, message: &[u8]) -> Option<Call> {
        if matches!(self.stage, Stage::New | Stage::Greeted) {
            return Some(Call::Stream);
        }
        let (id, _) = self.wire.taken_apart(message)?;
        if id == asked::PLACE_ORDER
            && let (Some(client), Some(Asked::PlaceOrder(asked))) = (self.id(), self.wire.read(message))
            && self.book.lock().order(client, asked.order_id.unwrap_or_default()).is_some()
        {
            return Some(Call::Replace);
        }
        call_of(id)
    }

    fn heard(&self, message: &[u8]) -> (String, String) {
        if matches!(self.stage, Stage::New | Stage::Greeted) {
            return ("API".to_owned(), String::from_utf8_lossy(message).into_owned());
        }
        match (self.wire, self.wire.taken_apart(message)) {
            (_, None) => ("?".to_owned(), String::new()),
            (Wire::Text, Some((id, body))) => (id.to_string(), String::from_utf8_lossy(body).into_owned()),
            (Wire::Protobuf, Some((id, body))) => {
                (id.to_string(), body.iter().map(|byte| format!("{byte:02x}")).collect())
            }
        }
    }

    fn answer(&mut self, desk: &mut Desk, message: &[u8], wrong: Option<WrongAnswer>) -> Reply {
        let unreadable = |client: &Self, desk: &Desk| Reply {
            frames: vec![client.wire.write(&error(-1, 320, "Error reading request.", desk))],
            waits: false,
        };
        let id = match self.stage {
            Stage::New | Stage::Greeted => {
                return Reply { frames: self.agree(desk, message, wrong), waits: false };
            }
            Stage::Agreed => {
                return match self.wire.read(message) {
                    Some(Asked::StartApi(asked)) => self.start(desk, asked.client_id.unwrap_or_default()),
                    // Nothing goes before the start.
                    _ => Reply { frames: vec![Frame::Close], waits: false },
                };
            }
            Stage::In(id) => id,
        };
        let Some(asked) = self.wire.read(message) else { return unreadable(self, desk) };
        let too_many = self.book.lock().count(desk.now());
        if let Some(count) = too_many {
            self.violations += 1;
            let message = format!(
                "Max rate of messages per second has been exceeded:max={MESSAGES_PER_SECOND} rec={count} ({})",
                self.violations
            );
            let mut frames = self.frames(&[error(asked.id(), 100, message, desk)]);
            if self.violations >= MAX_VIOLATIONS {
                frames.push(Frame::Close);
            }
            return Reply { frames, waits: false };
        }
        let (said, waits) = self.carry_out(desk, id, asked);
        let frames = match wrong {
            None => self.frames(&said),
            Some(wrong) => spoil::frames(self.wire, said, wrong),
        };
        Reply { frames, waits }
    }

    fn trouble(&mut self, desk: &Desk, trouble: Trouble, message: &[u8]) -> Vec<Frame> {
        if self.id().is_none() {
            return vec![Frame::Close];
        }
        let asked = self.wire.read(message);
        let id = asked.as_ref().map_or(-1, Asked::id);
        let historical = matches!(asked, Some(Asked::HistoricalData(_) | Asked::HistoricalTicks(_)));
        let (code, text) = match trouble {
            Trouble::TooMany(_) if historical => {
                (162, "Historical Market Data Service error message:Historical data request pacing violation")
            }
            Trouble::TooMany(_) if matches!(asked, Some(Asked::TickByTick(_))) => {
                (420, "Invalid Real-time Query:Historical data request pacing violation")
            }
            Trouble::NotAuthorised if historical => {
                (162, "Historical Market Data Service error message:No market data permissions")
            }
            Trouble::NotAuthorised if matches!(asked, Some(Asked::MarketData(_) | Asked::TickByTick(_))) => {
                (354, "Requested market data is not subscribed.")
            }
            Trouble::Down(_) => (504, "Not connected"),
            Trouble::TooMany(_) => {
                (100, "Max rate of messages per second has been exceeded:max=50 rec=51 (1)")
            }
            Trouble::NotAuthorised => (
                321,
                "Error validating request.-'b' : cause - The API interface is currently in Read-Only mode.",
            ),
            Trouble::Strange => (29_999, "the moon is in the wrong house"),
        };
        self.frames(&[error(id, code, text, desk)])
    }
}
