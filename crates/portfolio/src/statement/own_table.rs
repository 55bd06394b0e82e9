//! Our own table: one row a fact, for brokers without a reader and for what people keep by hand.

use super::cells::{Row, rows};
use super::{Statement, StatementError, StatementMovement, StatementTrade};
use chrono::NaiveDate;
use mts_foundation::{CashKind, Currency, Decimal, Side};
use std::collections::BTreeMap;

const COLUMNS: [&str; 10] =
    ["kind", "date", "symbol", "side", "quantity", "price", "fees", "amount", "currency", "id"];

/// Reads a table with the columns `kind,date,symbol,side,quantity,price,fees,amount,currency,id`, in any order; `kind` and `date`
/// must be there.
///
/// | kind | what it takes |
/// |---|---|
/// | `trade` | `symbol`, `side` (`buy`, `sell`, `short`, `cover`), `quantity`, `price`; `fees` (positive = cost); `amount`: the effect on cash without the fees, where it is not quantity × price |
/// | `deposit`, `withdrawal`, `dividend`, `interest`, `borrow`, `fee`, `other` | `amount`, positive = money in; `symbol` where there is one |
/// | `position` | `symbol`, `quantity` (signed) at the end of the period |
/// | `cash` | `amount`: the balance at the end of `date`; of two of one currency the earlier is the opening balance |
///
/// `currency` is `base` where it is empty. The period is `period`, or from the first to the last date that the table names.
///
/// # Errors
/// [`StatementError`] with line, field, value and remedy.
pub fn read_csv(
    bytes: &[u8],
    broker: &str,
    account: &str,
    base: Currency,
    period: Option<(NaiveDate, NaiveDate)>,
) -> Result<Statement, StatementError> {
    let rows = rows(bytes)?;
    let (head, rows) = rows.split_first().ok_or_else(|| StatementError::Missing {
        line: 1,
        what: "the header".to_owned(),
        remedy: format!("begin with {}", COLUMNS.join(",")),
    })?;
    let columns = Columns::new(head)?;
    let mut table = Table::new(base);
    for row in rows {
        table.add(&columns, row)?;
    }
    let ends = table.first.zip(table.last);
    let (from, to) = period.or(ends).ok_or_else(|| StatementError::Missing {
        line: head.line,
        what: "every row".to_owned(),
        remedy: "give at least one row, or the period".to_owned(),
    })?;
    if from > to {
        let fault = format!("the period ends on {to}, before it begins on {from}; exchange the days");
        return Err(StatementError::Form { line: head.line, fault });
    }
    let mut balances = (BTreeMap::new(), BTreeMap::new());
    for (currency, mut stated) in table.cash {
        stated.sort_by_key(|(date, _, _)| *date);
        match stated.as_slice() {
            [(_, amount, _)] => {
                balances.1.insert(currency, *amount);
            }
            [(first, opening, _), (second, closing, _)] if first < second => {
                balances.0.insert(currency, *opening);
                balances.1.insert(currency, *closing);
            }
            more => {
                let line = more.last().map_or(0, |(_, _, line)| *line);
                let fault = format!(
                    "cash of {currency} is stated too often; state the opening and the closing balance, each once"
                );
                return Err(StatementError::Form { line, fault });
            }
        }
    }
    let (opening, closing) = balances;
    Ok(Statement {
        broker: broker.to_owned(),
        account: account.to_owned(),
        from,
        to,
        base,
        opening,
        closing,
        trades: table.trades,
        movements: table.movements,
        actions: Vec::new(),
        positions: table.positions,
        unread: Vec::new(),
    })
}

/// Where each column stands.
struct Columns(BTreeMap<&'static str, usize>);

impl Columns {
    fn new(head: &Row) -> Result<Self, StatementError> {
        let mut found = BTreeMap::new();
        for (at, name) in head.cells.iter().enumerate() {
            let name = name.trim().to_ascii_lowercase();
            let known = COLUMNS.into_iter().find(|column| *column == name);
            let column = known.ok_or_else(|| {
                head.fault("column", &name, format!("use columns of {}", COLUMNS.join(",")))
            })?;
            if found.insert(column, at).is_some() {
                return Err(head.fault("column", &name, "name each column once"));
            }
        }
        for column in ["kind", "date"] {
            if !found.contains_key(column) {
                let remedy = format!("begin with {}", COLUMNS.join(","));
                return Err(StatementError::Missing {
                    line: head.line,
                    what: format!("column {column}"),
                    remedy,
                });
            }
        }
        Ok(Self(found))
    }

    fn cell<'a>(&self, row: &'a Row, column: &str) -> &'a str {
        self.0.get(column).map_or("", |at| row.cell(*at))
    }
}

struct Table {
    base: Currency,
    first: Option<NaiveDate>,
    last: Option<NaiveDate>,
    cash: BTreeMap<Currency, Vec<(NaiveDate, Decimal, u64)>>,
    trades: Vec<StatementTrade>,
    movements: Vec<StatementMovement>,
    positions: Option<BTreeMap<mts_foundation::Symbol, Decimal>>,
}

impl Table {
    fn new(base: Currency) -> Self {
        let (trades, movements) = (Vec::new(), Vec::new());
        Self { base, first: None, last: None, cash: BTreeMap::new(), trades, movements, positions: None }
    }

    fn add(&mut self, columns: &Columns, row: &Row) -> Result<(), StatementError> {
        let cell = |column: &str| columns.cell(row, column);
        let number = |column: &str| row.number(column, cell(column));
        let date = row.day("date", cell("date"))?;
        self.first = Some(self.first.map_or(date, |first| first.min(date)));
        self.last = Some(self.last.map_or(date, |last| last.max(date)));
        let currency = match cell("currency") {
            "" => self.base,
            code => row.currency("currency", code)?,
        };
        let id = Some(cell("id")).filter(|id| !id.is_empty()).map(str::to_owned);
        let kind = cell("kind").to_ascii_lowercase();
        match kind.as_str() {
            "trade" => self.trades.push(trade(columns, row, date, currency, id)?),
            "position" => {
                let symbol = row.symbol("symbol", cell("symbol"))?;
                let units = number("quantity")?;
                if self.positions.get_or_insert_default().insert(symbol, units).is_some() {
                    return Err(row.fault("symbol", cell("symbol"), "state each position once"));
                }
            }
            "cash" => self.cash.entry(currency).or_default().push((date, number("amount")?, row.line)),
            _ => {
                let kind: CashKind = kind.parse().map_err(|_| {
                    let kinds = CashKind::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ");
                    row.fault("kind", &kind, format!("use one of trade, {kinds}, position, cash"))
                })?;
                let amount = number("amount")?;
                if !kind.allows(amount) {
                    let remedy = "money in is positive, money out negative, and no amount is zero";
                    return Err(row.fault("amount", cell("amount"), remedy));
                }
                let symbol = match cell("symbol") {
                    "" => None,
                    name => Some(row.symbol("symbol", name)?),
                };
                let text = String::new();
                self.movements.push(StatementMovement { id, date, kind, amount, currency, symbol, text });
            }
        }
        Ok(())
    }
}

fn trade(
    columns: &Columns,
    row: &Row,
    date: NaiveDate,
    currency: Currency,
    id: Option<String>,
) -> Result<StatementTrade, StatementError> {
    let cell = |column: &str| columns.cell(row, column);
    let number = |column: &str| row.number(column, cell(column));
    let side: Side = cell("side")
        .to_ascii_lowercase()
        .parse()
        .map_err(|_| row.fault("side", cell("side"), "use one of buy, sell, short, cover"))?;
    let (quantity, price) = (number("quantity")?, number("price")?);
    if quantity <= Decimal::ZERO {
        return Err(row.fault("quantity", cell("quantity"), "give units above 0; the side has the sign"));
    }
    if price < Decimal::ZERO {
        return Err(row.fault("price", cell("price"), "give a price of 0 or more"));
    }
    let fees = if cell("fees").is_empty() { Decimal::ZERO } else { number("fees")? };
    let proceeds = if cell("amount").is_empty() {
        -side.signed(quantity.saturating_mul(price))
    } else {
        let amount = number("amount")?;
        if side.signed(amount) > Decimal::ZERO {
            return Err(row.fault(
                "amount",
                cell("amount"),
                "a purchase costs cash (negative), a sale brings it",
            ));
        }
        amount
    };
    let symbol = row.symbol("symbol", cell("symbol"))?;
    Ok(StatementTrade { id, date, symbol, side, quantity, price, fees, proceeds, currency })
}

#[cfg(test)]
mod tests {
    use super::super::testing::is_sound;
    use super::*;
    use proptest::prelude::*;

    const HEAD: &str = "kind,date,symbol,side,quantity,price,fees,amount,currency,id\n";

    fn read(rows: &str) -> Result<Statement, StatementError> {
        read_csv(format!("{HEAD}{rows}").as_bytes(), "bank", "1", Currency::USD, None)
    }

    fn d(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn every_kind_of_row() {
        let found = read(
            "cash,2026-02-27,,,,,,\"10,000.00\",,\n\
             trade,2026-03-02,AAPL,buy,\"1,000\",5.25,1.00,,USD,t1\n\
             trade,2026-03-03,AAPL260116C00200000,short,2,1.5,0.7,300,,\n\
             deposit,2026-03-03,,,,,,500,,d1\n\
             dividend,2026-03-04,aapl,,,,,(3.10),eur,\n\
             position,2026-03-05,AAPL,,1000,,,,,\n\
             cash,2026-03-05,,,,,,5549.3,,\n\
             cash,2026-03-05,,,,,,-3.1,EUR,\n",
        )
        .unwrap();
        assert_eq!(
            (found.from.to_string(), found.to.to_string()),
            ("2026-02-27".into(), "2026-03-05".into())
        );
        let euro = Currency::new("EUR").unwrap();
        assert_eq!(found.opening, BTreeMap::from([(Currency::USD, d("10000.00"))]));
        assert_eq!(found.closing, BTreeMap::from([(Currency::USD, d("5549.3")), (euro, d("-3.1"))]));
        let [share, option] = found.trades.as_slice() else { panic!("{:?}", found.trades) };
        assert_eq!(
            (share.units(), share.cash(), share.id.as_deref()),
            (d("1000"), d("-5251.00"), Some("t1"))
        );
        assert_eq!((option.units(), option.cash()), (d("-2"), d("299.3")));
        let [deposit, dividend] = found.movements.as_slice() else { panic!("{:?}", found.movements) };
        assert_eq!((deposit.kind, deposit.amount), (CashKind::Deposit, d("500")));
        assert_eq!((dividend.amount, dividend.currency), (d("-3.10"), euro));
        assert_eq!(dividend.symbol.as_ref().map(|symbol| symbol.as_str()), Some("AAPL"));
        assert_eq!(found.positions.unwrap().len(), 1);
    }

    #[test]
    fn columns_come_in_any_order_and_a_period_can_be_given() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let month = (day("2026-03-01"), day("2026-03-31"));
        let period = Some(month);
        let bytes = b"\xef\xbb\xbfamount,KIND,date\r\n-12.50,fee,2026-03-02\r\n";
        let found = read_csv(bytes, "b", "", Currency::USD, period).unwrap();
        assert_eq!((found.from, found.to), month);
        assert_eq!((found.movements[0].amount, found.positions), (d("-12.50"), None));
        assert!(read_csv(HEAD.as_bytes(), "b", "", Currency::USD, period).is_ok(), "an empty month");
        let error = read_csv(HEAD.as_bytes(), "b", "", Currency::USD, Some((month.1, month.0))).unwrap_err();
        assert!(error.to_string().contains("exchange the days"), "{error}");
    }

    #[test]
    fn faults_name_line_field_value_and_remedy() {
        for (rows, wanted) in [
            ("", "line 1: every row is missing: give at least one row"),
            ("buy,2026-03-02,,,,,,,,\n", "line 2: kind \"buy\" is not usable: use one of trade, deposit"),
            ("fee,2026-3-40,,,,,,1,,\n", "line 2: date \"2026-3-40\""),
            ("fee,2026-03-02,,,,,,1,,\nfee,2026-03-02,,,,,,\"1,5\",,\n", "line 3: amount \"1,5\""),
            ("withdrawal,2026-03-02,,,,,,5,,\n", "money out negative"),
            ("trade,2026-03-02,A,hold,1,1,,,,\n", "side \"hold\""),
            ("trade,2026-03-02,A,buy,-1,1,,,,\n", "quantity \"-1\""),
            ("trade,2026-03-02,A,buy,1,-1,,,,\n", "price \"-1\""),
            ("trade,2026-03-02,A,buy,1,1,,1,,\n", "a purchase costs cash"),
            ("trade,2026-03-02,A B,buy,1,1,,,,\n", "white space"),
            ("fee,2026-03-02,,,,,,1,U,\n", "currency \"U\""),
            ("position,2026-03-02,A,,1,,,,,\nposition,2026-03-02,A,,1,,,,,\n", "each position once"),
            (
                "cash,2026-03-02,,,,,,1,,\ncash,2026-03-02,,,,,,1,,\n",
                "line 3: cash of USD is stated too often",
            ),
        ] {
            let error = read(rows).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
        for (text, wanted) in [
            ("", "line 1: the header is missing"),
            ("kind,date,kind\n", "each column once"),
            ("kind,note\n", "column \"note\""),
            ("kind,amount\n", "column date is missing"),
        ] {
            let error = read_csv(text.as_bytes(), "b", "", Currency::USD, None).unwrap_err().to_string();
            assert!(error.contains(wanted), "{error}");
        }
    }

    proptest! {
        #[test]
        fn no_input_panics(bytes in prop::collection::vec(any::<u8>(), 0..300), rows in "[a-z0-9,\"().\n-]{0,200}") {
            prop_assert!(is_sound(read_csv(&bytes, "b", "", Currency::USD, None)));
            prop_assert!(is_sound(read(&rows)));
            let trade = format!("trade,2026-03-02,A,buy,{rows}");
            prop_assert!(is_sound(read(&trade)));
        }
    }
}
