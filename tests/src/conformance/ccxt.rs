//! `ccxt-market-data/1`: an exchange's requests and replies, with what ccxt makes of them, against our descriptors.
//!
//! A case is a request (address, market's id and timeframe; times and counts by name only, because we page in our own way),
//! a whole reply, or one item of a reply; a `perturbed` twin, where all numbers differ from each other, is a case of its own.
//! The file's numbers are floats that ccxt made: they are taken as the decimals of their shortest text and compared
//! within 1e-12 of their size. Times are compared to the millisecond, which is all that ccxt keeps.
//!
//! Only what a descriptor claims is run, by method and kind of market. Cases of the rest are counted in a note.

use super::Outcome;
use mts_foundation::{Decimal, Side, Symbol, Timestamp};
use mts_marketdata::exchanges::{
    Asked, At, Candle, CandleRules, Descriptor, Funding, FundingRules, Json, Method, Template, Ticker,
    TickerRules, TradeRow, TradeRules, failure, find,
};
use std::collections::BTreeMap;

/// What became of a case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// `ticker`, `trades`, `candles` or `funding`.
    pub method: &'static str,
    /// The kind of market, if the descriptor has it.
    pub market: String,
    /// Which one, in the words of the file.
    pub name: String,
    /// What was found.
    pub verdict: Verdict,
}

/// How a case ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// As the file says.
    Agrees,
    /// Otherwise; how.
    Differs(String),
    /// A method or a market that is not claimed.
    NotClaimed,
    /// In another shape (of a stream, of an account, of another request), which the descriptor refuses to read.
    Refused,
}

/// The id of the market that the generator made up for exchanges of which it knew none.
const STAND_IN: &str = "BTCUSDT";

/// How a reader says that a field it cannot do without is not there.
const REFUSAL: &str = "the reply has no ";

/// Our methods and those of the file.
const METHODS: [(&str, &str); 4] = [
    ("ticker", "fetchTicker"),
    ("trades", "fetchTrades"),
    ("candles", "fetchOHLCV"),
    ("funding", "fetchFundingRate"),
];

/// Runs a file of one exchange.
///
/// # Errors
/// A sentence when the text is no such file, or no descriptor is built in for it.
pub fn run(text: &str) -> Result<Outcome, String> {
    let file = Json::parse(text).map_err(|error| error.to_string())?;
    let name = word(&file, "exchange").ok_or("it names no exchange")?;
    let mut outcome = Outcome::default();
    let Some(embedded) = find(name) else {
        outcome.skipped = count(&file);
        outcome.notes.push(format!("{name} is not built in: all of its cases are skipped"));
        return Ok(outcome);
    };
    let descriptor = embedded.read().map_err(|error| error.to_string())?;
    let (mut skipped, mut refused) = (0_usize, 0_usize);
    for case in check(&descriptor, &file) {
        match case.verdict {
            Verdict::Agrees => outcome.pass(),
            Verdict::Differs(detail) => outcome.fail(format!("{name} {} {}", case.method, case.name), detail),
            Verdict::NotClaimed => skipped += 1,
            Verdict::Refused => refused += 1,
        }
    }
    outcome.skipped = skipped;
    outcome.notes.push(format!(
        "{skipped} cases skipped (methods or markets that are not claimed), {refused} of another shape and refused"
    ));
    Ok(outcome)
}

/// The cases of a file, without their twins.
fn count(file: &Json) -> usize {
    let lists = METHODS.iter().flat_map(|(_, theirs)| {
        ["request", "response", "parse"].map(|kind| file.get(kind).and_then(|kind| kind.get(theirs)))
    });
    lists.map(|list| if let Some(Json::List(list)) = list { list.len() } else { 0 }).sum()
}

/// Holds a descriptor against an exchange's cases.
#[must_use]
pub fn check(descriptor: &Descriptor, file: &Json) -> Vec<Case> {
    let mut cases = Vec::new();
    for (method, theirs) in METHODS {
        for kind in ["request", "response", "parse"] {
            let Some(Json::List(list)) = file.get(kind).and_then(|kind| kind.get(theirs)) else { continue };
            for (number, case) in list.iter().enumerate() {
                let run = Run { descriptor, file, method, kind, case };
                let name = format!("{kind} {number}");
                let market = run.market().map_or_else(String::new, |market| market.form.to_owned());
                let case_of = |name, verdict| Case { method, market: market.clone(), name, verdict };
                cases.push(case_of(name.clone(), run.verdict(run.original())));
                if let Some(twin) = case.get("perturbed") {
                    cases.push(case_of(format!("{name} perturbed"), run.verdict(run.twin(twin))));
                }
            }
        }
    }
    unread(&mut cases);
    cases
}

/// Of whole replies at least one must be read: a descriptor that looks in the wrong place refuses them all.
fn unread(cases: &mut [Case]) {
    for (method, _) in METHODS {
        let whole = |case: &Case| case.method == method && case.name.starts_with("response");
        if !cases.iter().any(|case| whole(case) && case.verdict == Verdict::Agrees) {
            for case in cases.iter_mut().filter(|case| whole(case) && case.verdict == Verdict::Refused) {
                case.verdict = Verdict::Differs("no whole reply can be read".to_owned());
            }
        }
    }
}

fn word<'a>(json: &'a Json, key: &str) -> Option<&'a str> {
    match json.get(key) {
        Some(Json::Text(text)) => Some(text),
        _ => None,
    }
}

/// One case.
struct Run<'a> {
    descriptor: &'a Descriptor,
    file: &'a Json,
    method: &'static str,
    kind: &'static str,
    case: &'a Json,
}

/// A market of the file.
struct Market<'a> {
    /// Which form of ours it has.
    form: &'a str,
    /// What we would ask, with our own id.
    ours: Asked,
    /// The file's id.
    id: &'a str,
}

impl<'a> Run<'a> {
    fn market(&self) -> Option<Market<'a>> {
        let name = match self.kind {
            "parse" => word(self.case, "market")?,
            _ => self.case.get("input").and_then(|input| word(input, "0"))?,
        };
        let market = self.file.get("markets")?.get(name)?;
        let pair = format!("{}-{}", word(market, "base")?, word(market, "quote")?);
        let of = |symbol: &str| self.descriptor.market(&Symbol::new(symbol).ok()?);
        let perpetual = format!("{pair}-PERP");
        let (form, ours) = match word(market, "type")? {
            // The generator's stand-in is a spot market even where the exchange has none.
            "spot" if word(market, "id")? == STAND_IN => of(&pair).or_else(|| {
                let first = self.descriptor.markets.first()?;
                let base = first.bases.first().map_or("BTC", String::as_str);
                let quote = first.quotes.first().map_or("USDT", String::as_str);
                of(&format!("{base}-{quote}-PERP"))
            }),
            "spot" => of(&pair),
            "swap" => of(&perpetual),
            _ => None,
        }?;
        Some(Market { form: &form.name, ours, id: word(market, "id")? })
    }

    /// An item that has none of what a descriptor needs is of another kind of message, which ccxt reads with the same
    /// function. That it is refused, not misread, is all there is to say of it.
    fn verdict(&self, found: Option<Result<(), String>>) -> Verdict {
        match found {
            None => Verdict::NotClaimed,
            Some(Ok(())) => Verdict::Agrees,
            Some(Err(detail)) if detail.starts_with(REFUSAL) => Verdict::Refused,
            Some(Err(detail)) => Verdict::Differs(detail),
        }
    }

    fn original(&self) -> Option<Result<(), String>> {
        let market = self.market()?;
        match self.kind {
            "request" => self.request(&market),
            "response" => {
                let said = self.case.get("httpResponse").and_then(|reply| failure(self.descriptor, reply));
                let read = self.read(&market, self.case)?;
                Some(said.map_or(read, |said| Err(format!("a good reply is taken for a failure: {said}"))))
            }
            _ => self.read(&market, self.case),
        }
    }

    /// Its codes are perturbed, too, so that it is not asked whether it tells of a failure.
    fn twin(&self, twin: &Json) -> Option<Result<(), String>> {
        self.read(&self.market()?, twin)
    }

    fn read(&self, market: &Market<'_>, from: &Json) -> Option<Result<(), String>> {
        let whole = self.kind == "response";
        let reply = from.get(if whole { "httpResponse" } else { "raw" })?;
        let theirs = from.get(if whole { "parsedResponse" } else { "parsed" })?;
        let at = At { top: reply, item: reply, id: market.id };
        let text = |error: mts_marketdata::exchanges::ReplyError| error.to_string();
        let d = self.descriptor;
        Some(match self.method {
            "ticker" => {
                let method = Method::of(&d.ticker, market.form)?;
                let ours = if whole { method.ticker(reply, market.id) } else { method.read.item(at) };
                ours.map_err(text).and_then(|ours| same_ticker(&method.read, &ours, theirs))
            }
            "trades" => {
                let method = Method::of(&d.trades, market.form)?;
                match whole {
                    true => method.trades(reply, market.id).map_err(text).and_then(|ours| {
                        same_rows(ours, theirs, trade_key, |ours, theirs| {
                            same_trade(&method.read, ours, theirs)
                        })
                    }),
                    false => method
                        .read
                        .item(at)
                        .map_err(text)
                        .and_then(|ours| same_trade(&method.read, &ours, theirs)),
                }
            }
            "candles" => {
                let method = Method::of(&d.candles, market.form)?;
                match whole {
                    true => method.candles(reply, market.id).map_err(text).and_then(|ours| {
                        same_rows(ours, theirs, candle_key, |ours, theirs| {
                            same_candle(&method.read, ours, theirs)
                        })
                    }),
                    false => method
                        .read
                        .item(at)
                        .map_err(text)
                        .and_then(|ours| same_candle(&method.read, &ours, theirs)),
                }
            }
            _ => {
                let method = Method::of(&d.funding, market.form)?;
                let ours = if whole { method.funding(reply, market.id) } else { method.read.item(at) };
                ours.map_err(text).and_then(|ours| same_funding(&method.read, &ours, theirs))
            }
        })
    }

    fn request(&self, market: &Market<'_>) -> Option<Result<(), String>> {
        let d = self.descriptor;
        let (get, body) = match self.method {
            "ticker" => Method::of(&d.ticker, market.form).map(|method| (&method.get, &method.body)),
            "trades" => Method::of(&d.trades, market.form).map(|method| (&method.get, &method.body)),
            "candles" => Method::of(&d.candles, market.form).map(|method| (&method.get, &method.body)),
            _ => Method::of(&d.funding, market.form).map(|method| (&method.get, &method.body)),
        }?;
        // Asked for the trades since a time, which we do not, or for settings of an account before anything else.
        let since = self.case.get("input").and_then(|input| input.get("1")).is_some();
        let account = word(self.case, "url").is_some_and(|url| url.contains("/account/"));
        if account || (self.method == "trades" && since && !get.has_start()) {
            return None;
        }
        // The generator's stand-in where it had no real market: its id is not the exchange's form.
        if market.ours.id != market.id && market.id == STAND_IN {
            return None;
        }
        Some(self.same_request(market, get, body.as_ref()))
    }

    fn same_request(
        &self,
        market: &Market<'_>,
        get: &Template,
        body: Option<&Template>,
    ) -> Result<(), String> {
        let timeframe = self.case.get("input").and_then(|input| word(input, "1"));
        let timeframe = match timeframe.filter(|_| self.method == "candles") {
            None => None,
            Some(name) => {
                let interval = name.parse().map_err(|error| format!("{error}"))?;
                let word = self
                    .descriptor
                    .timeframes
                    .get(&interval)
                    .ok_or_else(|| format!("no timeframe {name}"))?;
                Some(word.clone())
            }
        };
        let filled = |limit: u32, shift: i64| {
            let time = |millis: i64| Some(Timestamp::from_millis(1_700_000_000_000 + millis * shift));
            let (start, end, now) = (time(1_000), time(100_000), time(3_600_000));
            let asked = Asked {
                limit: Some(limit),
                start,
                end,
                now,
                timeframe: timeframe.clone(),
                ..market.ours.clone()
            };
            let fill =
                |template: &Template| template.fill(&asked).map_err(|blank| format!("{blank} is missing"));
            let body = body.map(|body| body.fill_plain(&asked)).transpose();
            Ok::<_, String>((fill(get)?, body.map_err(|blank| format!("{blank} is missing"))?))
        };
        let ((first, body), (second, _)) = (filled(20, 1)?, filled(30, 7)?);
        let theirs = word(self.case, "url").ok_or("the file has no address")?;
        let verb = if body.is_some() { "POST" } else { "GET" };
        if word(self.case, "http") != Some(verb) {
            return Err(format!("we {verb}, the file does not"));
        }
        let (ours, other, theirs) = (Address::of(&first), Address::of(&second), Address::of(theirs));
        if ours.path != theirs.path && (ours.path == other.path || !alike(&ours.path, &theirs.path)) {
            return Err(format!("the address is {}, the file has {}", ours.path, theirs.path));
        }
        for (key, value) in &theirs.query {
            let Some(our) = ours.query.get(key) else {
                return Err(format!("{key}={value} is not asked for"));
            };
            let varies = other.query.get(key) != Some(our);
            if !varies && our != value {
                return Err(format!("{key} is {our}, the file has {value}"));
            }
        }
        for (key, value) in &ours.query {
            let varies = other.query.get(key) != Some(value);
            if !varies && !theirs.query.contains_key(key) {
                return Err(format!("{key}={value} is asked for, and the file does not"));
            }
        }
        match (body, word(self.case, "body")) {
            (Some(body), Some(theirs)) => same_body(&body, theirs),
            (Some(_), None) => Err("the file has no body".to_owned()),
            _ => Ok(()),
        }
    }
}

/// Whether two paths differ in digits only, for dates in paths.
fn alike(ours: &str, theirs: &str) -> bool {
    let shape = |text: &str| {
        text.chars().map(|sign| if sign.is_ascii_digit() { '0' } else { sign }).collect::<String>()
    };
    shape(ours) == shape(theirs)
}

/// Every text of one body must be in the other; numbers are times and counts.
fn same_body(ours: &str, theirs: &str) -> Result<(), String> {
    fn texts(json: &Json, path: &str, into: &mut BTreeMap<String, String>) {
        match json {
            Json::Map(entries) => {
                entries.iter().for_each(|(key, value)| texts(value, &format!("{path}.{key}"), into))
            }
            Json::List(items) => {
                items
                    .iter()
                    .enumerate()
                    .for_each(|(key, value)| texts(value, &format!("{path}.{key}"), into));
            }
            Json::Number(_) => _ = into.insert(path.to_owned(), "a number".to_owned()),
            scalar => _ = into.insert(path.to_owned(), scalar.plain().unwrap_or_default().to_owned()),
        }
    }
    let read = |text: &str| {
        let json = Json::parse(text).map_err(|error| format!("the body {text}: {error}"))?;
        let mut found = BTreeMap::new();
        texts(&json, "", &mut found);
        Ok::<_, String>(found)
    };
    let (ours, theirs) = (read(ours)?, read(theirs)?);
    if ours == theirs { Ok(()) } else { Err(format!("the body says {ours:?}, the file has {theirs:?}")) }
}

/// An address taken apart, decoded.
#[derive(Debug, PartialEq)]
struct Address {
    path: String,
    query: BTreeMap<String, String>,
}

impl Address {
    fn of(text: &str) -> Self {
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let pair = |pair: &str| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(key), decoded(value))
        };
        let query = query.split('&').filter(|pair| !pair.is_empty()).map(pair).collect();
        Self { path: decoded(path), query }
    }
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        let value = hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()).filter(|_| *byte == b'%');
        bytes.push(value.unwrap_or(if *byte == b'+' { b' ' } else { *byte }));
        rest = if value.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A number of the file, by its text.
fn decimal(json: Option<&Json>) -> Result<Option<Decimal>, String> {
    let Some(Json::Number(text) | Json::Text(text)) = json else { return Ok(None) };
    let read = Decimal::from_scientific(text).or_else(|_| Decimal::from_str_exact(text));
    read.map(Some).map_err(|_| format!("the file's {text} is no decimal"))
}

fn same_number(field: &str, ours: Option<Decimal>, theirs: Option<&Json>) -> Result<(), String> {
    let theirs = decimal(theirs)?;
    let agrees = match (ours, theirs) {
        (None, None) => true,
        (Some(ours), Some(theirs)) => {
            let within = theirs.abs().checked_mul(Decimal::new(1, 12)).unwrap_or_default();
            ours.checked_sub(theirs).is_some_and(|difference| difference.abs() <= within)
        }
        _ => false,
    };
    if agrees { Ok(()) } else { Err(format!("{field} is {ours:?}, the file has {theirs:?}")) }
}

fn same_time(field: &str, ours: Option<Timestamp>, theirs: Option<&Json>) -> Result<(), String> {
    let millis = |time: Timestamp| Decimal::from(time.nanos().div_euclid(1_000_000));
    let (ours, theirs) = (ours.map(millis), decimal(theirs)?);
    if ours == theirs.map(|time| time.trunc()) {
        Ok(())
    } else {
        Err(format!("{field} is {ours:?}, the file has {theirs:?}"))
    }
}

fn same_text(field: &str, ours: Option<&str>, theirs: Option<&Json>) -> Result<(), String> {
    let theirs = theirs.filter(|theirs| !theirs.is_nothing()).and_then(Json::plain);
    if ours == theirs { Ok(()) } else { Err(format!("{field} is {ours:?}, the file has {theirs:?}")) }
}

fn same_ticker(rules: &TickerRules, ours: &Ticker, theirs: &Json) -> Result<(), String> {
    same_number("last", ours.last, theirs.get("last"))?;
    same_number("bid", ours.bid, theirs.get("bid"))?;
    same_number("ask", ours.ask, theirs.get("ask"))?;
    same_time("time", ours.time, theirs.get("timestamp"))?;
    // What a descriptor does not read is not claimed.
    for (rule, field, ours) in [
        (&rules.bid_size, "bidVolume", ours.bid_size),
        (&rules.ask_size, "askVolume", ours.ask_size),
        (&rules.open, "open", ours.open),
        (&rules.high, "high", ours.high),
        (&rules.low, "low", ours.low),
        (&rules.volume, "baseVolume", ours.volume),
        (&rules.quote_volume, "quoteVolume", ours.quote_volume),
    ] {
        if rule.is_some() {
            same_number(field, ours, theirs.get(field))?;
        }
    }
    Ok(())
}

fn same_trade(rules: &TradeRules, ours: &TradeRow, theirs: &Json) -> Result<(), String> {
    same_number("price", Some(ours.price), theirs.get("price"))?;
    same_number("amount", Some(ours.size), theirs.get("amount"))?;
    same_time("time", Some(ours.time), theirs.get("timestamp"))?;
    if rules.side.is_some() {
        let side = ours.side.map(|side| if side == Side::Buy { "buy" } else { "sell" });
        same_text("side", side, theirs.get("side"))?;
    }
    match rules.id {
        Some(_) => same_text("id", ours.id.as_deref(), theirs.get("id")),
        None => Ok(()),
    }
}

fn same_candle(rules: &CandleRules, ours: &Candle, theirs: &Json) -> Result<(), String> {
    same_time("start", Some(ours.start), theirs.get("0"))?;
    same_number("open", Some(ours.open), theirs.get("1"))?;
    same_number("high", Some(ours.high), theirs.get("2"))?;
    same_number("low", Some(ours.low), theirs.get("3"))?;
    same_number("close", Some(ours.close), theirs.get("4"))?;
    match rules.volume {
        Some(_) => same_number("volume", ours.volume, theirs.get("5")),
        None => Ok(()),
    }
}

fn same_funding(rules: &FundingRules, ours: &Funding, theirs: &Json) -> Result<(), String> {
    same_number("rate", Some(ours.rate), theirs.get("fundingRate"))?;
    for (rule, field, ours) in
        [(&rules.mark, "markPrice", ours.mark), (&rules.index, "indexPrice", ours.index)]
    {
        if rule.is_some() {
            same_number(field, ours, theirs.get(field))?;
        }
    }
    let due = (&rules.due, "fundingTimestamp", ours.due);
    for (rule, field, ours) in [due, (&rules.next, "nextFundingTimestamp", ours.next)] {
        if rule.is_some() {
            same_time(field, ours, theirs.get(field))?;
        }
    }
    Ok(())
}

fn trade_key(theirs: &Json) -> Option<&Json> {
    theirs.get("timestamp")
}

fn candle_key(theirs: &Json) -> Option<&Json> {
    theirs.get("0")
}

/// Rows must agree one by one. Those of one instant may come in any order.
fn same_rows<T>(
    ours: Vec<T>,
    theirs: &Json,
    time: fn(&Json) -> Option<&Json>,
    same: impl Fn(&T, &Json) -> Result<(), String>,
) -> Result<(), String> {
    let Json::List(theirs) = theirs else { return Err("the file has no list of rows".to_owned()) };
    if ours.len() != theirs.len() {
        return Err(format!("there are {} rows, the file has {}", ours.len(), theirs.len()));
    }
    let mut left: Vec<&Json> = theirs.iter().collect();
    for (number, row) in ours.iter().enumerate() {
        let Some(next) = left.first().copied() else { break };
        let tied = left.iter().take_while(|theirs| time(theirs) == time(next)).count();
        let found = left.iter().take(tied).position(|theirs| same(row, theirs).is_ok());
        match found {
            Some(at) => _ = left.remove(at),
            None => same(row, next).map_err(|detail| format!("row {number}: {detail}"))?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;
    use mts_marketdata::exchanges::DESCRIPTORS;

    fn vectors(name: &str) -> String {
        let path = format!("{}/vectors/ccxt/{name}.json", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).unwrap()
    }

    fn cases(name: &str, text: &str) -> Vec<Case> {
        check(&Descriptor::read(name, text).unwrap(), &Json::parse(&vectors(name)).unwrap())
    }

    #[test]
    fn everything_that_is_claimed_agrees_and_is_counted() {
        for embedded in DESCRIPTORS {
            let all = cases(embedded.name, embedded.text);
            let exchange = embedded.read().unwrap();
            let differs = |case: &&Case| matches!(case.verdict, Verdict::Differs(_));
            assert_eq!(all.iter().find(differs), None, "{}", embedded.name);
            for (method, claimed) in exchange.methods() {
                let agrees = |case: &&Case| case.method == method && case.verdict == Verdict::Agrees;
                assert_eq!(all.iter().filter(agrees).count(), claimed, "{} {method}", embedded.name);
                let read = all.iter().filter(agrees).any(|case| !case.name.starts_with("request"));
                assert!(read, "{} {method}: no reply was read", embedded.name);
            }
        }
    }

    #[test]
    fn a_method_is_claimed_for_a_kind_of_market_only_when_a_reply_of_that_kind_was_read() {
        for embedded in DESCRIPTORS {
            let all = cases(embedded.name, embedded.text);
            let exchange = embedded.read().unwrap();
            for form in &exchange.markets {
                let claimed = [
                    ("ticker", Method::of(&exchange.ticker, &form.name).is_some()),
                    ("trades", Method::of(&exchange.trades, &form.name).is_some()),
                    ("candles", Method::of(&exchange.candles, &form.name).is_some()),
                    ("funding", Method::of(&exchange.funding, &form.name).is_some()),
                ];
                for (method, _) in claimed.into_iter().filter(|(_, claimed)| *claimed) {
                    let read = all.iter().any(|case| {
                        let reply = !case.name.starts_with("request") && case.verdict == Verdict::Agrees;
                        reply && case.method == method && case.market == form.name
                    });
                    assert!(read, "{} {method} of {}", embedded.name, form.name);
                }
            }
        }
    }

    #[test]
    fn a_wrong_descriptor_fails() {
        for (name, from, to) in [
            ("okx", "bid = \"bidPx\"", "bid = \"askPx\""),
            ("okx", "high = \"2\"", "high = \"3\""),
            ("okx", "size = \"sz\"", "size = \"px\""),
            ("okx", "bar={tf}", "bar=1m"),
            ("okx", "at = \"data.0\"", "at = \"rows.0\""),
            ("okx", "buy=buy,sell=sell", "buy=sell,sell=buy"),
            ("okx", "ok = [\"0\"]", "ok = [\"1\"]"),
            ("binance", "api/v3/klines", "api/v1/klines"),
            ("kraken", "start = \"0|s\"", "start = \"0|ms\""),
            ("cex", "\\\"pair\\\":", "\\\"market\\\":"),
        ] {
            let good = find(name).unwrap().text;
            assert!(good.contains(from), "{name} {from}");
            let all = cases(name, &good.replacen(from, to, 1));
            let differs = all.iter().filter(|case| matches!(case.verdict, Verdict::Differs(_))).count();
            let read = all.iter().filter(|case| case.verdict == Verdict::Agrees).count();
            let before = cases(name, good).iter().filter(|case| case.verdict == Verdict::Agrees).count();
            assert!(differs > 0 && read < before, "{name} {from}: {differs} of {before}");
        }
    }

    #[test]
    fn an_exchange_that_is_not_built_in_is_skipped() {
        let outcome = run(r#"{"header":{"format":"ccxt-market-data/1"},"exchange":"nowhere"}"#).unwrap();
        assert_eq!((outcome.cases(), outcome.notes.len()), (0, 1));
        assert!(run("{}").is_err() && run("nothing").is_err());
    }
}
