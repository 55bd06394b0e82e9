//! Canonical texts of every form, made of their parts and not by the code under test.

use chrono::NaiveDate;
use mts_foundation::symbology::{Market, OptionRight};
use proptest::prelude::*;

pub(crate) const MONTHS: [char; 12] = ['F', 'G', 'H', 'J', 'K', 'M', 'N', 'Q', 'U', 'V', 'X', 'Z'];

pub(crate) fn us_root() -> impl Strategy<Value = String> {
    "[A-Z]{1,6}"
}

/// A root with the market it is written for.
pub(crate) fn root_and_market() -> impl Strategy<Value = (String, Option<&'static str>)> {
    prop_oneof![
        us_root().prop_map(|root| (root, None)),
        ("[A-Z0-9]{1,12}", prop::sample::select(vec!["AU", "CA", "DE", "GB", "JP"]))
            .prop_map(|(root, market)| (root, Some(market))),
        (1_u32..=99_999).prop_map(|number| (format!("{number:04}"), Some("HK"))),
        (1_u32..=999_999, prop::sample::select(vec!["KR", "SH", "SZ"]))
            .prop_map(|(number, market)| (format!("{number:06}"), Some(market))),
    ]
}

pub(crate) fn share() -> impl Strategy<Value = (String, (String, Option<char>, Option<&'static Market>))> {
    (root_and_market(), proptest::option::of(prop::char::range('A', 'Z'))).prop_map(
        |((root, market), class)| {
            let mut text = root.clone();
            for part in class.map(String::from).into_iter().chain(market.map(String::from)) {
                text = format!("{text}.{part}");
            }
            (text, (root, class, market.and_then(Market::of)))
        },
    )
}

pub(crate) fn code() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec!["BTC", "ETH", "XBT", "USDT", "USDC", "1INCH", "PERP"])
            .prop_map(String::from),
        prop::sample::select(vec!["USD", "EUR", "JPY", "CNH", "XAU"]).prop_map(String::from),
        "[0-9]{0,4}[A-Z][A-Z0-9]{0,7}",
    ]
}

/// The two sides of a pair.
pub(crate) fn legs() -> impl Strategy<Value = (String, String)> {
    (code(), code()).prop_filter("a pair", |(base, quote)| base != quote && quote != "PERP")
}

pub(crate) type OptionFields = (String, NaiveDate, OptionRight, u32);

/// An option as root and the rest, with its fields; the strike in thousandths.
pub(crate) fn option() -> impl Strategy<Value = ((String, String), OptionFields)> {
    ("[A-Z][A-Z0-9]{0,5}", 2000_i32..2100, 1_u32..=366, any::<bool>(), 1_u32..100_000_000).prop_filter_map(
        "a date",
        |(root, year, day, call, thousandths)| {
            let expiry = NaiveDate::from_yo_opt(year, day)?;
            let (right, letter) = if call { (OptionRight::Call, 'C') } else { (OptionRight::Put, 'P') };
            let rest = format!("{}{letter}{thousandths:08}", expiry.format("%y%m%d"));
            Some(((root.clone(), rest), (root, expiry, right, thousandths)))
        },
    )
}

/// A future's text and its root, month and year.
pub(crate) fn future() -> impl Strategy<Value = (String, (String, u32, i32))> {
    ("[0-9]{0,2}[A-Z][A-Z0-9]{0,3}", 1_u32..=12, 0_i32..100).prop_map(|(root, month, year)| {
        let code = MONTHS[month as usize - 1];
        (format!("{root}{code}{year:02}"), (root, month, 2000 + year))
    })
}

pub(crate) fn event_id() -> impl Strategy<Value = String> {
    "[!-`{-~]{1,40}"
}

/// A canonical text of any form.
pub(crate) fn canonical() -> impl Strategy<Value = String> {
    prop_oneof![
        share().prop_map(|(text, _)| text),
        legs().prop_map(|(base, quote)| format!("{base}-{quote}")),
        legs().prop_map(|(base, quote)| format!("{base}-{quote}-PERP")),
        option().prop_map(|((root, rest), _)| root + &rest),
        future().prop_map(|(text, _)| text),
        event_id().prop_map(|id| format!("PM:{id}")),
        event_id().prop_map(|id| format!("SP:{id}")),
    ]
}

/// Texts that nearly are symbols: the letters that decide between the forms, in any order.
pub(crate) fn nearly() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-DPMSUXZ0-9.:/ -]{0,24}",
        "[A-Z]{1,4}[0-9]{4,6}[CP][0-9]{6,8}",
        "\\PC{0,30}",
        "[A-Z]{2,4}[FZ][0-9]{1,3}"
    ]
}

/// One character put in, taken out or changed.
#[derive(Debug)]
pub(crate) struct Bend {
    at: prop::sample::Index,
    how: u8,
    letter: char,
}

pub(crate) fn bend() -> impl Strategy<Value = Bend> {
    let letters: Vec<char> = "0A.-:/ pBZ6".chars().collect();
    (any::<prop::sample::Index>(), 0..3_u8, prop::sample::select(letters))
        .prop_map(|(at, how, letter)| Bend { at, how, letter })
}

impl Bend {
    pub(crate) fn of(&self, text: &str) -> String {
        let mut letters: Vec<char> = text.chars().collect();
        let at = self.at.index(letters.len() + 1);
        match self.how {
            0 => letters.insert(at, self.letter),
            1 if at < letters.len() => drop(letters.remove(at)),
            _ if at < letters.len() => letters[at] = self.letter,
            _ => {}
        }
        letters.into_iter().collect()
    }
}
