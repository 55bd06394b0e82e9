//! Which sizer sizes when: by the stretch of trading that an instant falls into.

use crate::sizers;
use mts_foundation::calendar::{CalendarError, MarketCalendar, WindowKind};
use mts_foundation::registry::Registry;
use mts_foundation::sizing::{ComputeError, Sizer, SizingInput};
use mts_foundation::{AssetClass, Timestamp};
use ndarray::Array1;
use std::collections::BTreeMap;
use std::sync::Arc;

const NAME: &str = "session_matrix";

/// The documented rows: stretch of trading, sizer, gross cap.
const DOCUMENTED: [(WindowKind, &str, f64); 5] = [
    (WindowKind::Regular, "kelly_voltarget_12", 1.0),
    (WindowKind::Pre, "kelly_voltarget_8", 0.3),
    (WindowKind::Post, "kelly_voltarget_8", 0.3),
    (WindowKind::Overnight, "equal_weight_ls", 0.1),
    (WindowKind::AroundTheClock, "kelly_voltarget_12", 1.0),
];

/// What sizes in one stretch of trading.
#[derive(Clone)]
pub struct SessionRule {
    sizer: Arc<dyn Sizer>,
    gross_cap: f64,
}

impl std::fmt::Debug for SessionRule {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("SessionRule")
            .field("sizer", &self.sizer.name())
            .field("gross_cap", &self.gross_cap)
            .finish()
    }
}

impl SessionRule {
    /// A rule.
    ///
    /// # Errors
    /// [`ComputeError`] unless the cap is a number above 0.
    pub fn new(sizer: Arc<dyn Sizer>, gross_cap: f64) -> Result<Self, ComputeError> {
        if gross_cap > 0.0 && gross_cap.is_finite() {
            return Ok(Self { sizer, gross_cap });
        }
        Err(ComputeError::new(NAME, format!("gross_cap is {gross_cap}; it must be a number above 0")))
    }

    /// The sizer, without the cap.
    #[must_use]
    pub fn sizer(&self) -> &dyn Sizer {
        &*self.sizer
    }

    /// Largest sum of the weights without their signs.
    #[must_use]
    pub fn gross_cap(&self) -> f64 {
        self.gross_cap
    }

    /// What the sizer gives, the whole book scaled down to the cap where it is larger.
    ///
    /// # Errors
    /// Those of the sizer.
    pub fn size(&self, input: &SizingInput<'_>) -> Result<Array1<f64>, ComputeError> {
        let weights = self.sizer.size(input)?;
        Ok(capped(weights, self.gross_cap))
    }
}

/// A book scaled down to a largest sum of its weights without their signs; a smaller one stays what it is.
pub(crate) fn capped(mut weights: Array1<f64>, gross_cap: f64) -> Array1<f64> {
    let gross: f64 = weights.iter().map(|weight| weight.abs()).sum();
    if gross > gross_cap {
        weights *= gross_cap / gross;
    }
    weights
}

/// Sizers by stretch of trading. Which stretch it is follows from the calendar of the asset class.
#[derive(Debug, Clone)]
pub struct SessionMatrix {
    rules: BTreeMap<WindowKind, SessionRule>,
    calendars: BTreeMap<AssetClass, &'static MarketCalendar>,
}

impl SessionMatrix {
    /// A matrix of these rules, with the usual calendars: `XNYS` for shares and options, `FX`, `CMES` for futures, `24/7` for
    /// the rest.
    ///
    /// # Errors
    /// [`CalendarError`]: a built-in calendar cannot be read.
    pub fn new(rules: BTreeMap<WindowKind, SessionRule>) -> Result<Self, CalendarError> {
        let usual = |class: AssetClass| match class {
            AssetClass::Equities | AssetClass::Options => "XNYS",
            AssetClass::Fx => "FX",
            AssetClass::Futures => "CMES",
            AssetClass::Crypto | AssetClass::Prediction | AssetClass::Sports => "24/7",
        };
        let calendars = AssetClass::ALL
            .into_iter()
            .map(|class| Ok((class, MarketCalendar::builtin(usual(class))?)))
            .collect::<Result<_, CalendarError>>()?;
        Ok(Self { rules, calendars })
    }

    /// The documented matrix, its sizers with their default parameters.
    ///
    /// # Errors
    /// [`ComputeError`]: never in practice, as all of it is built in.
    pub fn documented() -> Result<Self, ComputeError> {
        Self::from_registry(&sizers::builtin()?, &DOCUMENTED)
    }

    /// A matrix of sizers by name, with their default parameters.
    ///
    /// # Errors
    /// [`ComputeError`] for a sizer that is not there or needs parameters, and for a cap that makes no sense.
    pub fn from_registry(
        registry: &Registry<dyn Sizer>,
        rows: &[(WindowKind, &str, f64)],
    ) -> Result<Self, ComputeError> {
        let mut rules = BTreeMap::new();
        for (kind, sizer, gross_cap) in rows {
            let sizer = registry.build(sizer, &Default::default())?;
            rules.insert(*kind, SessionRule::new(sizer.into(), *gross_cap)?);
        }
        Self::new(rules).map_err(|error| ComputeError::new(NAME, error.to_string()))
    }

    /// The same matrix with another calendar for an asset class.
    #[must_use]
    pub fn with_calendar(mut self, class: AssetClass, calendar: &'static MarketCalendar) -> Self {
        self.calendars.insert(class, calendar);
        self
    }

    /// What sizes instruments of this class at this moment; `None` while their market is closed, and in a stretch that has no
    /// rule.
    ///
    /// # Errors
    /// [`CalendarError::OutOfRange`] beyond the calendar.
    pub fn resolve(&self, class: AssetClass, asof: Timestamp) -> Result<Option<&SessionRule>, CalendarError> {
        let Some(calendar) = self.calendars.get(&class) else { return Ok(None) };
        let window = calendar.window_at(asof.to_datetime())?;
        Ok(window.and_then(|window| self.rules.get(&window.kind)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use mts_foundation::Symbol;
    use ndarray::array;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_documented_matrix() {
        let matrix = SessionMatrix::documented().unwrap();
        let rule = |class, time: &str| {
            let rule = matrix.resolve(class, at(time)).unwrap();
            rule.map(|rule| (rule.sizer().name().to_owned(), rule.gross_cap()))
        };
        let named = |name: &str, cap| Some((name.to_owned(), cap));
        // New York in winter is five hours behind.
        assert_eq!(rule(AssetClass::Equities, "2026-01-15T15:00:00Z"), named("kelly_voltarget_12", 1.0));
        assert_eq!(rule(AssetClass::Equities, "2026-01-15T13:00:00Z"), named("kelly_voltarget_8", 0.3));
        assert_eq!(rule(AssetClass::Options, "2026-01-15T22:00:00Z"), named("kelly_voltarget_8", 0.3));
        assert_eq!(rule(AssetClass::Equities, "2026-01-15T03:00:00Z"), named("equal_weight_ls", 0.1));
        assert_eq!(rule(AssetClass::Equities, "2026-01-17T15:00:00Z"), None, "a Saturday");
        assert_eq!(rule(AssetClass::Crypto, "2026-01-17T15:00:00Z"), named("kelly_voltarget_12", 1.0));
    }

    #[test]
    fn the_cap_scales_a_book_down_and_never_up() {
        let registry = sizers::builtin().unwrap();
        let parameters = serde_json::from_str(r#"{"gross":2}"#).unwrap();
        let sizer: Arc<dyn Sizer> = registry.build("signal_proportional", &parameters).unwrap().into();
        let symbols = ["A", "B"].map(|name| Symbol::new(name).unwrap());
        let signal = array![3.0, -1.0];
        let input = SizingInput::of_signal(&symbols, signal.view());
        let size = |cap| SessionRule::new(Arc::clone(&sizer), cap).unwrap().size(&input).unwrap();
        assert_eq!(size(0.4), array![0.30000000000000004, -0.1]);
        assert_eq!(size(5.0), array![1.5, -0.5]);
        for cap in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(SessionRule::new(Arc::clone(&sizer), cap).is_err(), "{cap}");
        }
    }
}
