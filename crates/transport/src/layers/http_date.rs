//! Times in headers (RFC 9110, 5.6.7 and 10.2.3).

use http::HeaderMap;
use http::header::{DATE, HeaderName, RETRY_AFTER};
use mts_foundation::Timestamp;
use std::time::Duration;

/// What a header says as `Sun, 06 Nov 1994 08:49:37 GMT`.
pub(super) fn time(headers: &HeaderMap, name: &HeaderName) -> Option<Timestamp> {
    let text = headers.get(name)?.to_str().ok()?;
    let time = chrono::DateTime::parse_from_rfc2822(text).ok()?;
    time.timestamp_millis().checked_mul(1_000_000).map(Timestamp::from_nanos)
}

/// How long a server wants to be left alone, as it says in seconds or as a time, by its own clock where it tells that, else by
/// ours.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let until = time(headers, &RETRY_AFTER)?;
    Some(until.since(time(headers, &DATE).unwrap_or(now)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_read_in_seconds_and_as_a_time() {
        let now = Timestamp::from_nanos(784_111_777 * 1_000_000_000);
        for (said, date, expected) in [
            ("7", None, Some(7)),
            (" 0 ", None, Some(0)),
            ("Sun, 06 Nov 1994 08:49:47 GMT", None, Some(10)),
            // The server's clock is two minutes ahead of ours.
            ("Sun, 06 Nov 1994 08:51:40 GMT", Some("Sun, 06 Nov 1994 08:51:37 GMT"), Some(3)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", None, Some(0)),
            ("soon", None, None),
            ("-1", None, None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, said.parse().unwrap());
            if let Some(date) = date {
                headers.insert(DATE, date.parse().unwrap());
            }
            assert_eq!(retry_after(&headers, now), expected.map(Duration::from_secs), "{said}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
