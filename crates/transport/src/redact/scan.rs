//! Finds `name=value`, `name: value` and `"name":"value"` in any text, and masks the values of certain names.

use std::borrow::Cow;

/// Words behind which the secret proper stands.
const SCHEMES: &[&str] = &["bearer", "basic", "token", "digest"];

/// The text with the values under these names, in small letters, replaced by a word.
pub(super) fn mask<'a>(text: Cow<'a, str>, names: &[String], word: &str) -> Cow<'a, str> {
    let mut clean = String::new();
    // Up to where the text is copied, and where the next name may begin.
    let (mut copied, mut place) = (0, 0);
    while let Some(found) = next_value(&text, place, names) {
        place = found.end;
        if text.get(found.start..found.end) == Some(word) {
            continue;
        }
        clean.push_str(text.get(copied..found.start).unwrap_or_default());
        // A number in JSON becomes a text, or the rest could not be read any more.
        let quote = if found.is_bare_json { "\"" } else { "" };
        clean.extend([quote, word, quote]);
        copied = found.end;
    }
    if copied == 0 {
        return text;
    }
    clean.push_str(text.get(copied..).unwrap_or_default());
    Cow::Owned(clean)
}

/// Where a value stands.
struct Found {
    start: usize,
    end: usize,
    is_bare_json: bool,
}

/// The next value of one of the names.
fn next_value(text: &str, from: usize, names: &[String]) -> Option<Found> {
    let bytes = text.as_bytes();
    let mut place = from;
    loop {
        // Every name begins where a word begins.
        let start = bytes.get(place..)?.iter().position(|byte| is_word(*byte))?.saturating_add(place);
        let length = bytes.get(start..)?.iter().take_while(|byte| is_word(**byte)).count();
        let end = start.saturating_add(length);
        let name = text.get(start..end).unwrap_or_default();
        if names.iter().any(|known| known.eq_ignore_ascii_case(name))
            && let Some(found) = value(bytes, end)
        {
            return Some(found);
        }
        place = end;
    }
}

/// The value behind a name that ends here; `None` if it is only a word, or what follows is an object or a list.
fn value(bytes: &[u8], name_end: usize) -> Option<Found> {
    let at = |place: usize| bytes.get(place).copied();
    let skip = |mut place: usize, what: &[u8]| {
        while at(place).is_some_and(|byte| what.contains(&byte)) {
            place = place.saturating_add(1);
        }
        place
    };
    let behind_name = skip(name_end, b"\\\"'");
    let is_quoted_name = behind_name > name_end;
    let separator = skip(behind_name, b" ");
    if !matches!(at(separator), Some(b'=' | b':')) {
        return None;
    }
    let start = skip(separator.saturating_add(1), b" ");
    let escapes = skip(start, b"\\").saturating_sub(start);
    let quote = at(start.saturating_add(escapes)).filter(|byte| b"\"'".contains(byte));
    if let Some(quote) = quote {
        let start = start.saturating_add(escapes).saturating_add(1);
        let end = quoted_end(bytes, start, quote, escapes);
        return Some(Found { start, end, is_bare_json: false });
    }
    let mut end = bare_end(bytes, start);
    let scheme = bytes.get(start..end).unwrap_or_default();
    if at(end) == Some(b' ') && SCHEMES.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(scheme)) {
        end = bare_end(bytes, skip(end, b" "));
    }
    let is_nested = matches!(at(start), Some(b'{' | b'['));
    (end > start && !is_nested).then_some(Found { start, end, is_bare_json: is_quoted_name })
}

/// Where a text in quotes ends, whose quotes stand behind so many backslashes.
fn quoted_end(bytes: &[u8], start: usize, quote: u8, escapes: usize) -> usize {
    let mut backslashes = 0_usize;
    for (place, byte) in bytes.iter().enumerate().skip(start) {
        match *byte {
            b'\\' => backslashes = backslashes.saturating_add(1),
            byte if byte == quote && backslashes <= escapes => return place.saturating_sub(backslashes),
            _ => backslashes = 0,
        }
    }
    bytes.len()
}

/// Where a value without quotes ends.
fn bare_end(bytes: &[u8], start: usize) -> usize {
    let ends = |byte: &u8| byte.is_ascii_whitespace() || b"&,;\"'}])<>".contains(byte);
    let length = bytes.get(start..).and_then(|rest| rest.iter().position(ends));
    length.map_or(bytes.len(), |length| start.saturating_add(length))
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(text: &str) -> String {
        let names = ["token".to_owned(), "authorization".to_owned()];
        mask(Cow::Borrowed(text), &names, "X").into_owned()
    }

    #[test]
    fn values_are_masked_however_they_are_written() {
        for (text, expected) in [
            ("?token=abc&next=1", "?token=X&next=1"),
            ("TOKEN: abc", "TOKEN: X"),
            ("Authorization: Bearer a.b.c next", "Authorization: X next"),
            (r#"{"token":"a\"b","n":1}"#, r#"{"token":"X","n":1}"#),
            (r#"{"token" : 12.50}"#, r#"{"token" : "X"}"#),
            (r#"{"token":null,"a":2}"#, r#"{"token":"X","a":2}"#),
            (r#""{\"token\":\"abc\",\"n\":1}""#, r#""{\"token\":\"X\",\"n\":1}""#),
            ("token='a b' token=c", "token='X' token=X"),
            (r#"{"token":"never ends"#, r#"{"token":"X"#),
        ] {
            assert_eq!(masked(text), expected, "{text}");
        }
    }

    #[test]
    fn words_that_are_no_names_stay() {
        for text in [
            "the token is old",
            "?tokens=abc",
            "?my-token=abc",
            r#"{"token":{"id":1}}"#,
            "token=",
            "token=X",
            "",
            "größe=1",
        ] {
            assert_eq!(masked(text), text);
        }
    }
}
