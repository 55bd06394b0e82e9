//! What brokers can do, as tables in Markdown for people.

use crate::broker::{Capabilities, FillStream};
use crate::order::{OrderType, TimeInForce};
use std::fmt::Write as _;

/// Names of the lines below the order types, in their order.
const LINES: [&str; 11] = [
    "asset classes",
    "shorting",
    "margin",
    "extended hours",
    "refuses a second order of a client id",
    "change in place",
    "fills",
    "history of events",
    "longest good-till-cancelled",
    "sandbox",
    "requests a minute",
];

impl Capabilities {
    /// The order types by times in force, and the rest line by line, in Markdown.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = head(&["order type"], TimeInForce::ALL.iter().map(|tif| tif.as_str()));
        for (order_type, _) in &self.order_types {
            let cells = TimeInForce::ALL.iter().map(|tif| yes(self.takes(*order_type, *tif), ""));
            row(&mut text, order_type.as_str(), cells);
        }
        text.push_str("\n| capability | |\n|---|---|\n");
        for (name, value) in LINES.into_iter().zip(self.values()) {
            row(&mut text, name, [value]);
        }
        text
    }

    fn values(&self) -> [String; LINES.len()] {
        let told = |is: bool| yes(is, "no").to_owned();
        let classes: Vec<&str> = self.asset_classes.iter().map(|class| class.as_str()).collect();
        let fills = match self.fill_stream {
            FillStream::Push => "pushed".to_owned(),
            FillStream::Poll { seconds } => format!("asked for every {seconds} s"),
        };
        let unlimited = || "without limit".to_owned();
        let history = match self.history_window {
            None => unlimited(),
            Some(window) if window.is_zero() => "none".to_owned(),
            Some(window) => format!("{} h back", window.as_secs() / 3_600),
        };
        let budgets: Vec<String> =
            self.rate_budgets.iter().map(|(name, budget)| format!("{name} {budget}")).collect();
        [
            classes.join(", "),
            told(self.shorting),
            told(self.margin),
            told(self.extended_hours),
            told(self.client_id_dedupe),
            told(self.replace),
            fills,
            history,
            self.gtc_max_days.map_or_else(unlimited, |days| format!("{days} days")),
            told(self.sandbox),
            if budgets.is_empty() { "none stated".to_owned() } else { budgets.join(", ") },
        ]
    }
}

/// Brokers side by side, in Markdown: a column each, in the order given.
#[must_use]
pub fn capability_matrix(brokers: &[(&str, &Capabilities)]) -> String {
    let mut text = head(&["capability"], brokers.iter().map(|(name, _)| *name));
    for order_type in OrderType::ALL {
        let cells = brokers.iter().map(|(_, can)| {
            let tifs = TimeInForce::ALL.iter().filter(|tif| can.takes(*order_type, **tif));
            tifs.map(|tif| tif.as_str()).collect::<Vec<_>>().join(", ")
        });
        row(&mut text, order_type.as_str(), cells);
    }
    let values: Vec<_> = brokers.iter().map(|(_, can)| can.values()).collect();
    for (nth, name) in LINES.into_iter().enumerate() {
        row(&mut text, name, values.iter().filter_map(|of_one| of_one.get(nth)));
    }
    text
}

fn yes(is: bool, otherwise: &'static str) -> &'static str {
    if is { "yes" } else { otherwise }
}

/// The head of a table and the line below it.
fn head<'a>(first: &[&'a str], rest: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = first.iter().copied().chain(rest).collect();
    format!("| {} |\n|{}\n", names.join(" | "), "---|".repeat(names.len()))
}

fn row(text: &mut String, name: &str, cells: impl IntoIterator<Item = impl AsRef<str>>) {
    write!(text, "| {name} |").unwrap_or_default();
    for cell in cells {
        write!(text, " {} |", cell.as_ref()).unwrap_or_default();
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_every_claim() {
        let mut capabilities = Capabilities::none();
        capabilities.order_types = vec![(OrderType::Limit, vec![TimeInForce::Day, TimeInForce::Fok])];
        capabilities.shorting = true;
        let table = capabilities.markdown();
        assert!(table.contains("| order type | day | gtc | ioc | fok | opg |\n|---|---|---|---|---|---|\n| limit | yes |  |  | yes |  |\n"), "{table}");
        assert!(table.contains("| shorting | yes |\n| margin | no |"), "{table}");
    }

    #[test]
    fn brokers_stand_side_by_side() {
        let (mut one, two) = (Capabilities::none(), Capabilities::none());
        one.order_types = vec![(OrderType::Limit, vec![TimeInForce::Day, TimeInForce::Fok])];
        one.gtc_max_days = Some(90);
        let table = capability_matrix(&[("one", &one), ("two", &two)]);
        assert!(table.starts_with("| capability | one | two |\n|---|---|---|\n"), "{table}");
        assert!(table.contains("| limit | day, fok |  |\n"), "{table}");
        assert!(table.contains("| longest good-till-cancelled | 90 days | without limit |\n"), "{table}");
    }
}
