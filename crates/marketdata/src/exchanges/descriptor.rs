//! What an exchange's public interface looks like, as data.

use super::rules::{Places, Rule};
use super::url::{Asked, Template};
use mts_foundation::symbology::SymbolParts;
use mts_foundation::{Interval, Symbol};
use serde::Deserialize;
use std::collections::BTreeMap;

/// A descriptor that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {message}")]
pub struct DescriptorError {
    /// Which descriptor.
    pub name: String,
    /// Where it is wrong and what to do.
    pub message: String,
}

/// An exchange.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Descriptor {
    /// Its name here, in small letters.
    pub id: String,
    /// How many recorded cases agree with each method; a test counts them. Of one's own descriptors nothing is known.
    #[serde(default)]
    pub evidence: Evidence,
    /// Least time between two requests, in milliseconds.
    pub pace_ms: u32,
    /// How it says at HTTP 200 that a request failed.
    #[serde(default)]
    pub errors: Vec<Envelope>,
    /// Its codes for assets it names otherwise.
    #[serde(default)]
    pub aliases: BTreeMap<String, String>,
    /// Its words for lengths of candles.
    #[serde(default)]
    pub timeframes: BTreeMap<Interval, String>,
    /// Its markets.
    pub markets: Vec<MarketForm>,
    /// Last price, best prices and the day's figures.
    #[serde(default)]
    pub ticker: Vec<Method<TickerRules>>,
    /// Recent trades.
    #[serde(default)]
    pub trades: Vec<Method<TradeRules>>,
    /// Candles.
    #[serde(default)]
    pub candles: Vec<Method<CandleRules>>,
    /// Funding rates of perpetual futures.
    #[serde(default)]
    pub funding: Vec<Method<FundingRules>>,
}

/// Recorded cases behind each method.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "the fields have the methods' names")]
pub struct Evidence {
    pub ticker: usize,
    pub trades: usize,
    pub candles: usize,
    pub funding: usize,
}

/// How a failed request is told from a good one.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// What decides. When it is absent, nothing has failed.
    pub at: Rule,
    /// What it says when all is well.
    pub ok: Vec<String>,
    /// What to tell.
    #[serde(default)]
    pub message: Option<Rule>,
}

/// How the ids of one kind of market are made.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarketForm {
    /// Its name, for [`Method::markets`].
    pub name: String,
    /// Perpetual futures.
    #[serde(default)]
    pub perpetual: bool,
    /// Only markets of these; empty = of any.
    #[serde(default)]
    pub bases: Vec<String>,
    /// Only markets quoted in these; empty = in any.
    #[serde(default)]
    pub quotes: Vec<String>,
    /// The id of a market.
    pub id: Template,
}

/// A request and how its reply is read.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Method<R> {
    /// For which [`MarketForm`]s; empty = for all.
    #[serde(default)]
    pub markets: Vec<String>,
    /// The address.
    pub get: Template,
    /// The body; with one the request is a POST of JSON.
    #[serde(default)]
    pub body: Option<Template>,
    /// Its cost against the exchange's limit.
    #[serde(default = "one")]
    pub weight: u32,
    /// Most rows of one reply.
    #[serde(default)]
    pub limit: Option<u32>,
    /// The exchange refuses a limit beside a start or an end.
    #[serde(default)]
    pub limit_alone: bool,
    /// How many rows the exchange keeps for this request; older ones are not there, and it does not say so.
    #[serde(default)]
    pub keeps: Option<u32>,
    /// Where the rows, or the single item, are.
    #[serde(default)]
    pub at: Places,
    /// Of a list of markets: what must be the market's id.
    #[serde(default)]
    pub pick: Option<Rule>,
    /// What is at `at` is an object of lists, one for each field.
    #[serde(default)]
    pub columns: bool,
    /// The reply begins with the newest row.
    #[serde(default)]
    pub newest_first: bool,
    /// The fields.
    pub read: R,
}

fn one() -> u32 {
    1
}

/// Fields of a ticker.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields of a ticker explain themselves")]
pub struct TickerRules {
    pub last: Option<Rule>,
    pub bid: Option<Rule>,
    pub ask: Option<Rule>,
    pub bid_size: Option<Rule>,
    pub ask_size: Option<Rule>,
    pub open: Option<Rule>,
    pub high: Option<Rule>,
    pub low: Option<Rule>,
    pub volume: Option<Rule>,
    pub quote_volume: Option<Rule>,
    pub time: Option<Rule>,
}

/// Fields of a trade.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields of a trade explain themselves")]
pub struct TradeRules {
    pub id: Option<Rule>,
    pub price: Rule,
    pub size: Rule,
    pub side: Option<Rule>,
    pub time: Rule,
}

/// Fields of a candle; its time is its start.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields of a candle explain themselves")]
pub struct CandleRules {
    pub start: Rule,
    pub open: Rule,
    pub high: Rule,
    pub low: Rule,
    pub close: Rule,
    pub volume: Option<Rule>,
    /// Says `true` when the candle is closed. Without it the clock decides.
    pub closed: Option<Rule>,
}

/// Fields of a funding rate.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FundingRules {
    /// The rate, as a fraction of the position's value.
    pub rate: Rule,
    /// The mark price.
    pub mark: Option<Rule>,
    /// The index price.
    pub index: Option<Rule>,
    /// When the rate is paid.
    pub due: Option<Rule>,
    /// When the one after it is paid.
    pub next: Option<Rule>,
    /// The rate of that one.
    pub next_rate: Option<Rule>,
}

impl Descriptor {
    /// Reads a descriptor.
    ///
    /// # Errors
    /// [`DescriptorError`] with the line and field and what to write there.
    pub fn read(name: &str, text: &str) -> Result<Self, DescriptorError> {
        let fault = |message: String| DescriptorError { name: name.to_owned(), message };
        let descriptor: Self = toml::from_str(text).map_err(|error| fault(error.to_string()))?;
        descriptor.check().map_err(fault)?;
        Ok(descriptor)
    }

    fn check(&self) -> Result<(), String> {
        if self.markets.is_empty() {
            return Err("it has no [[markets]]: add one with a name and an id".to_owned());
        }
        let counts = [self.ticker.len(), self.trades.len(), self.candles.len(), self.funding.len()];
        if counts.iter().all(|count| *count == 0) {
            return Err("it has no method: add [[ticker]], [[trades]], [[candles]] or [[funding]]".to_owned());
        }
        if !self.candles.is_empty() && self.timeframes.is_empty() {
            return Err("it has [[candles]] but no [timeframes]: add them".to_owned());
        }
        let named = self.ticker.iter().map(|method| ("ticker", &method.markets));
        let named = named.chain(self.trades.iter().map(|method| ("trades", &method.markets)));
        let named = named.chain(self.candles.iter().map(|method| ("candles", &method.markets)));
        let named = named.chain(self.funding.iter().map(|method| ("funding", &method.markets)));
        for (method, markets) in named {
            if let Some(name) =
                markets.iter().find(|name| self.markets.iter().all(|form| form.name != **name))
            {
                return Err(format!(
                    "[[{method}]] is for the market {name:?}: add it to [[markets]], or mend the name"
                ));
            }
        }
        Ok(())
    }

    /// The methods it has, each with the number of recorded cases behind it.
    pub fn methods(&self) -> impl Iterator<Item = (&'static str, usize)> {
        let Evidence { ticker, trades, candles, funding } = self.evidence;
        [
            ("ticker", self.ticker.is_empty(), ticker),
            ("trades", self.trades.is_empty(), trades),
            ("candles", self.candles.is_empty(), candles),
            ("funding", self.funding.is_empty(), funding),
        ]
        .into_iter()
        .filter(|(_, absent, _)| !absent)
        .map(|(name, _, cases)| (name, cases))
    }

    /// The kind of market that a symbol is, and the symbol in the exchange's words.
    #[must_use]
    pub fn market(&self, symbol: &Symbol) -> Option<(&MarketForm, Asked)> {
        let (pair, perpetual) = match symbol.parts().ok()? {
            SymbolParts::Pair(pair) => (pair, false),
            SymbolParts::Perpetual(perpetual) => (perpetual.underlying(), true),
            _ => return None,
        };
        let form = self.markets.iter().find(|form| {
            let has =
                |list: &[String], code: &str| list.is_empty() || list.iter().any(|listed| listed == code);
            form.perpetual == perpetual && has(&form.bases, pair.base()) && has(&form.quotes, pair.quote())
        })?;
        let code = |code: &str| self.aliases.get(code).map_or_else(|| code.to_owned(), String::clone);
        let mut asked = Asked { base: code(pair.base()), quote: code(pair.quote()), ..Asked::default() };
        asked.id = form.id.fill_plain(&asked).ok()?;
        Some((form, asked))
    }
}

impl<R> Method<R> {
    /// Whether it says from when on, in its address or its body.
    pub(super) fn has_start(&self) -> bool {
        self.get.has_start() || self.body.as_ref().is_some_and(Template::has_start)
    }

    /// Whether it says up to when.
    pub(super) fn has_end(&self) -> bool {
        self.get.has_end() || self.body.as_ref().is_some_and(Template::has_end)
    }

    /// The first of some methods that is for a kind of market.
    pub fn of<'a>(methods: &'a [Self], market: &str) -> Option<&'a Self> {
        methods
            .iter()
            .find(|method| method.markets.is_empty() || method.markets.iter().any(|name| name == market))
    }
}
