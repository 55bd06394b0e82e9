//! The ways in which the paper broker is put on trial.

use mts_brokers::paper::PaperConfig;
use mts_conformance::broker::BoxError;
use mts_foundation::{AssetClass, Decimal, Instrument, InstrumentTable, Symbol};
use mts_matching::{ClosedMarket, ExchangeConfig, FeeModel, Rate, Shorting};
use std::time::Duration;

/// Cash at the start.
pub(super) const CASH: Decimal = Decimal::from_parts(1_000_000, 0, 0, false, 0);

/// Instruments that the double names, the last of them in fractions.
const SHARES: [&str; 2] = ["AAPL", "BRK.B"];
const CRYPTO: &str = "BTC-USD";

/// What the market tells, and with it what fills orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drive {
    Quotes,
    Prints,
    Bars,
}

/// One way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// By quotes, at once.
    Quotes,
    /// By bars, of whose volume a tenth may be taken.
    Bars,
    /// By quotes, where orders, cancellations and changes are under way for a while.
    Latency,
    /// By prints, in an account without margin or short sales, over a table of instruments, with rates for makers and takers.
    Cash,
}

impl Mode {
    pub(super) fn drive(self) -> Drive {
        match self {
            Self::Quotes | Self::Latency => Drive::Quotes,
            Self::Bars => Drive::Bars,
            Self::Cash => Drive::Prints,
        }
    }

    /// How long an order, a cancellation and a change are under way.
    pub(super) fn delay(self) -> Duration {
        if self == Self::Latency { Duration::from_millis(20) } else { Duration::ZERO }
    }

    pub(super) fn config(self) -> Result<PaperConfig, BoxError> {
        // The double closes the market where an order is to be refused; nobody else tells of sessions.
        let exchange = ExchangeConfig { closed_market: ClosedMarket::Refuse, ..ExchangeConfig::default() };
        let config = PaperConfig { initial_cash: CASH, exchange, ..PaperConfig::default() };
        Ok(match self {
            Self::Quotes => config,
            Self::Bars => PaperConfig {
                exchange: ExchangeConfig { participation: Some(share()), ..config.exchange },
                ..config
            },
            Self::Latency => PaperConfig {
                exchange: ExchangeConfig {
                    submit_delay: self.delay(),
                    cancel_delay: self.delay(),
                    ..config.exchange
                },
                ..config
            },
            Self::Cash => PaperConfig {
                fees: FeeModel::flat(Rate::BasisPoints(-Decimal::ONE), Rate::BasisPoints(Decimal::from(3))),
                exchange: ExchangeConfig {
                    shorting: Shorting::Refused,
                    check_funds: true,
                    gtc_max_days: Some(90),
                    instruments: Some(instruments()?),
                    ..config.exchange
                },
                ..config
            },
        })
    }
}

/// What of a bar's volume may be taken.
pub(super) fn share() -> Decimal {
    Decimal::new(1, 1)
}

pub(super) fn symbols() -> Vec<Symbol> {
    SHARES.iter().chain([&CRYPTO]).filter_map(|name| Symbol::new(name).ok()).collect()
}

fn instruments() -> Result<InstrumentTable, BoxError> {
    let mut all = Vec::new();
    for symbol in symbols() {
        let coin = symbol.as_str() == CRYPTO;
        let share = Instrument::us_share(symbol);
        all.push(if coin {
            Instrument { asset_class: AssetClass::Crypto, lot: Decimal::new(1, 8), ..share }
        } else {
            share
        });
    }
    Ok(InstrumentTable::from_instruments(all)?)
}
