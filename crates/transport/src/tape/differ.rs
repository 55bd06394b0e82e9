//! Where what an adapter does is not what its tape has.

use super::format::Asked;

/// Most characters of a text that are shown.
const SHOWN: usize = 80;

/// The first difference of two requests, for people.
pub(super) fn of_requests(wanted: &Asked, got: &Asked) -> Option<String> {
    let line = |asked: &Asked| format!("{} {}", asked.method, asked.address);
    let header = |(name, value): &(String, String)| format!("{name}: {value}");
    let parts = [
        ("request", line(wanted), line(got)),
        ("body", wanted.body.as_str().to_owned(), got.body.as_str().to_owned()),
    ];
    if let Some((what, wanted, got)) = parts.iter().find(|(_, wanted, got)| wanted != got) {
        return Some(of_texts(what, wanted, got));
    }
    let missing = wanted.headers.iter().find(|wanted| !got.headers.contains(wanted)).map(header);
    let more = got.headers.iter().find(|got| !wanted.headers.contains(got)).map(header);
    if missing.is_none() && more.is_none() {
        return None;
    }
    Some(of_texts("header", missing.as_deref().unwrap_or_default(), more.as_deref().unwrap_or_default()))
}

/// Both texts from a little before where they differ.
pub(super) fn of_texts(what: &str, wanted: &str, got: &str) -> String {
    let same = wanted.chars().zip(got.chars()).take_while(|(wanted, got)| wanted == got).count();
    let shown = |text: &str| {
        let skipped = same.saturating_sub(SHOWN / 4);
        let more = if skipped > 0 { "…" } else { "" };
        let part: String = text.chars().skip(skipped).take(SHOWN).collect();
        let rest = if text.chars().count() > skipped.saturating_add(SHOWN) { "…" } else { "" };
        format!("{more}{part}{rest}")
    };
    format!("the {what} is `{}`, the tape has `{}`", shown(got), shown(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_shown_where_they_differ() {
        let (wanted, got) = ("a".repeat(500) + "b" + &"c".repeat(500), "a".repeat(500) + "x");
        let said = of_texts("body", &wanted, &got);
        assert!(said.contains("aax`") && said.contains("aabcc") && said.len() < 400, "{said}");
    }
}
