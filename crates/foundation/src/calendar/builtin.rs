//! The tables that come with the crate.

use super::overrides::read_overrides;
use super::table::excerpt;
use super::windows::read_hours;
use super::{CalendarError, MarketCalendar};
use std::sync::OnceLock;

struct Builtin {
    name: &'static str,
    text: &'static str,
    calendar: OnceLock<Result<MarketCalendar, CalendarError>>,
}

const fn table(name: &'static str, text: &'static str) -> Builtin {
    Builtin { name, text, calendar: OnceLock::new() }
}

static BUILTIN: [Builtin; 22] = [
    table("24/5", include_str!("../../data/calendars/24_5.cal")),
    table("24/7", include_str!("../../data/calendars/24_7.cal")),
    table("CMES", include_str!("../../data/calendars/CMES.cal")),
    table("FX", include_str!("../../data/calendars/FX.cal")),
    table("IEPA", include_str!("../../data/calendars/IEPA.cal")),
    table("XAMS", include_str!("../../data/calendars/XAMS.cal")),
    table("XASX", include_str!("../../data/calendars/XASX.cal")),
    table("XBOM", include_str!("../../data/calendars/XBOM.cal")),
    table("XCBF", include_str!("../../data/calendars/XCBF.cal")),
    table("XETR", include_str!("../../data/calendars/XETR.cal")),
    table("XHKG", include_str!("../../data/calendars/XHKG.cal")),
    table("XKRX", include_str!("../../data/calendars/XKRX.cal")),
    table("XLON", include_str!("../../data/calendars/XLON.cal")),
    table("XNAS", include_str!("../../data/calendars/XNAS.cal")),
    table("XNYS", include_str!("../../data/calendars/XNYS.cal")),
    table("XPAR", include_str!("../../data/calendars/XPAR.cal")),
    table("XSES", include_str!("../../data/calendars/XSES.cal")),
    table("XSHG", include_str!("../../data/calendars/XSHG.cal")),
    table("XSWX", include_str!("../../data/calendars/XSWX.cal")),
    table("XTKS", include_str!("../../data/calendars/XTKS.cal")),
    table("XTSE", include_str!("../../data/calendars/XTSE.cal")),
    table("us_futures", include_str!("../../data/calendars/us_futures.cal")),
];

/// What the generated tables do not know.
const OVERRIDES: &str = include_str!("../../data/calendars/overrides.txt");

/// Hours outside the sessions, and what sessions are called.
const HOURS: &str = include_str!("../../data/calendars/hours.txt");

impl MarketCalendar {
    /// The built-in calendar of that name (an ISO 10383 market code, `FX`, `24/5`, `24/7` or `us_futures`, in any case),
    /// expanded at its first use.
    ///
    /// # Errors
    /// [`CalendarError::Unknown`], listing the names there are.
    pub fn builtin(name: &str) -> Result<&'static Self, CalendarError> {
        match BUILTIN.iter().find(|known| known.name.eq_ignore_ascii_case(name.trim())) {
            Some(found) => found.calendar.get_or_init(|| expand(found)).as_ref().map_err(Clone::clone),
            None => {
                let known = Self::builtin_names().collect::<Vec<_>>().join(", ");
                Err(CalendarError::Unknown { name: excerpt(name), known })
            }
        }
    }

    /// The names of the built-in calendars, in alphabetic order.
    pub fn builtin_names() -> impl ExactSizeIterator<Item = &'static str> {
        BUILTIN.iter().map(|known| known.name)
    }
}

fn expand(found: &Builtin) -> Result<MarketCalendar, CalendarError> {
    let own: Vec<_> = read_overrides(OVERRIDES)?
        .into_iter()
        .filter(|(market, _)| market == found.name)
        .map(|(_, change)| change)
        .collect();
    let mut calendar = MarketCalendar::parse(found.text)?.with_overrides(&own)?;
    (calendar.session_kind, calendar.windows) = read_hours(HOURS, found.name)?;
    Ok(calendar)
}
