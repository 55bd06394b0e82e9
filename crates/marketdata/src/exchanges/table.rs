//! The descriptors that are built in.

use super::descriptor::{Descriptor, DescriptorError};

/// A descriptor that is built in.
#[derive(Debug, Clone, Copy)]
pub struct Embedded {
    /// The exchange.
    pub name: &'static str,
    /// The TOML.
    pub text: &'static str,
}

impl Embedded {
    /// What it says.
    ///
    /// # Errors
    /// [`DescriptorError`]; a test reads every one of them.
    pub fn read(&self) -> Result<Descriptor, DescriptorError> {
        Descriptor::read(self.name, self.text)
    }
}

macro_rules! embedded {
    ($($name:literal)*) => {
        /// Every exchange that is built in, by name.
        pub const DESCRIPTORS: &[Embedded] =
            &[$(Embedded { name: $name, text: include_str!(concat!("descriptors/", $name, ".toml")) }),*];
    };
}

/// The exchange of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Embedded> {
    DESCRIPTORS.iter().find(|embedded| embedded.name == name)
}

embedded! {
    "alpaca"
    "aster"
    "backpack"
    "bequant"
    "bigone"
    "binance"
    "binancecoinm"
    "binanceus"
    "binanceusdm"
    "bingx"
    "bit2c"
    "bitbank"
    "bitflyer"
    "bitget"
    "bithumb"
    "bitopro"
    "bitrue"
    "bitso"
    "bitstamp"
    "bitteam"
    "bittrade"
    "bitvavo"
    "blockchaincom"
    "blofin"
    "btcmarkets"
    "btcturk"
    "btse"
    "bullish"
    "bybit"
    "bybiteu"
    "bybitid"
    "bydfi"
    "cex"
    "coinbase"
    "coinbaseexchange"
    "coinbaseinternational"
    "coincheck"
    "coinmate"
    "coinone"
    "coinsph"
    "cryptocom"
    "cryptomus"
    "deepcoin"
    "delta"
    "deribit"
    "digifinex"
    "dydx"
    "extended"
    "fmfwio"
    "foxbit"
    "gate"
    "gateeu"
    "gemini"
    "grvt"
    "hashkey"
    "hibachi"
    "hitbtc"
    "hollaex"
    "htx"
    "independentreserve"
    "indodax"
    "kraken"
    "krakenfutures"
    "kucoin"
    "kucoinfutures"
    "lbank"
    "lighter"
    "luno"
    "mercado"
    "mexc"
    "modetrade"
    "mudrex"
    "myokx"
    "okx"
    "okxus"
    "p2b"
    "pacifica"
    "paradex"
    "paymium"
    "poloniex"
    "revolutx"
    "tokocrypto"
    "toobit"
    "upbit"
    "weex"
    "whitebit"
    "woo"
    "woofipro"
    "xt"
    "zaif"
    "zebpay"
}
