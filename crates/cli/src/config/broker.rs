//! Section `[broker]`: which broker, and how the paper broker behaves.

use mts_brokers::PaperConfig;
use mts_foundation::num::{exact, exact_option};
use mts_foundation::registry::Parameters;
use mts_foundation::schema::PositiveDecimal;
use mts_foundation::{BrokerName, Currency, Decimal, InstrumentTable, Symbol};
use mts_matching::{ExchangeConfig, FeeModel, Rate, Shorting, Tier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// Section `[broker]`. What is absent is not written back, so that a configuration keeps its hash when keys are added.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct BrokerSection {
    /// Registry key.
    pub name: BrokerName,
    /// Cost of each side in basis points of the traded value, where `fees` is absent.
    #[serde(with = "exact", default = "five")]
    pub fee_bps_per_side: Decimal,
    /// A richer fee model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fees: Option<FeesSection>,
    /// Milliseconds from handing an order over until it meets the market.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
    /// Milliseconds from asking for a cancellation or change until it takes effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_delay_ms: Option<u64>,
    /// Whether short sales are taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shorting: Option<ShortingSection>,
    /// Share of a bar's volume that the account's orders may take together.
    #[serde(with = "exact_option", default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<PositiveDecimal>")]
    pub participation: Option<Decimal>,
    /// Days after which a good-till-cancelled order expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gtc_max_days: Option<u32>,
    /// The instruments of the data that are traded there; absent = all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub symbols: Option<Vec<Symbol>>,
    /// Address of the control channel of a venue's double, which gets the run's prices before the engine does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<String>,
    /// Parameters of a broker of one's own.
    #[serde(default)]
    pub params: Parameters,
}

/// Key `broker.fees`. Empty = free; a rate of makers that is absent is the takers'.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FeesSection {
    /// Basis points for orders that rested; negative = a rebate.
    #[serde(with = "exact_option", skip_serializing_if = "Option::is_none")]
    pub maker_bps: Option<Decimal>,
    /// Basis points for the others.
    #[serde(with = "exact_option", skip_serializing_if = "Option::is_none")]
    pub taker_bps: Option<Decimal>,
    /// Money per unit, instead of basis points.
    #[serde(with = "exact_option", skip_serializing_if = "Option::is_none")]
    pub per_unit: Option<Decimal>,
    /// Rates by the value traded in the calendar month, instead of one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tiers: Vec<TierSection>,
    /// Least per order that trades.
    #[serde(with = "exact_option", skip_serializing_if = "Option::is_none")]
    pub minimum: Option<Decimal>,
    /// Most per order.
    #[serde(with = "exact_option", skip_serializing_if = "Option::is_none")]
    pub maximum: Option<Decimal>,
    /// Decimal places that the fees of an order are rounded to, half away from zero.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub places: Option<u32>,
}

/// One row of `broker.fees.tiers`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TierSection {
    /// Value traded in the month from which the rates hold; 0 in the first row.
    #[serde(with = "exact")]
    pub from: Decimal,
    /// Basis points for orders that rested.
    #[serde(with = "exact_option", default, skip_serializing_if = "Option::is_none")]
    pub maker_bps: Option<Decimal>,
    /// Basis points for the others.
    #[serde(with = "exact_option", default, skip_serializing_if = "Option::is_none")]
    pub taker_bps: Option<Decimal>,
    /// Money per unit, instead of basis points.
    #[serde(with = "exact_option", default, skip_serializing_if = "Option::is_none")]
    pub per_unit: Option<Decimal>,
}

/// Key `broker.shorting`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ShortingSection {
    /// Short sales are taken.
    Allowed,
    /// They are refused, and so are sales beyond the position.
    Refused,
    /// They are taken as far as these units can be borrowed.
    Borrow(BTreeMap<Symbol, Units>),
}

/// Units of an instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Units(#[serde(with = "exact")] pub Decimal);

fn five() -> Decimal {
    Decimal::from(5)
}

/// Rates of makers and takers from the three ways to write them.
fn rates(
    maker_bps: Option<Decimal>,
    taker_bps: Option<Decimal>,
    per_unit: Option<Decimal>,
) -> Result<(Rate, Rate), String> {
    match (maker_bps, taker_bps, per_unit) {
        (None, None, Some(money)) => Ok((Rate::PerUnit(money), Rate::PerUnit(money))),
        (_, _, Some(_)) => Err("per_unit stands beside basis points; keep one of them".to_owned()),
        (Some(_), None, None) => Err("maker_bps stands alone; give taker_bps too".to_owned()),
        (maker, taker, None) => {
            let taker = taker.unwrap_or_default();
            Ok((Rate::BasisPoints(maker.unwrap_or(taker)), Rate::BasisPoints(taker)))
        }
    }
}

impl FeesSection {
    /// The fee model it describes.
    ///
    /// # Errors
    /// A sentence without the key.
    pub fn model(&self) -> Result<FeeModel, String> {
        let flat = rates(self.maker_bps, self.taker_bps, self.per_unit)?;
        let mut tiers = Vec::new();
        for row in &self.tiers {
            let (maker, taker) = rates(row.maker_bps, row.taker_bps, row.per_unit)?;
            tiers.push(Tier { from: row.from, maker, taker });
        }
        let has_flat = self.maker_bps.or(self.taker_bps).or(self.per_unit).is_some();
        let model = match (tiers.is_empty(), has_flat) {
            (true, false) => FeeModel::free(),
            (true, true) => FeeModel::flat(flat.0, flat.1),
            (false, false) => FeeModel::tiered(tiers),
            (false, true) => return Err("tiers stand beside a single rate; keep one of them".to_owned()),
        };
        let model = model.bounded(self.minimum, self.maximum);
        let model = self.places.map_or(model.clone(), |places| model.rounded(places));
        model.validate().map_err(|error| error.to_string())?;
        Ok(model)
    }
}

impl BrokerSection {
    /// What the paper broker is made from.
    ///
    /// # Errors
    /// One sentence per fault, with the key.
    pub fn paper(
        &self,
        instruments: &InstrumentTable,
        initial_cash: Decimal,
        base_currency: Currency,
    ) -> Result<PaperConfig, Vec<String>> {
        let mut faults = Vec::new();
        if self.fee_bps_per_side < Decimal::ZERO {
            faults.push(format!(
                "broker.fee_bps_per_side is {}; it must be zero or more",
                self.fee_bps_per_side
            ));
        }
        let fees = self.fees.as_ref().map_or_else(
            || Ok(FeeModel::basis_points(self.fee_bps_per_side)),
            |fees| fees.model().map_err(|fault| faults.push(format!("broker.fees: {fault}"))),
        );
        let default = PaperConfig::default();
        let delay = |given: Option<u64>, default| given.map_or(default, Duration::from_millis);
        let exchange = ExchangeConfig {
            submit_delay: delay(self.delay_ms, default.exchange.submit_delay),
            cancel_delay: delay(self.cancel_delay_ms, default.exchange.cancel_delay),
            participation: self.participation,
            gtc_max_days: self.gtc_max_days,
            shorting: match &self.shorting {
                None | Some(ShortingSection::Allowed) => Shorting::Allowed,
                Some(ShortingSection::Refused) => Shorting::Refused,
                Some(ShortingSection::Borrow(list)) => {
                    Shorting::Borrow(list.iter().map(|(symbol, units)| (symbol.clone(), units.0)).collect())
                }
            },
            instruments: Some(instruments.clone()),
            ..default.exchange
        };
        if let Err(error) = exchange.validate() {
            faults.push(format!("broker.{error}"));
        }
        match fees {
            Ok(fees) if faults.is_empty() => Ok(PaperConfig { fees, initial_cash, base_currency, exchange }),
            _ => Err(faults),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(keys: &str) -> Result<PaperConfig, Vec<String>> {
        let section: BrokerSection = toml::from_str(&format!("name = \"paper\"\n{keys}")).unwrap();
        section.paper(&InstrumentTable::new(), Decimal::ONE_HUNDRED, Currency::USD)
    }

    #[test]
    fn the_documented_defaults_hold_and_are_not_written_back() {
        let paper = section("").unwrap();
        let default = PaperConfig::default();
        assert_eq!((&paper.fees, paper.exchange.submit_delay), (&default.fees, Duration::from_millis(100)));
        assert_eq!(paper.fees, FeeModel::basis_points(Decimal::from(5)));
        let section: BrokerSection = toml::from_str("name = \"paper\"").unwrap();
        let keys = serde_json::to_string(&section).unwrap();
        assert_eq!(keys, r#"{"name":"paper","fee_bps_per_side":"5","params":{}}"#);
    }

    #[test]
    fn every_key_reaches_the_broker() {
        let paper = section(
            "delay_ms = 250\ncancel_delay_ms = 50\nparticipation = \"0.1\"\ngtc_max_days = 90\n\
             shorting = { borrow = { AAPL = \"1000\" } }\nfees = { per_unit = \"0.005\", minimum = \"1\", places = 2 }",
        )
        .unwrap();
        let exchange = &paper.exchange;
        assert_eq!(exchange.submit_delay, Duration::from_millis(250));
        assert_eq!(exchange.cancel_delay, Duration::from_millis(50));
        assert_eq!((exchange.participation, exchange.gtc_max_days), (Some("0.1".parse().unwrap()), Some(90)));
        let list = BTreeMap::from([(Symbol::new("AAPL").unwrap(), Decimal::from(1000))]);
        assert_eq!(exchange.shorting, Shorting::Borrow(list));
        let fees = FeeModel::per_unit("0.005".parse().unwrap()).bounded(Some(Decimal::ONE), None).rounded(2);
        assert_eq!(paper.fees, fees);
        assert_eq!(section("fees = {}").unwrap().fees, FeeModel::free());
        assert_eq!(section("shorting = \"refused\"").unwrap().exchange.shorting, Shorting::Refused);
    }

    #[test]
    fn faults_name_the_key_the_value_and_the_remedy() {
        for (keys, expected) in [
            ("participation = \"1.5\"", "broker.participation is 1.5; it must be above 0 and at most 1"),
            ("gtc_max_days = 0", "broker.gtc_max_days is 0; it must be at least 1"),
            ("fee_bps_per_side = -1", "broker.fee_bps_per_side is -1; it must be zero or more"),
            ("fees = { maker_bps = \"1\" }", "broker.fees: maker_bps stands alone; give taker_bps too"),
            ("fees = { taker_bps = \"-1\" }", "broker.fees: the taker's rate is -1; it must be zero or more"),
            ("fees = { tiers = [{ from = \"5\" }] }", "broker.fees: tiers start at 5"),
            ("fees = { per_unit = \"1\", taker_bps = \"1\" }", "broker.fees: per_unit stands beside"),
            ("shorting = { borrow = { AAPL = \"-1\" } }", "broker.shorting.borrow is -1"),
        ] {
            let faults = section(keys).unwrap_err();
            assert!(faults.iter().any(|fault| fault.starts_with(expected)), "{keys}: {faults:?}");
        }
    }
}
