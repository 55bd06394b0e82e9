//! What a fund is exposed to, by sector, class, country and currency.

use mts_foundation::num::exact;
use mts_foundation::position::PositionBook;
use mts_foundation::{Decimal, Instrument, InstrumentTable};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use std::collections::BTreeMap;

/// Long and short value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LongShort {
    /// Σ value of long positions.
    #[serde(with = "exact")]
    pub long: Decimal,
    /// Σ value of short positions, zero or negative.
    #[serde(with = "exact")]
    pub short: Decimal,
}

impl LongShort {
    /// Σ |value|.
    #[must_use]
    pub fn gross(&self) -> Decimal {
        self.long - self.short
    }

    /// Σ value.
    #[must_use]
    pub fn net(&self) -> Decimal {
        self.long + self.short
    }

    fn add(&mut self, value: Decimal) {
        let side = if value.is_sign_negative() { &mut self.short } else { &mut self.long };
        *side = side.saturating_add(value);
    }
}

/// Values of what is held, grouped; an instrument whose sector or country is not known counts under the empty name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Exposures {
    /// Everything.
    pub total: LongShort,
    /// By sector.
    pub by_sector: BTreeMap<SmolStr, LongShort>,
    /// By asset class.
    pub by_class: BTreeMap<SmolStr, LongShort>,
    /// By country of risk.
    pub by_country: BTreeMap<SmolStr, LongShort>,
    /// By currency of the instrument.
    pub by_currency: BTreeMap<SmolStr, LongShort>,
}

impl Exposures {
    pub(super) fn of(positions: &PositionBook, instruments: &InstrumentTable) -> Self {
        let mut exposures = Self::default();
        for (symbol, held) in positions.iter() {
            let value = held.market_value();
            exposures.total.add(value);
            let Some(instrument) = instruments.get(symbol) else { continue };
            let Instrument { sector, asset_class, country, currency, .. } = instrument;
            let class = SmolStr::new(asset_class.to_string());
            let currency = SmolStr::new(currency.to_string());
            for (groups, name) in [
                (&mut exposures.by_sector, sector.clone()),
                (&mut exposures.by_class, class),
                (&mut exposures.by_country, country.clone()),
                (&mut exposures.by_currency, currency),
            ] {
                groups.entry(name).or_default().add(value);
            }
        }
        exposures
    }
}
