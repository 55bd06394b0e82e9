//! What came out: a table for people, one JSON object for programs.

use serde_json::{Value, json};

use super::figures::Work;
use super::table::OURS;

/// A peer's figure beside ours.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) work: Work,
    pub(crate) peer: &'static str,
    /// Theirs, and the number of events or orders that it is the mean over.
    pub(crate) theirs: f64,
    pub(crate) size: u64,
    /// Ours, and the number of events or orders around which it was measured.
    pub(crate) ours: f64,
    pub(crate) our_size: u64,
    /// Why no ratio may be made of it.
    pub(crate) unlike: Option<&'static str>,
}

impl Row {
    /// How many times theirs ours is.
    fn ratio(&self) -> Option<f64> {
        self.unlike.is_none().then(|| self.ours / self.theirs)
    }
}

/// Everything that a run of the command has to tell.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) rows: Vec<Row>,
    /// Peers that were run, and what they do differently.
    pub(crate) differs: Vec<(&'static str, &'static str)>,
    /// Peers that are not installed, and how that is done.
    pub(crate) missing: Vec<(&'static str, String)>,
    /// Peers that could not be installed or ended with an error.
    pub(crate) failed: Vec<(&'static str, String)>,
    /// Peers whose output had not what it should have.
    pub(crate) unread: Vec<(&'static str, String)>,
    /// The machine's load before each run.
    loads: Vec<(&'static str, f64)>,
}

impl Report {
    /// Looks at how busy the machine is, where it says so.
    pub(crate) fn note_load(&mut self, before: &'static str) {
        let load = std::fs::read_to_string("/proc/loadavg").ok();
        let load = load.and_then(|text| text.split_whitespace().next()?.parse().ok());
        self.loads.extend(load.map(|load| (before, load)));
    }

    /// Whether output was not understood: a defect of this tool or of a script, and no peer's failure.
    pub(crate) fn is_unread(&self) -> bool {
        !self.unread.is_empty()
    }

    /// The rows in the order of the work, within it in that of the peers.
    fn sorted(&self) -> Vec<&Row> {
        let mut rows: Vec<&Row> = self.rows.iter().collect();
        rows.sort_by_key(|row| row.work as u8);
        rows
    }

    /// For people.
    pub(crate) fn text(&self) -> String {
        let work = self.rows.iter().map(|row| row.work.name().len()).max().unwrap_or(0).max("work".len());
        let peer = self.rows.iter().map(|row| row.peer.len()).max().unwrap_or(0).max("peer".len());
        let mut lines = vec![format!(
            "{:work$}  {:>11}  {:>8}  {:peer$}  {:>11}  {:>8}  {:>8}",
            "work", "mts", "around", "peer", "theirs", "mean of", "ratio"
        )];
        for row in self.sorted() {
            lines.push(format!(
                "{:work$}  {:>11}  {:>8}  {:peer$}  {:>11}  {:>8}  {:>8}",
                row.work.name(),
                grouped(row.ours),
                row.our_size,
                row.peer,
                grouped(row.theirs),
                row.size,
                row.unlike.map_or_else(|| short(row.ours / row.theirs), |_| "none".to_owned()),
            ));
        }
        lines.push(String::new());
        lines.push(format!("mts: {OURS}"));
        lines.extend(self.differs.iter().map(|(peer, differs)| format!("{peer}: {differs}")));
        let unlike = self.rows.iter().filter_map(|row| Some((row, row.unlike?)));
        lines.extend(
            unlike.map(|(row, why)| format!("no ratio for {} of {}: {why}", row.work.name(), row.peer)),
        );
        if let Some(load) = self.loads() {
            lines.push(load);
        }
        lines.extend(self.missing.iter().map(|(peer, how)| format!("not installed: {peer}: {how}")));
        lines.extend(self.failed.iter().map(|(peer, why)| format!("failed: {peer}: {why}")));
        lines.extend(self.unread.iter().map(|(peer, why)| format!("not understood: {peer}: {why}")));
        lines.join("\n")
    }

    /// How busy the machine was, in a sentence.
    fn loads(&self) -> Option<String> {
        let values = || self.loads.iter().map(|(_, load)| *load);
        let (least, most) = (values().reduce(f64::min)?, values().reduce(f64::max)?);
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Some(format!(
            "load average before the runs {least:.1} to {most:.1} on {cores} cores: on an idle machine it is below one"
        ))
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        let rows = self.sorted().into_iter().map(|row| {
            json!({
                "work": row.work.name(), "peer": row.peer, "ours": row.ours, "ours_around": row.our_size,
                "theirs": row.theirs, "theirs_mean_of": row.size, "ratio": row.ratio(), "unlike": row.unlike,
            })
        });
        let told = |list: &[(&'static str, String)]| {
            list.iter().map(|(peer, text)| json!({ "peer": peer, "text": text })).collect::<Vec<_>>()
        };
        let differs = self.differs.iter().map(|(peer, text)| json!({ "peer": peer, "text": text }));
        let loads = self.loads.iter().map(|(before, load)| json!({ "before": before, "load": load }));
        json!({
            "rows": rows.collect::<Vec<_>>(), "ours": OURS, "differs": differs.collect::<Vec<_>>(),
            "loads": loads.collect::<Vec<_>>(), "missing": told(&self.missing), "failed": told(&self.failed),
            "not_understood": told(&self.unread),
        })
    }
}

/// A rate as a whole number in groups of three.
fn grouped(rate: f64) -> String {
    let digits = format!("{rate:.0}");
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A ratio with about three digits.
fn short(ratio: f64) -> String {
    if ratio >= 100.0 {
        grouped(ratio)
    } else if ratio >= 10.0 {
        format!("{ratio:.1}")
    } else {
        format!("{ratio:.2}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let row = |work, peer, theirs, unlike| Row {
            work,
            peer,
            theirs,
            size: 2_000,
            ours: 50_000.0,
            our_size: 1_000,
            unlike,
        };
        Report {
            rows: vec![
                row(Work::Durable, "slow 1", 20.0, None),
                row(Work::Durable, "loose 1", 5_000.0, Some("it never syncs")),
                row(Work::Quotes, "slow 1", 4_000.0, None),
            ],
            differs: vec![("slow 1", "no books")],
            missing: vec![("gone 1", "install it".to_owned())],
            ..Report::default()
        }
    }

    #[test]
    fn a_ratio_stands_beside_what_is_alike_only() {
        let text = report().text();
        let line = |start: &str| text.lines().find(|line| line.starts_with(start)).unwrap().to_owned();
        let durable: Vec<&str> = text.lines().filter(|line| line.starts_with("orders/s durable")).collect();
        assert!(durable[0].ends_with(" 2,500"), "{text}");
        assert!(durable[1].ends_with(" none"), "{text}");
        assert!(line("quotes/s").ends_with(" 12.5"), "{text}");
        assert!(text.find("quotes/s") < text.find("orders/s durable"), "{text}");
        assert!(text.contains("no ratio for orders/s durable of loose 1: it never syncs"), "{text}");
        assert!(text.contains("not installed: gone 1: install it"), "{text}");
        let json = report().json();
        assert_eq!(json["rows"][1]["ratio"], 2_500.0);
        assert_eq!(json["rows"][2]["ratio"], Value::Null);
        assert_eq!(json["missing"][0]["peer"], "gone 1");
    }

    #[test]
    fn only_output_that_was_not_understood_is_an_error() {
        let mut report = report();
        report.failed.push(("broken 1", "ended with code 1".to_owned()));
        assert!(!report.is_unread());
        assert!(report.text().contains("failed: broken 1: ended with code 1"));
        report.unread.push(("changed 1", "no figure".to_owned()));
        assert!(report.is_unread());
        assert!(report.text().contains("not understood: changed 1: no figure"));
    }

    #[test]
    fn numbers_are_short_and_grouped() {
        assert_eq!(grouped(999.6), "1,000");
        assert_eq!(grouped(2_760_000.0), "2,760,000");
        assert_eq!(grouped(17.0), "17");
        assert_eq!([short(2.345), short(23.45), short(2_345.0)], ["2.35", "23.4", "2,345"]);
    }
}
