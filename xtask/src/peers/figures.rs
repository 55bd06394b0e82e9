//! Figures, and reading them from what our benchmark and the peers' scripts print. A figure that is not there is an error:
//! the output has another shape than the one that was written for.

use serde_json::Value;

use crate::error::{Error, Result};

/// Kinds of work. Figures of two kinds are never compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    /// Quotes through a strategy that does nothing, a second.
    Quotes,
    /// The same with trades.
    Trades,
    /// Orders from a strategy to its books and back, a second, nothing kept.
    InMemory,
    /// The same, each kept on disk and synced before it leaves.
    Durable,
    /// Prints of one instrument into bars of a hundred, a second, by the part that makes bars alone.
    TickBars,
    /// The same into bars of a minute.
    TimeBars,
    /// Prints of ten instruments into bars of a minute, a second, through a feed.
    FeedBars,
    /// Fills of fifty instruments into a portfolio without orders, a second.
    Fills,
    /// What a portfolio of fifty positions is worth, asked so often a second.
    Values,
}

impl Work {
    /// What it is called in the table.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Quotes => "quotes/s, no-op strategy",
            Self::Trades => "trades/s, no-op strategy",
            Self::InMemory => "orders/s in memory",
            Self::Durable => "orders/s durable",
            Self::TickBars => "prints/s into bars of 100",
            Self::TimeBars => "prints/s into minutes",
            Self::FeedBars => "prints/s into minutes, a feed",
            Self::Fills => "fills/s into a portfolio",
            Self::Values => "valuations/s of a portfolio",
        }
    }

    /// What it is counted in, a second.
    fn unit(self) -> &'static str {
        match self {
            Self::Quotes | Self::Trades => "events",
            Self::InMemory | Self::Durable => "orders",
            Self::TickBars | Self::TimeBars | Self::FeedBars => "ticks",
            Self::Fills => "fills",
            Self::Values => "values",
        }
    }
}

/// A figure that a run of a peer must print.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) work: Work,
    /// Events or orders that it is the mean over.
    pub(crate) size: u64,
    /// What the peer calls it.
    pub(crate) key: &'static str,
    /// Why no ratio may be made of it: it is less than the work it stands beside.
    pub(crate) unlike: Option<&'static str>,
}

impl Wanted {
    pub(crate) const fn new(work: Work, size: u64, key: &'static str) -> Self {
        Self { work, size, key, unlike: None }
    }

    fn is_of_orders(&self) -> bool {
        matches!(self.work, Work::InMemory | Work::Durable)
    }

    /// How often the peer must say that something came of it: once an event or order, once a hundred prints, or any number.
    fn callbacks(&self) -> Option<u64> {
        match self.work {
            Work::TickBars => Some(self.size / 100),
            Work::TimeBars => None,
            _ => Some(self.size),
        }
    }
}

/// How a peer's script prints.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Format {
    /// One JSON object a line: `bench` has the key, `n` the size, `best_ops_s` the figure.
    Lines,
    /// One JSON object at the end: each key has an object with the figure, `callbacks` and `fills`.
    Cases,
    /// Lines of words that begin with the key: `… FIGURE events/s …`, with `filled N` or `fills_or_bars=N` for orders.
    Words,
}

impl Format {
    /// The best figure of a key. An order that was sent and not filled makes it an error.
    pub(crate) fn read(self, output: &str, wanted: &Wanted) -> Result<f64> {
        let found = match self {
            Self::Lines => lines(output, wanted)?,
            Self::Cases => cases(output, wanted)?,
            Self::Words => words(output, wanted)?,
        };
        match found {
            Some(rate) if rate.is_finite() && rate > 0.0 => Ok(rate),
            Some(rate) => {
                Err(Error::failed(format!("{} is {rate}, which is no rate: run it again", wanted.key)))
            }
            None => Err(Error::failed(format!(
                "the output has no figure {}: compare it with xtask/src/peers/table.rs",
                wanted.key
            ))),
        }
    }
}

fn lines(output: &str, wanted: &Wanted) -> Result<Option<f64>> {
    let objects = output.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let Some(object) = objects.into_iter().find(|object| object["bench"] == wanted.key) else {
        return Ok(None);
    };
    complete(wanted, wanted.size, "measured", object["n"].as_u64())?;
    Ok(object["best_ops_s"].as_f64())
}

fn cases(output: &str, wanted: &Wanted) -> Result<Option<f64>> {
    let last = output.lines().rev().find_map(|line| serde_json::from_str::<Value>(line).ok());
    let Some(case) = last.as_ref().and_then(|object| object.get(wanted.key)) else { return Ok(None) };
    if let Some(callbacks) = wanted.callbacks() {
        complete(wanted, callbacks, "callbacks", case["callbacks"].as_u64())?;
    }
    if wanted.is_of_orders() {
        complete(wanted, wanted.size, "fills", case["fills"].as_u64())?;
    }
    Ok(case[format!("{}_per_s", wanted.work.unit())].as_f64())
}

fn words(output: &str, wanted: &Wanted) -> Result<Option<f64>> {
    let mut best: Option<f64> = None;
    for line in output.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if words.first() != Some(&wanted.key) {
            continue;
        }
        let behind = |word: &str| words.iter().skip_while(|other| **other != word).nth(1);
        if wanted.is_of_orders() {
            let joined = words.iter().find_map(|word| word.strip_prefix("fills_or_bars="));
            let filled = joined.or_else(|| behind("filled").copied());
            complete(wanted, wanted.size, "fills", filled.and_then(|filled| filled.parse().ok()))?;
        }
        if wanted.work == Work::TickBars {
            let bars = words.iter().find_map(|word| word.strip_prefix("bars="));
            complete(wanted, wanted.size / 100, "bars", bars.and_then(|bars| bars.parse().ok()))?;
        }
        let units = words.windows(2).filter_map(|pair| match pair {
            [number, "events/s" | "orders/s" | "ticks/s"] => number.parse::<f64>().ok(),
            _ => None,
        });
        best = best.into_iter().chain(units).reduce(f64::max);
    }
    Ok(best)
}

/// Refuses a figure that was made of another number than the one that there must be.
fn complete(wanted: &Wanted, due: u64, counted: &str, count: Option<u64>) -> Result<()> {
    if count == Some(due) {
        return Ok(());
    }
    let count = count.map_or_else(|| "an unknown number".to_owned(), |count| count.to_string());
    Err(Error::failed(format!(
        "{}: {count} {counted} and not {due}: run it again, and compare its script with xtask/src/peers/table.rs",
        wanted.key
    )))
}

/// What one run of our own benchmark gave.
#[derive(Debug)]
pub(crate) struct Ours(Value);

impl Ours {
    /// Reads the output of `mts-bench-path --json`.
    pub(crate) fn read(output: &str) -> Result<Self> {
        let last = output.lines().rev().find_map(|line| serde_json::from_str::<Value>(line).ok());
        last.map(Self)
            .ok_or_else(|| Error::failed("mts-bench-path printed no JSON: run `cargo xtask bench path`"))
    }

    /// The size of ours that is nearest to a peer's, and the figure there.
    pub(crate) fn nearest(&self, work: Work, size: u64) -> Result<(u64, f64)> {
        let missing = || {
            Error::failed(format!(
                "mts-bench-path printed no figure for `{}`: compare it with xtask/src/peers/figures.rs",
                work.name()
            ))
        };
        let (list, kind) = match work {
            Work::Quotes => (&self.0["market"], Some("quotes")),
            Work::Trades => (&self.0["market"], Some("trades")),
            Work::InMemory => (&self.0["in_memory"]["stations"], None),
            Work::Durable => (&self.0["durable"]["stations"], None),
            Work::TickBars => (&self.0["bars"], Some("bars of prints")),
            Work::TimeBars => (&self.0["bars"], Some("bars of time")),
            Work::FeedBars => (&self.0["bars"], Some("bars of a feed")),
            Work::Fills => (&self.0["portfolio"], Some("fills")),
            Work::Values => (&self.0["portfolio"], Some("values")),
        };
        let (counted, rate) = match kind {
            Some(_) => ("events", "events_per_second"),
            None => ("orders", "orders_per_second"),
        };
        let entries = list.as_array().into_iter().flatten();
        let entries = entries.filter(|entry| kind.is_none_or(|kind| entry["kind"] == kind));
        let figures = entries.filter_map(|entry| Some((entry[counted].as_u64()?, entry[rate].as_f64()?)));
        figures.min_by_key(|(at, _)| times(*at, size)).ok_or_else(missing)
    }
}

/// How many thousandths one number is of another, the larger of the smaller.
fn times(a: u64, b: u64) -> u64 {
    a.max(b).saturating_mul(1_000) / a.min(b).max(1)
}

/// The median of figures; of an even number the lower of the two in the middle.
pub(crate) fn median(mut figures: Vec<f64>) -> Option<f64> {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len().saturating_sub(1) / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUOTES: Wanted = Wanted::new(Work::Quotes, 3_000, "engine_bars");
    const ORDERS: Wanted = Wanted::new(Work::InMemory, 2_000, "orders");

    fn read(format: Format, output: &str, wanted: &Wanted) -> f64 {
        format.read(output, wanted).unwrap()
    }

    fn refusal(format: Format, output: &str, wanted: &Wanted) -> String {
        format.read(output, wanted).unwrap_err().to_string()
    }

    fn is(left: f64, right: f64) {
        assert!((left - right).abs() < 1e-9, "{left} {right}");
    }

    #[test]
    fn a_figure_of_lines_is_found_by_its_key() {
        let output = "{\"version\": \"1\"}\n\
            {\"bench\": \"orders\", \"n\": 2000, \"best_ops_s\": 44900, \"median_ops_s\": 40000}\nnoise\n\
            {\"bench\": \"engine_bars\", \"n\": 3000, \"best_ops_s\": 10940, \"median_ops_s\": 9000}\n";
        is(read(Format::Lines, output, &QUOTES), 10_940.0);
        is(read(Format::Lines, output, &ORDERS), 44_900.0);
        let other = output.replace("3000", "4000");
        assert!(refusal(Format::Lines, &other, &QUOTES).contains("4000 measured and not 3000"));
        assert!(refusal(Format::Lines, "", &QUOTES).contains("has no figure engine_bars"));
        let renamed = output.replace("best_ops_s", "best");
        assert!(refusal(Format::Lines, &renamed, &QUOTES).contains("has no figure engine_bars"));
        let nothing = output.replace("10940", "0");
        assert!(refusal(Format::Lines, &nothing, &QUOTES).contains("is 0, which is no rate"));
    }

    #[test]
    fn a_figure_of_cases_is_in_the_last_object() {
        let output = "engine_bars {'seconds': 0.1, 'events_per_s': 1}\n\
            {\"n\": 3000, \"engine_bars\": {\"seconds\": 0.015, \"events_per_s\": 200000, \"callbacks\": 3000, \"fills\": 0}, \
            \"orders\": {\"seconds\": 1.0, \"orders_per_s\": 1900, \"callbacks\": 2000, \"fills\": 2000}}\n";
        is(read(Format::Cases, output, &QUOTES), 200_000.0);
        is(read(Format::Cases, output, &ORDERS), 1_900.0);
        let unfilled = output.replace("\"fills\": 2000", "\"fills\": 5");
        assert!(refusal(Format::Cases, &unfilled, &ORDERS).contains("5 fills and not 2000"));
        let unheard = output.replace("\"callbacks\": 3000", "\"callbacks\": 1");
        assert!(refusal(Format::Cases, &unheard, &QUOTES).contains("1 callbacks and not 3000"));
        assert!(refusal(Format::Cases, "engine_bars 7", &QUOTES).contains("has no figure"));
    }

    #[test]
    fn the_best_figure_of_words_is_taken_and_unfilled_orders_are_told() {
        let output = "engine_bars rep0 0.1000s 30000 events/s seq=3\nengine_bars rep1 0.0500s 60000 events/s seq=3\n\
            orders one 0.5000s sent 2000 filled 2000 4000 orders/s\norders two 0.2500s sent 2000 filled 2000 8000 orders/s\n";
        is(read(Format::Words, output, &QUOTES), 60_000.0);
        is(read(Format::Words, output, &ORDERS), 8_000.0);
        let unfilled = output.replace("two 0.2500s sent 2000 filled 2000", "two 0.2500s sent 2000 filled 5");
        assert!(refusal(Format::Words, &unfilled, &ORDERS).contains("5 fills and not 2000"));
        let bars = Wanted::new(Work::TickBars, 3_000, "direct");
        is(read(Format::Words, "direct 0.0001s 64000000 ticks/s bars=30", &bars), 64_000_000.0);
        let fewer = refusal(Format::Words, "direct 0.0001s 64000000 ticks/s bars=29", &bars);
        assert!(fewer.contains("29 bars and not 30"), "{fewer}");
        is(read(Format::Words, "orders 0.5s 4000 events/s fills_or_bars=2000", &ORDERS), 4_000.0);
        let single = refusal(Format::Words, "orders 0.5s 4000 events/s fills_or_bars=7", &ORDERS);
        assert!(single.contains("7 fills and not 2000"), "{single}");
        assert!(
            refusal(Format::Words, "other 0.5s 4000 events/s", &QUOTES).contains("has no figure engine_bars")
        );
        assert!(
            refusal(Format::Words, "engine_bars many events/s", &QUOTES)
                .contains("has no figure engine_bars")
        );
    }

    #[test]
    fn ours_is_looked_up_at_the_nearest_size() {
        let output = "{\"market\": [{\"kind\": \"quotes\", \"events\": 100000, \"events_per_second\": 3000000.0}, \
            {\"kind\": \"trades\", \"events\": 100000, \"events_per_second\": 4000000.0}], \
            \"in_memory\": {\"stations\": [{\"orders\": 1000, \"orders_per_second\": 150000.0}, \
            {\"orders\": 10000, \"orders_per_second\": 180000.0}]}, \
            \"durable\": {\"stations\": [{\"orders\": 1000, \"orders_per_second\": 40000.0}]}}";
        let ours = Ours::read(output).unwrap();
        let at = |work, size| ours.nearest(work, size).unwrap();
        assert_eq!(at(Work::Quotes, 200_000).0, 100_000);
        is(at(Work::Quotes, 3_000).1, 3_000_000.0);
        is(at(Work::Trades, 3_000).1, 4_000_000.0);
        is(at(Work::InMemory, 2_000).1, 150_000.0);
        is(at(Work::InMemory, 100_000).1, 180_000.0);
        assert_eq!(at(Work::Durable, 300).0, 1_000);
        let older = Ours::read("{\"in_memory\": {\"stations\": []}}").unwrap();
        for work in [Work::Quotes, Work::Trades, Work::InMemory, Work::Durable] {
            let error = older.nearest(work, 1).unwrap_err().to_string();
            assert!(error.contains(&format!("no figure for `{}`", work.name())), "{error}");
        }
        assert!(Ours::read("error: no disk").is_err());
    }

    #[test]
    fn the_median_is_a_figure_that_was_measured() {
        is(median(vec![3.0, 1.0, 2.0]).unwrap(), 2.0);
        is(median(vec![2.0, 1.0]).unwrap(), 1.0);
        assert!(median(Vec::new()).is_none());
    }
}
