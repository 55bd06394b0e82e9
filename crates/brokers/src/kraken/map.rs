//! Executions, cash and holdings in Kraken's words and ours. Pure.

use super::order_map::side;
use super::pairs::{Pair, Pairs};
use super::wire::{WireEntry, WireFee, WireTicker, WireTrade};
use crate::kit::{self, Failure, KnownOrder, cursor, number, strange, unreadable};
use mts_foundation::broker_event::{BrokerEvent, FeeStatus};
use mts_foundation::cash_flow::{CashFlow, CashKind};
use mts_foundation::{
    AccountId, Currency, Decimal, Fill, FillId, FundId, Position, Symbol, Timestamp, VenueName,
};
use smol_str::{SmolStr, ToSmolStr};
use std::collections::BTreeMap;

/// An instant in seconds with a fraction.
pub(super) fn instant(seconds: Decimal) -> Result<Timestamp, Failure> {
    let nanos = seconds.checked_mul(Decimal::from(1_000_000_000)).map(|nanos| nanos.trunc());
    let nanos = nanos.and_then(|nanos| i64::try_from(nanos).ok()).ok_or_else(|| strange("time", seconds))?;
    Ok(Timestamp::from_nanos(nanos))
}

/// What a row is about: the pair of this name, or else that of the order of ours that it belongs to, which may be listed no more.
pub(super) fn traded<'a>(
    name: &str,
    pairs: &'a Pairs,
    known: Option<&'a KnownOrder>,
) -> Result<&'a Symbol, Failure> {
    let listed = pairs.of_name(name).map(|pair| &pair.symbol);
    listed.or(known.map(|known| &known.symbol)).ok_or_else(|| strange("pair", name))
}

/// Our codes of what is bought and what it is paid with.
fn sides(symbol: &Symbol) -> (&str, &str) {
    symbol.as_str().split_once('-').unwrap_or_default()
}

/// An execution, of the stream or the history.
pub(super) struct Execution<'a> {
    pub(super) id: &'a str,
    pub(super) order: &'a str,
    pub(super) symbol: &'a Symbol,
    pub(super) side: &'a str,
    pub(super) quantity: Decimal,
    pub(super) price: Decimal,
    pub(super) time: Timestamp,
    /// By asset, in our codes.
    pub(super) fees: Vec<(SmolStr, Decimal)>,
}

/// Fees in the currency of account. What was charged in the coin counts at the price of the execution; what was charged in
/// anything else cannot be told here.
fn in_currency(execution: &Execution<'_>, currency: &str) -> Option<Decimal> {
    let (base, quote) = sides(execution.symbol);
    execution.fees.iter().try_fold(Decimal::ZERO, |sum, (asset, amount)| {
        let value = match asset.as_str() {
            _ if amount.is_zero() => Decimal::ZERO,
            asset if asset == currency => *amount,
            asset if asset == base && quote == currency => amount.checked_mul(execution.price)?,
            _ => return None,
        };
        sum.checked_add(value)
    })
}

/// The event of an execution.
pub(super) fn fill(
    execution: &Execution<'_>,
    known: Option<&KnownOrder>,
    account: &AccountId,
    currency: &str,
) -> Result<BrokerEvent, Failure> {
    let fees = in_currency(execution, currency);
    let mut raw = BTreeMap::from([(SmolStr::new_static("order_id"), execution.order.to_smolstr())]);
    for (asset, amount) in
        execution.fees.iter().filter(|(asset, amount)| asset != currency && !amount.is_zero())
    {
        raw.insert(SmolStr::new_static("fee_asset"), asset.clone());
        raw.insert(SmolStr::new_static("fee_amount"), amount.to_smolstr());
    }
    let fill = Fill {
        fill_id: FillId::new(execution.id).map_err(unreadable)?,
        order_id: kit::order_of(known, "kraken", execution.order)?,
        symbol: execution.symbol.clone(),
        side: side(execution.side, known)?,
        quantity: execution.quantity,
        price: execution.price,
        fees: fees.unwrap_or_default(),
        venue: VenueName::new("kraken").map_err(unreadable)?,
        timestamp: execution.time,
        raw,
    };
    Ok(BrokerEvent::Fill {
        account: account.clone(),
        cursor: cursor(execution.time)?,
        fill: fill.checked().map_err(unreadable)?,
        fees: if fees.is_some() { FeeStatus::Known } else { FeeStatus::Pending },
    })
}

/// Fees of the stream, in our codes; an asset that is not known keeps the venue's.
pub(super) fn fees(wire: &[WireFee]) -> Vec<(SmolStr, Decimal)> {
    wire.iter().map(|fee| (fee.asset.clone(), fee.qty)).collect()
}

/// An execution of the history, and when it was.
pub(super) fn of_trade(
    id: &str,
    wire: &WireTrade,
    known: Option<&KnownOrder>,
    account: &AccountId,
    pairs: &Pairs,
) -> Result<(Timestamp, BrokerEvent), Failure> {
    let symbol = traded(&wire.pair, pairs, known)?;
    let execution = Execution {
        id,
        order: &wire.ordertxid,
        symbol,
        side: &wire.side,
        quantity: wire.vol,
        price: wire.price,
        time: instant(wire.time)?,
        fees: vec![(sides(symbol).1.into(), wire.fee)],
    };
    Ok((execution.time, fill(&execution, known, account, pairs.currency())?))
}

/// A movement of the account's money without a trade. `None` = it is of another asset, a trade's, or nothing moved.
pub(super) fn of_entry(
    id: &SmolStr,
    wire: &WireEntry,
    pairs: &Pairs,
    currency: Currency,
) -> Result<Option<BrokerEvent>, Failure> {
    let fee = wire.fee.unwrap_or_default();
    let amount = wire.amount.checked_sub(fee).ok_or_else(|| strange("amount", wire.amount))?;
    if pairs.code(&wire.asset) != Some(currency.as_str()) || wire.kind == "trade" || amount.is_zero() {
        return Ok(None);
    }
    let kind = match wire.kind.as_str() {
        "deposit" if amount > Decimal::ZERO => CashKind::Deposit,
        "withdrawal" if amount < Decimal::ZERO => CashKind::Withdrawal,
        "dividend" => CashKind::Dividend,
        "staking" | "reward" | "earn" => CashKind::Interest,
        _ => CashKind::Other,
    };
    let time = instant(wire.time)?;
    let flow = CashFlow { id: id.clone(), kind, amount, currency, symbol: None, time };
    Ok(Some(BrokerEvent::Cash { flow, cursor: cursor(time)? }))
}

/// The first number of a ticker's list.
pub(super) fn price(row: &[SmolStr]) -> Result<Decimal, Failure> {
    let first = row.first().map(SmolStr::as_str).unwrap_or_default();
    number::parse(first).ok_or_else(|| strange("price", first))
}

/// What is held of a coin. Kraken keeps no entry prices: the last price stands in for them.
pub(super) fn position(
    pair: &Pair,
    quantity: Decimal,
    ticker: &WireTicker,
    account: &FundId,
    now: Timestamp,
) -> Result<Position, Failure> {
    Ok(kit::held(account, pair.symbol.clone(), quantity, price(&ticker.c)?, now))
}

#[cfg(test)]
mod tests {
    use super::super::pairs::tests::pairs;
    use super::*;

    fn told(pair: &str, fees: &[(&str, i64)]) -> (Decimal, FeeStatus, BTreeMap<SmolStr, SmolStr>) {
        let pairs = pairs();
        let execution = Execution {
            id: "TCCCTY-WJ6EO-4FP4VZ",
            order: "O26VBY-ISGAE-JP5TLU",
            symbol: &pairs.of_name(pair).unwrap().symbol,
            side: "sell",
            quantity: Decimal::TWO,
            price: Decimal::from(100),
            time: Timestamp::from_nanos(1_688_585_840_892_100_000),
            fees: fees
                .iter()
                .map(|(asset, hundredths)| (SmolStr::new(asset), Decimal::new(*hundredths, 2)))
                .collect(),
        };
        let account = AccountId::new("a").unwrap();
        match fill(&execution, None, &account, "USD").unwrap() {
            BrokerEvent::Fill { fill, fees, cursor, .. } => {
                assert_eq!(fill.order_id.as_str(), "kraken:O26VBY-ISGAE-JP5TLU");
                assert_eq!(cursor.as_str(), "2023-07-05T19:37:20.892100Z");
                (fill.fees, fees, fill.raw)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn fees_are_in_the_currency_of_account_or_pending() {
        assert_eq!(
            told("BTC/USD", &[("USD", 35)]),
            (Decimal::new(35, 2), FeeStatus::Known, told("BTC/USD", &[]).2)
        );
        // In the coin: at the price of the execution, and as it was.
        let (fees, status, raw) = told("BTC/USD", &[("BTC", 1)]);
        assert_eq!((fees, status), (Decimal::ONE, FeeStatus::Known));
        assert_eq!((raw["fee_asset"].as_str(), raw["fee_amount"].as_str()), ("BTC", "0.01"));
        // Without a price of it in the currency of account.
        let (fees, status, raw) = told("ETH/BTC", &[("BTC", 1)]);
        assert_eq!((fees, status, raw["fee_asset"].as_str()), (Decimal::ZERO, FeeStatus::Pending, "BTC"));
        assert_eq!(told("BTC/USD", &[("KFEE", 7)]).1, FeeStatus::Pending);
    }

    #[test]
    fn money_that_moved_without_a_trade_is_named() {
        let entry = |kind: &str, asset: &str, amount: &str, fee: &str| {
            let text = serde_json::json!({
                "aclass": "currency", "amount": amount, "asset": asset, "fee": fee, "time": 1_688_464_484.178_7, "type": kind,
            });
            let wire: WireEntry = serde_json::from_str(&text.to_string()).unwrap();
            of_entry(&"L1".into(), &wire, &pairs(), Currency::USD).unwrap()
        };
        let kind = |event: Option<BrokerEvent>| match event {
            Some(BrokerEvent::Cash { flow, .. }) => Some((flow.kind, flow.amount)),
            _ => None,
        };
        assert_eq!(kind(entry("deposit", "ZUSD", "5", "0")), Some((CashKind::Deposit, Decimal::from(5))));
        assert_eq!(
            kind(entry("withdrawal", "ZUSD", "-5", "1")),
            Some((CashKind::Withdrawal, Decimal::from(-6)))
        );
        assert_eq!(kind(entry("deposit", "ZUSD", "-5", "0")), Some((CashKind::Other, Decimal::from(-5))));
        assert_eq!(kind(entry("earn", "ZUSD", "5", "0")).map(|(kind, _)| kind), Some(CashKind::Interest));
        for (kind, asset, amount) in
            [("trade", "ZUSD", "5"), ("deposit", "XXBT", "5"), ("deposit", "ZUSD", "0")]
        {
            assert_eq!(entry(kind, asset, amount, "0"), None, "{kind} {asset} {amount}");
        }
    }

    #[test]
    fn money_that_cannot_be_counted_is_no_other_amount() {
        let wire = WireEntry {
            asset: "ZUSD".into(),
            kind: "deposit".into(),
            time: Decimal::ONE,
            amount: Decimal::MIN,
            fee: Some(Decimal::MAX),
        };
        assert!(of_entry(&"L1".into(), &wire, &pairs(), Currency::USD).is_err());
    }
}
