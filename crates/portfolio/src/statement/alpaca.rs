//! Account activities of Alpaca, as its API gives them (`GET /v2/account/activities`): a list of JSON objects.

use super::cells::{MAX_ROWS, Row, text};
use super::{Statement, StatementError, StatementMovement, StatementTrade, Unread};
use mts_foundation::{CashKind, Currency, Decimal, Side, Symbol};
use serde_json::Value;
use std::collections::BTreeMap;

/// Whether a symbol is the OCC's of an option: after the root six digits of the expiry, C or P, eight of the strike.
fn is_option(symbol: &str) -> bool {
    let Some((_, tail)) = symbol.len().checked_sub(15).and_then(|root| symbol.split_at_checked(root)) else {
        return false;
    };
    tail.bytes().enumerate().all(|(place, byte)| match place {
        6 => matches!(byte, b'C' | b'P'),
        _ => byte.is_ascii_digit(),
    })
}

/// Reads account activities: pages one after the other in one list. They say neither balances nor positions. The day of a
/// fill is that of UTC: New York's, but for the last hour of the late session in winter.
///
/// # Errors
/// [`StatementError`]; its line is the number of the record.
pub fn read_alpaca(bytes: &[u8], account: &str) -> Result<Statement, StatementError> {
    let form = |fault: String| StatementError::Form { line: 1, fault };
    let records: Vec<Value> = serde_json::from_str(text(bytes)?).map_err(|error| {
        form(format!("it is no list of JSON objects ({error}); save the answer of /v2/account/activities"))
    })?;
    if records.len() > MAX_ROWS {
        return Err(StatementError::TooLarge { what: "records", found: records.len(), most: MAX_ROWS });
    }
    let (mut trades, mut movements, mut unread) = (Vec::new(), Vec::new(), Vec::new());
    for (line, record) in (1..).zip(&records) {
        let record = Record { row: Row { line, cells: Vec::new() }, value: record };
        let kind = record.text("activity_type");
        if kind == "FILL" && is_option(&record.text("symbol")) {
            let reason = "an option: what a contract is worth is not told here".to_owned();
            unread.push(Unread { line, reason });
        } else if kind == "FILL" {
            trades.push(record.trade()?);
        } else if record.text("net_amount").is_empty() {
            let kind: String = kind.chars().take(40).collect();
            unread.push(Unread { line, reason: format!("activity {kind:?} moves no cash") });
        } else if let Some(movement) = record.movement(&kind)? {
            movements.push(movement);
        }
    }
    let days = trades.iter().map(|trade: &StatementTrade| trade.date);
    let days: Vec<_> =
        days.chain(movements.iter().map(|movement: &StatementMovement| movement.date)).collect();
    let (from, to) = days.iter().min().copied().zip(days.iter().max().copied()).ok_or_else(|| {
        form("no activity moves cash or units; save a period in which something happened".to_owned())
    })?;
    Ok(Statement {
        broker: "Alpaca".to_owned(),
        account: account.to_owned(),
        from,
        to,
        base: Currency::USD,
        opening: BTreeMap::new(),
        closing: BTreeMap::new(),
        trades,
        movements,
        actions: Vec::new(),
        positions: None,
        unread,
    })
}

struct Record<'a> {
    row: Row,
    value: &'a Value,
}

impl Record<'_> {
    /// A text or a number, as text; empty when it is missing.
    fn text(&self, field: &str) -> String {
        match self.value.get(field) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        }
    }

    fn number(&self, field: &str) -> Result<Decimal, StatementError> {
        self.row.number(field, &self.text(field))
    }

    fn id(&self) -> Option<String> {
        Some(self.text("id")).filter(|id| !id.is_empty())
    }

    /// Pairs of digital assets are `BTC/USD` at Alpaca.
    fn symbol(&self) -> Result<Symbol, StatementError> {
        let name = self.text("symbol");
        self.row.symbol("symbol", &name.replace('/', "-"))
    }

    fn trade(&self) -> Result<StatementTrade, StatementError> {
        let (side, time) = (self.text("side"), self.text("transaction_time"));
        let side = match side.as_str() {
            "buy" => Side::Buy,
            "sell" => Side::Sell,
            "sell_short" => Side::Short,
            _ => return Err(self.row.fault("side", &side, "buy, sell and sell_short are known")),
        };
        let (quantity, price) = (self.number("qty")?, self.number("price")?);
        if quantity <= Decimal::ZERO || price < Decimal::ZERO {
            return Err(self.row.fault("qty", &quantity.to_string(), "units are above 0, prices 0 or more"));
        }
        Ok(StatementTrade {
            id: self.id(),
            date: self.row.day("transaction_time", &time)?,
            symbol: self.symbol()?,
            side,
            quantity,
            price,
            fees: Decimal::ZERO,
            proceeds: -side.signed(quantity.saturating_mul(price)),
            currency: Currency::USD,
        })
    }

    /// None when the amount is zero.
    fn movement(&self, kind: &str) -> Result<Option<StatementMovement>, StatementError> {
        let amount = self.number("net_amount")?;
        if amount.is_zero() {
            return Ok(None);
        }
        let kind = match kind {
            "CSD" | "CSW" if amount > Decimal::ZERO => CashKind::Deposit,
            "CSD" | "CSW" => CashKind::Withdrawal,
            "FEE" | "CFEE" | "PTC" => CashKind::Fee,
            kind if kind.starts_with("DIV") => CashKind::Dividend,
            kind if kind.starts_with("INT") => CashKind::Interest,
            _ => CashKind::Other,
        };
        let symbol = if self.text("symbol").is_empty() { None } else { Some(self.symbol()?) };
        Ok(Some(StatementMovement {
            id: self.id(),
            date: self.row.day("date", &self.text("date"))?,
            kind,
            amount,
            currency: Currency::USD,
            symbol,
            text: self.text("description"),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::is_sound;
    use super::*;
    use proptest::prelude::*;

    fn d(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn fills_and_movements() {
        // Made up; fields as docs.alpaca.markets describes them.
        let found = read_alpaca(
            br#"[
            {"id":"1::a","activity_type":"FILL","transaction_time":"2026-03-02T15:34:06.977Z","type":"fill","price":"10.5","qty":"3","side":"buy","symbol":"AAPL","order_id":"o"},
            {"id":"2::b","activity_type":"FILL","transaction_time":"2026-03-03T15:34:06Z","price":70000.5,"qty":0.25,"side":"sell_short","symbol":"BTC/USD"},
            {"id":"3::c","activity_type":"DIVNRA","date":"2026-03-04","net_amount":"-0.30","symbol":"AAPL","description":"tax"},
            {"id":"4::d","activity_type":"CSW","date":"2026-03-05","net_amount":"-100"},
            {"id":"5::e","activity_type":"INT","date":"2026-03-05","net_amount":"1.25"},
            {"id":"6::f","activity_type":"FEE","date":"2026-03-05","net_amount":"-0.02"},
            {"id":"7::g","activity_type":"JNLC","date":"2026-03-06","net_amount":"7"},
            {"id":"8::h","activity_type":"SPLIT","date":"2026-03-09","symbol":"AAPL","qty":"3"}
        ]"#,
            "acct",
        )
        .unwrap();
        let trades: Vec<_> =
            found.trades.iter().map(|one| (one.symbol.as_str(), one.units(), one.proceeds)).collect();
        assert_eq!(trades, [("AAPL", d("3"), d("-31.5")), ("BTC-USD", d("-0.25"), d("17500.125"))]);
        let moved: Vec<_> = found.movements.iter().map(|one| (one.kind.as_str(), one.amount)).collect();
        let wanted = [
            ("dividend", "-0.30"),
            ("withdrawal", "-100"),
            ("interest", "1.25"),
            ("fee", "-0.02"),
            ("other", "7"),
        ];
        assert_eq!(moved, wanted.map(|(kind, amount)| (kind, d(amount))));
        assert_eq!((found.unread.len(), found.unread[0].line), (1, 8));
        assert_eq!(
            (found.from.to_string(), found.to.to_string()),
            ("2026-03-02".into(), "2026-03-06".into())
        );
        assert_eq!(found.positions, None, "it says none, which is not: there are none");
    }

    #[test]
    fn options_are_left_out_and_told() {
        for (symbol, option) in [
            ("AAPL260320C00150000", true),
            ("F260320P00012500", true),
            ("AAPL", false),
            ("BRK.B260320X00150000", false),
        ] {
            assert_eq!(is_option(symbol), option, "{symbol}");
        }
        let text = r#"[{"activity_type":"FILL","symbol":"AAPL260320C00150000"},{"activity_type":"CSD","date":"2026-03-05","net_amount":"1"}]"#;
        let found = read_alpaca(text.as_bytes(), "").unwrap();
        assert_eq!((found.trades.len(), found.unread[0].line), (0, 1));
    }

    #[test]
    fn a_mark_before_the_text_is_passed_over() {
        let text = "\u{feff}[{\"activity_type\":\"CSD\",\"date\":\"2026-03-05\",\"net_amount\":\"1\"},
            {\"activity_type\":\"FEE\",\"date\":\"2026-03-05\",\"net_amount\":\"0\"}]";
        let found = read_alpaca(text.as_bytes(), "").unwrap();
        assert_eq!(found.movements.len(), 1, "nothing is no movement");
    }

    #[test]
    fn faults_name_record_field_value_and_remedy() {
        for (text, wanted) in [
            ("{}", "no list of JSON objects"),
            ("[]", "save a period"),
            (r#"[{"activity_type":"FILL","side":"hold"}]"#, "line 1: side \"hold\""),
            (r#"[{"activity_type":"FILL","side":"buy","qty":"x"}]"#, "qty \"x\""),
            (r#"[{"activity_type":"FILL","side":"buy","qty":"0","price":"1"}]"#, "qty \"0\""),
            (r#"[{"activity_type":"FEE","net_amount":"-1"}]"#, "date \"\""),
        ] {
            let error = read_alpaca(text.as_bytes(), "").unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), text in "\\[\\{\"activity_type\":\"(FILL|DIV|CSD)\",\"(qty|net_amount|side|date)\":\"[0-9a-z().,-]{0,20}\"\\}\\]") {
            prop_assert!(is_sound(read_alpaca(&bytes, "")));
            prop_assert!(is_sound(read_alpaca(text.as_bytes(), "")));
        }
    }
}
