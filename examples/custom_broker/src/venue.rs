//! The double: Acme's desk, and what a test may do to it.

use super::feed::{Feed, Line, pair};
use super::wire::{
    AcmeFill, AcmeOrder, Activity, Balance, Named, News, Orders, Page, Positions, Touch, Units, What,
    canonical, native,
};
use mts_foundation::double::{
    Act, Call, CallFault, DoubleAccount, DoubleFill, DoubleOrder, Happening, NotPossible, StreamFault,
    VenueDouble, WrongAnswer,
};
use mts_foundation::{
    BrokerOrderId, Decimal, FillId, OrderState, OrderType, PositionBook, Quote, Symbol, TimeInForce,
    Timestamp,
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

/// The instruments that trade at Acme.
const SYMBOLS: [&str; 3] = ["AAPL", "BRK.B", "BTC-USD"];
/// The secret that it takes.
const SECRET: &str = "acme-s3cret-7Hq/canary+0193";
/// Activities on one page.
const PAGE: usize = 100;
/// Cash of the account at the start.
const CASH: i64 = 1_000_000;

/// What a client sees of one request.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
    pub retry_after: Option<u32>,
    /// Acme's time.
    pub time: Timestamp,
}

/// Why it sees nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// There was no connection: nothing has left.
    Refused,
    /// The connection ended after the request had left.
    Ended,
}

#[derive(Debug, Default)]
struct Desk {
    orders: Vec<AcmeOrder>,
    activities: Vec<Activity>,
    /// Fills as they are now, with their orders.
    fills: Vec<(AcmeFill, BrokerOrderId, Decimal)>,
    lines: Vec<Line>,
    quotes: BTreeMap<String, Touch>,
    calls: BTreeMap<Call, u64>,
    faults: Vec<(Call, CallFault)>,
    token: u64,
    skew_millis: i64,
    outage: bool,
    not_matching: bool,
    loses_race: bool,
    in_parts: u32,
    before_answer: bool,
    fees_late: u64,
}

/// Acme on this machine. Clients hold it by [`AcmeDouble::venue`].
#[derive(Debug)]
pub struct AcmeDouble {
    venue: Arc<Venue>,
}

/// Where requests go.
#[derive(Debug, Default)]
pub struct Venue(Mutex<Desk>);

fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::EPOCH.plus(since)
}

fn text<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

impl Venue {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request, with what goes wrong on the way.
    pub async fn request(self: &Arc<Self>, call: Call, token: &str, body: String) -> Result<Answer, Lost> {
        let (fault, answer) = {
            let mut desk = self.desk();
            if desk.outage {
                return Err(Lost::Refused);
            }
            *desk.calls.entry(call).or_default() += 1;
            let place = desk.faults.iter().position(|(kind, _)| *kind == call);
            let fault = place.map(|place| desk.faults.remove(place).1);
            (fault, desk.answer(self, call, fault, token, &body))
        };
        let Some(fault) = fault else { return Ok(answer) };
        match fault {
            CallFault::NotRead | CallFault::AnswerLost | CallFault::AnswerCut => Err(Lost::Ended),
            CallFault::Silent | CallFault::Ignored => std::future::pending().await,
            CallFault::Late { by_millis } => {
                tokio::time::sleep(Duration::from_millis(by_millis)).await;
                Ok(answer)
            }
            CallFault::DownAfter { status } => Ok(Answer { status, body: "it broke".to_owned(), ..answer }),
            CallFault::Wrong(kind) => Ok(Answer { body: wrong(kind, &answer.body), ..answer }),
            _ => Ok(answer),
        }
    }

    /// Opens a stream.
    pub fn listen(&self, token: &str) -> Result<Feed, Lost> {
        let mut desk = self.desk();
        if desk.outage || !desk.knows(token) {
            return Err(Lost::Refused);
        }
        let (line, feed) = pair();
        desk.lines.push(line);
        Ok(feed)
    }
}

/// An answer that cannot be right, made of one that is.
fn wrong(kind: WrongAnswer, body: &str) -> String {
    fn walk(value: &mut Value, change: &dyn Fn(&str, &mut Value)) {
        match value {
            Value::Object(fields) => fields.iter_mut().for_each(|(name, field)| {
                change(name, field);
                walk(field, change);
            }),
            Value::Array(values) => values.iter_mut().for_each(|value| walk(value, change)),
            _ => {}
        }
    }
    let set = |names: &'static [&'static str], with: Value| {
        let mut value: Value = serde_json::from_str(body).unwrap_or_default();
        walk(&mut value, &|name, field| {
            if names.contains(&name) {
                *field = with.clone();
            }
        });
        value.to_string()
    };
    match kind {
        WrongAnswer::Empty => String::new(),
        WrongAnswer::Html => "<html><body>Acme will be back soon</body></html>".to_owned(),
        WrongAnswer::Truncated => body.chars().take(body.len() / 2).collect(),
        WrongAnswer::OtherType => set(&["quantity", "units", "cash"], Value::from(vec![1])),
        WrongAnswer::HugeNumber => set(&["quantity", "units", "cash"], "1e400".into()),
        WrongAnswer::UnknownName => set(&["state"], "hovering".into()),
        WrongAnswer::OtherOrder => set(&["id", "client_id"], "other".into()),
        WrongAnswer::ExtraField => body.replacen('{', "{\"weather\":{\"fine\":true},", 1),
    }
}

impl Desk {
    fn now(&self) -> Timestamp {
        Timestamp::from_nanos(now().nanos() + self.skew_millis * 1_000_000)
    }

    fn knows(&self, token: &str) -> bool {
        token == format!("{SECRET}#{}", self.token)
    }

    fn reply<T: Serialize>(&self, status: u16, value: &T) -> Answer {
        Answer { status, body: text(value), retry_after: None, time: self.now() }
    }

    /// Does what is asked for, unless the fault says that it does not.
    fn answer(
        &mut self,
        venue: &Arc<Venue>,
        call: Call,
        fault: Option<CallFault>,
        token: &str,
        body: &str,
    ) -> Answer {
        match fault {
            Some(CallFault::NotRead | CallFault::Ignored) => return self.reply(500, &""),
            Some(CallFault::Down { status }) => return self.reply(status, &"down"),
            Some(CallFault::NotAuthorised) => return self.reply(401, &"not let in"),
            Some(CallFault::StrangeRefusal) => return self.reply(422, &"the moon is full"),
            Some(CallFault::TooMany { retry_after }) => {
                return Answer { retry_after, ..self.reply(429, &"too many") };
            }
            _ => {}
        }
        if call == Call::Login {
            let right = serde_json::from_str::<String>(body).is_ok_and(|secret| secret == SECRET);
            return if right { self.reply(200, &self.token) } else { self.reply(401, &"wrong secret") };
        }
        if call != Call::Time && !self.knows(token) {
            return self.reply(401, &"no such token");
        }
        match call {
            Call::Submit => self.read(body, |desk, order| desk.submit(venue, order)),
            Call::Cancel => self.read(body, |desk, id| desk.cancel(venue, &id)),
            Call::Order => self.read(body, |desk, named| match desk.named(&named) {
                Some(order) => desk.reply(200, order),
                None => desk.reply(404, &"no such order"),
            }),
            Call::Orders => {
                let orders = self.orders.iter().filter(|order| !order.state.is_terminal()).cloned().collect();
                self.reply(200, &Orders { orders })
            }
            Call::Fills => self.read(body, |desk, after: u64| {
                let activities = desk.activities.iter().filter(|activity| activity.number > after);
                let activities = activities.take(PAGE).cloned().collect();
                desk.reply(200, &Page { activities, newest: desk.activities.len() as u64 })
            }),
            Call::Positions => {
                let unit = |(symbol, held): (&Symbol, &mts_foundation::position::Holding)| Units {
                    instrument: native(symbol),
                    units: held.quantity,
                    average: held.average_price,
                };
                self.reply(200, &Positions { positions: self.book().iter().map(unit).collect() })
            }
            Call::Account => {
                let (cash, held) = (self.cash(), self.book().market_value());
                self.reply(200, &Balance { cash, equity: cash + held })
            }
            Call::Prices => self.read(body, |desk, instrument: String| match desk.quotes.get(&instrument) {
                Some(quote) => desk.reply(200, quote),
                None => desk.reply(404, &"no such instrument"),
            }),
            _ => self.reply(200, &""),
        }
    }

    fn read<T: DeserializeOwned>(&mut self, body: &str, then: impl FnOnce(&mut Self, T) -> Answer) -> Answer {
        match serde_json::from_str(body) {
            Ok(request) => then(self, request),
            Err(error) => self.reply(400, &error.to_string()),
        }
    }

    fn named(&self, named: &Named) -> Option<&AcmeOrder> {
        self.orders.iter().find(|order| match named {
            Named::Id(id) => order.id == *id,
            Named::ClientId(id) => order.client_id == *id,
        })
    }

    fn tell(&mut self, news: &News) {
        self.lines.retain(Line::open);
        for line in &mut self.lines {
            line.send(news);
        }
    }

    fn happened(&mut self, what: What) {
        let activity = Activity { number: self.activities.len() as u64 + 1, time: self.now(), what };
        self.activities.push(activity.clone());
        self.tell(&News::Activity(activity));
    }

    fn submit(&mut self, venue: &Arc<Venue>, mut order: AcmeOrder) -> Answer {
        if let Some(known) = self.orders.iter().find(|known| known.client_id == order.client_id) {
            return self.reply(409, known);
        }
        if !SYMBOLS
            .iter()
            .any(|name| canonical(&order.instrument).is_some_and(|symbol| symbol.as_str() == *name))
        {
            return self.reply(422, &"no such instrument");
        }
        if order.quantity > Decimal::from(CASH) {
            return self.reply(422, &"not enough cash");
        }
        let Ok(id) = BrokerOrderId::new(format!("acme-{}", self.orders.len() + 1)) else {
            return self.reply(500, &"no id");
        };
        order.id = id.clone();
        order.time = self.now();
        self.orders.push(order.clone());
        let early = std::mem::take(&mut self.before_answer);
        let parts = std::mem::take(&mut self.in_parts);
        if early || parts > 0 {
            let part = order.quantity / Decimal::from(parts.max(1));
            (0..parts.max(1)).for_each(|_| self.fill(venue, &id, part, None));
        }
        self.tell(&News::Order(order.clone()));
        self.cross(venue);
        // The acknowledgement is of the moment of its acceptance.
        self.reply(200, &order)
    }

    fn cancel(&mut self, venue: &Arc<Venue>, id: &BrokerOrderId) -> Answer {
        let open = |order: &AcmeOrder| order.id == *id && !order.state.is_terminal();
        if let Some(rest) =
            self.orders.iter().find(|order| open(order)).map(|order| order.quantity - order.filled)
        {
            if std::mem::take(&mut self.loses_race) {
                self.fill(venue, id, rest, None);
                return self.reply(202, &"taken");
            }
            self.end(id, OrderState::Canceled);
        }
        match self.named(&Named::Id(id.clone())) {
            Some(order) => self.reply(200, order),
            None => self.reply(404, &"no such order"),
        }
    }

    fn end(&mut self, id: &BrokerOrderId, state: OrderState) {
        let time = self.now();
        let order = self.orders.iter_mut().find(|order| order.id == *id && !order.state.is_terminal());
        if let Some(order) = order {
            (order.state, order.time) = (state, time);
            order.reason = Some("it was ended".into());
            let order = order.clone();
            self.tell(&News::Order(order));
        }
    }

    fn fill(&mut self, venue: &Arc<Venue>, id: &BrokerOrderId, quantity: Decimal, price: Option<Decimal>) {
        let (time, number) = (self.now(), self.fills.len() + 1);
        let quotes = self.quotes.clone();
        let Some(order) = self.orders.iter_mut().find(|order| order.id == *id && !order.state.is_terminal())
        else {
            return;
        };
        let touch = quotes.get(&order.instrument).map(|quote| if order.buys { quote.ask } else { quote.bid });
        let (Some(price), Ok(fill)) =
            (price.or(order.limit).or(touch), FillId::new(format!("acme-fill-{number}")))
        else {
            return;
        };
        let so_far = order.average.unwrap_or_default() * order.filled + price * quantity;
        order.filled += quantity;
        order.average = so_far.checked_div(order.filled);
        let whole = order.filled >= order.quantity;
        order.state = if whole { OrderState::Filled } else { OrderState::PartiallyFilled };
        order.time = time;
        let fees = (price * quantity * Decimal::new(1, 3)).round_dp(8);
        let (tag, instrument, order) = (order.tag.clone(), order.instrument.clone(), order.clone());
        let mut execution =
            AcmeFill { id: fill.clone(), tag, instrument, quantity, price, fees: Some(fees), time };
        self.fills.push((execution.clone(), order.id.clone(), fees));
        if self.fees_late > 0 {
            execution.fees = None;
            let (venue, late): (Weak<Venue>, u64) = (Arc::downgrade(venue), self.fees_late);
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_millis(late)).await;
                if let Some(venue) = venue.upgrade() {
                    venue.desk().happened(What::Fees { fill, amount: fees });
                }
            });
        }
        self.happened(What::Fill(execution));
        self.tell(&News::Order(order));
    }

    /// Fills what the prices allow.
    fn cross(&mut self, venue: &Arc<Venue>) {
        if self.not_matching {
            return;
        }
        for order in self.orders.clone().into_iter().filter(|order| !order.state.is_terminal()) {
            let Some(Touch { bid, ask }) = self.quotes.get(&order.instrument).copied() else { continue };
            let touch = if order.buys { ask } else { bid };
            let meets = |limit: Decimal| if order.buys { limit >= touch } else { limit <= touch };
            if order.order_type == OrderType::Market || order.limit.is_some_and(meets) {
                self.fill(venue, &order.id, order.quantity - order.filled, Some(touch));
            } else if matches!(order.tif, TimeInForce::Ioc | TimeInForce::Fok) {
                self.end(&order.id, OrderState::Expired);
            }
        }
    }

    fn book(&self) -> PositionBook {
        let mut book = PositionBook::new();
        for (fill, ..) in &self.fills {
            if let Some(symbol) = canonical(&fill.instrument) {
                // Numbers of a test do not leave the range.
                drop(book.apply(&symbol, fill.tag.side, fill.quantity, fill.price, Decimal::ONE, fill.time));
            }
        }
        book
    }

    fn cash(&self) -> Decimal {
        let came: Decimal = self
            .activities
            .iter()
            .map(|activity| match activity.what {
                What::Cash { amount } => amount,
                _ => Decimal::ZERO,
            })
            .sum();
        let traded: Decimal = self
            .fills
            .iter()
            .map(|(fill, _, fees)| fill.tag.side.signed(fill.quantity * fill.price) + fees)
            .sum();
        Decimal::from(CASH) + came - traded
    }

    fn happen(&mut self, venue: &Arc<Venue>, happening: &Happening) {
        match happening {
            Happening::Fill { order, quantity, price } => self.fill(venue, order, *quantity, *price),
            Happening::Cancel { order } => self.end(order, OrderState::Canceled),
            Happening::Expire { order } => self.end(order, OrderState::Expired),
            Happening::Reject { order } => self.end(order, OrderState::Rejected),
            Happening::Correct { fill, quantity, price } => {
                if let Some((right, ..)) = self.fills.iter_mut().find(|(known, ..)| known.id == *fill) {
                    (right.quantity, right.price) = (*quantity, *price);
                    let right = right.clone();
                    self.happened(What::Corrected(right));
                }
            }
            Happening::Bust { fill } => {
                self.fills.retain(|(known, ..)| known.id != *fill);
                self.happened(What::Busted { fill: fill.clone() });
            }
            Happening::Cash { amount } => self.happened(What::Cash { amount: *amount }),
        }
    }
}

impl AcmeDouble {
    /// A desk with cash and nothing else.
    #[must_use]
    pub fn start() -> Self {
        Self { venue: Arc::default() }
    }

    /// Where its clients send their requests.
    #[must_use]
    pub fn venue(&self) -> Arc<Venue> {
        Arc::clone(&self.venue)
    }
}

impl VenueDouble for AcmeDouble {
    fn name(&self) -> &str {
        "acme"
    }

    fn endpoints(&self) -> BTreeMap<SmolStr, String> {
        BTreeMap::new()
    }

    fn credentials(&self) -> BTreeMap<SmolStr, SecretString> {
        BTreeMap::from([("secret".into(), SecretString::from(SECRET))])
    }

    fn symbols(&self) -> Vec<Symbol> {
        SYMBOLS.iter().filter_map(|name| Symbol::new(name).ok()).collect()
    }

    fn quote(&self, quote: &Quote) {
        let mut desk = self.venue.desk();
        desk.quotes.insert(native(&quote.symbol), Touch { bid: quote.bid, ask: quote.ask });
        desk.cross(&self.venue);
    }

    fn act(&self, act: &Act) -> Result<(), NotPossible> {
        let mut desk = self.venue.desk();
        match act {
            Act::Call { call: Call::Replace | Call::Instruments | Call::Stream, .. } => {
                return Err(NotPossible { reason: "Acme has no such call".to_owned() });
            }
            Act::Call { call, fault, times } => (0..*times).for_each(|_| desk.faults.push((*call, *fault))),
            Act::Stream(StreamFault::Cut) => desk.lines.clear(),
            Act::Stream(fault) => desk.lines.iter_mut().for_each(|line| line.fail(*fault)),
            Act::Happen(happening) => desk.happen(&self.venue, happening),
            Act::CancelLosesRace => desk.loses_race = true,
            Act::FillInParts(parts) => desk.in_parts = *parts,
            Act::FillBeforeAnswer => desk.before_answer = true,
            Act::FeesLate(millis) => desk.fees_late = *millis,
            Act::HistoryLate(_) => {
                return Err(NotPossible { reason: "Acme lists what happens at once".to_owned() });
            }
            Act::Matching(on) => {
                desk.not_matching = !on;
                desk.cross(&self.venue);
            }
            Act::Outage(on) => {
                desk.outage = *on;
                desk.lines.clear();
            }
            Act::Clock(millis) => desk.skew_millis = *millis,
            Act::ExpireTokens => desk.token += 1,
        }
        Ok(())
    }

    fn orders(&self) -> Vec<DoubleOrder> {
        let order = |order: &AcmeOrder| {
            Some(DoubleOrder {
                id: order.id.clone(),
                client_id: Some(order.client_id.clone()),
                symbol: canonical(&order.instrument)?,
                buys: order.buys,
                order_type: order.order_type,
                tif: order.tif,
                quantity: order.quantity,
                limit_price: order.limit,
                stop_price: order.stop,
                extended_hours: order.extended,
                filled: order.filled,
                state: order.state,
            })
        };
        self.venue.desk().orders.iter().filter_map(order).collect()
    }

    fn fills(&self) -> Vec<DoubleFill> {
        let fill = |(fill, order, fees): &(AcmeFill, BrokerOrderId, Decimal)| {
            Some(DoubleFill {
                id: fill.id.clone(),
                order: order.clone(),
                symbol: canonical(&fill.instrument)?,
                bought: fill.tag.side.sign() > 0,
                quantity: fill.quantity,
                price: fill.price,
                fees: *fees,
                time: fill.time,
            })
        };
        self.venue.desk().fills.iter().filter_map(fill).collect()
    }

    fn account(&self) -> DoubleAccount {
        let desk = self.venue.desk();
        let positions = desk.book().iter().map(|(symbol, held)| (symbol.clone(), held.quantity)).collect();
        DoubleAccount { cash: desk.cash(), positions }
    }

    fn calls(&self, call: Call) -> u64 {
        self.venue.desk().calls.get(&call).copied().unwrap_or_default()
    }

    fn streams(&self) -> usize {
        let mut desk = self.venue.desk();
        desk.lines.retain(Line::open);
        desk.lines.len()
    }
}

/// The token of a secret and the number that a login gave.
#[must_use]
pub fn token(secret: &SecretString, number: u64) -> SecretString {
    SecretString::from(format!("{}#{number}", secret.expose_secret()))
}
