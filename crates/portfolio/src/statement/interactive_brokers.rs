//! Activity Statement of Interactive Brokers as CSV: sections one below the other, each with a header of its own.
//!
//! Every row begins with its section and its kind (`Header`, `Data`, `SubTotal`, `Total`, `Notes`); columns differ between accounts
//! and years, so they are found by name. Layouts were seen in public reports and readers of them; IBKR publishes no format.

use super::cells::{Row, rows};
use super::{Statement, StatementAction, StatementError, StatementMovement, StatementTrade, Unread};
use chrono::NaiveDate;
use mts_foundation::symbology::{OptionContract, OptionRight, SymbolParts};
use mts_foundation::{CashKind, Currency, Decimal, Side, Symbol};
use std::collections::BTreeMap;

/// Sections that move cash or units and are not read: their rows are listed.
const LEFT_OUT: [(&str, &str); 4] = [
    ("Transfers", "a transfer of positions"),
    ("Transaction Fees", "it may be part of the trades' fees already"),
    ("Sales Tax Details", "it may be part of other fees already"),
    ("GST Details", "it may be part of other fees already"),
];

/// Reads an Activity Statement (Performance & Reports, Statements, Activity, CSV, English).
///
/// Read are shares and options of `Trades`, `Open Positions`, `Cash Report`, `Deposits & Withdrawals`, `Dividends` and payments in
/// lieu of them, `Withholding Tax` (kind dividend, as what was paid is the sum of both), `Interest` (of borrowed shares: kind
/// borrow), `Fees`, `Other Fees`, `Commission Adjustments` and `Corporate Actions`. Trades are the rows `Order`, which add up fills;
/// only where there is none, the fills. They have no ids. Days are those of the account's time zone.
///
/// Conversions of currencies, futures, bonds and others are listed as unread, as are transfers.
///
/// # Errors
/// [`StatementError`] with line, field, value and remedy.
pub fn read_interactive_brokers(bytes: &[u8]) -> Result<Statement, StatementError> {
    let rows = rows(bytes)?;
    let mut reader = Reader::default();
    for row in &rows {
        let (section, kind) = (row.cell(0), row.cell(1));
        match kind {
            "Header" => {
                reader.headers.insert(section, row);
            }
            "Data" => reader.add(section, row)?,
            _ => {}
        }
    }
    reader.finish()
}

/// The cells of a row under the header of its section.
struct Cells<'a> {
    row: &'a Row,
    header: &'a Row,
    section: &'a str,
}

impl<'a> Cells<'a> {
    fn place(&self, column: &str) -> Option<usize> {
        (2..self.header.cells.len()).find(|at| self.header.cell(*at).eq_ignore_ascii_case(column))
    }

    /// The cell under a column; empty where there is no such column.
    fn get(&self, column: &str) -> &'a str {
        self.place(column).map_or("", |at| self.row.cell(at))
    }

    /// The cell under a column that must be there.
    fn need(&self, column: &str) -> Result<&'a str, StatementError> {
        let at = self.place(column).ok_or_else(|| StatementError::Missing {
            line: self.header.line,
            what: format!("column {column} of section {}", self.section),
            remedy: "export the statement in English, as Activity Statement, with all columns".to_owned(),
        })?;
        Ok(self.row.cell(at))
    }

    fn number(&self, column: &str) -> Result<Decimal, StatementError> {
        self.row.number(column, self.need(column)?)
    }

    fn currency(&self) -> Result<Currency, StatementError> {
        self.row.currency("Currency", self.need("Currency")?)
    }

    fn day(&self, columns: [&str; 2]) -> Result<NaiveDate, StatementError> {
        let column = if self.place(columns[0]).is_some() { columns[0] } else { columns[1] };
        self.row.day(column, self.need(column)?)
    }

    /// The canonical symbol of a share or option; none for other things.
    fn symbol(&self) -> Result<Option<Symbol>, StatementError> {
        let (class, name) = (self.get("Asset Category"), self.need("Symbol")?);
        let refused = |fault: String| self.row.fault("Symbol", name, fault);
        if class.starts_with("Stocks") || class.is_empty() || class == "ETFs" {
            // Classes of shares stand after a space: BRK B.
            return Symbol::new(name.replace(' ', "."))
                .map(Some)
                .map_err(|error| refused(error.fault.to_owned()));
        }
        if class == "Equity and Index Options" {
            return option(name)
                .map(Some)
                .ok_or_else(|| refused("write an option as AAPL 17JAN25 180 C".to_owned()));
        }
        Ok(None)
    }

    fn unread(&self, why: &str) -> Unread {
        let what = self.get("Symbol");
        let text = format!("{}: {} {what}: {why}", self.section, self.get("Asset Category"));
        Unread { line: self.row.line, reason: text.chars().take(200).collect() }
    }
}

/// `AAPL 17JAN25 180 C` as a canonical symbol.
fn option(name: &str) -> Option<Symbol> {
    let mut words = name.split_ascii_whitespace();
    let (root, day, strike, right) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let expiry = day.is_ascii().then(|| NaiveDate::parse_from_str(day, "%d%b%y").ok()).flatten()?;
    let right = match right {
        "C" => OptionRight::Call,
        "P" => OptionRight::Put,
        _ => return None,
    };
    let strike = mts_foundation::num::parse(strike).ok()?;
    let contract = OptionContract::new(root, expiry, right, strike).ok()?;
    words.next().is_none().then(|| SymbolParts::Option(contract).to_symbol())
}

#[derive(Default)]
struct Reader<'a> {
    headers: BTreeMap<&'a str, &'a Row>,
    broker: String,
    account: String,
    period: Option<(NaiveDate, NaiveDate)>,
    base: Option<Currency>,
    opening: Balances,
    closing: Balances,
    orders: Vec<StatementTrade>,
    fills: Vec<StatementTrade>,
    movements: Vec<StatementMovement>,
    actions: Vec<StatementAction>,
    positions: Option<BTreeMap<Symbol, Decimal>>,
    unread: Vec<Unread>,
}

/// Cash by currency, and the sum in the currency of the account, which is what stands there when no other is held.
#[derive(Default)]
struct Balances {
    stated: BTreeMap<Currency, Decimal>,
    summary: Option<Decimal>,
}

impl Balances {
    fn finish(self, base: Currency) -> BTreeMap<Currency, Decimal> {
        let mut stated = self.stated;
        if stated.is_empty() {
            stated.extend(self.summary.map(|amount| (base, amount)));
        }
        stated
    }
}

impl<'a> Reader<'a> {
    fn add(&mut self, section: &'a str, row: &'a Row) -> Result<(), StatementError> {
        let Some(header) = self.headers.get(section).copied() else {
            let section: String = section.chars().take(40).collect();
            return Err(StatementError::Missing {
                line: row.line,
                what: format!("the header of section {section:?}"),
                remedy: "export the Activity Statement as CSV, whole".to_owned(),
            });
        };
        let cells = Cells { row, header, section };
        // Sums stand among the data in some sections.
        if row.cell(2).starts_with("Total") {
            return Ok(());
        }
        match section {
            "Statement" => self.head(&cells),
            "Account Information" => self.account(&cells),
            "Trades" => self.trade(&cells),
            "Open Positions" => self.position(&cells),
            "Cash Report" => self.cash(&cells),
            "Corporate Actions" => self.action(&cells),
            "Deposits & Withdrawals" => self.movement(&cells, None),
            "Dividends" | "Payment In Lieu Of Dividends" | "Withholding Tax" => {
                self.movement(&cells, Some(CashKind::Dividend))
            }
            "Interest"
            | "Broker Interest Paid"
            | "Broker Interest Received"
            | "Bond Interest Paid"
            | "Bond Interest Received" => self.movement(&cells, Some(CashKind::Interest)),
            "Fees" | "Other Fees" | "Commission Adjustments" => self.movement(&cells, Some(CashKind::Fee)),
            _ => {
                let left_out = LEFT_OUT.iter().find(|(name, _)| *name == section);
                self.unread.extend(left_out.map(|(_, why)| cells.unread(why)));
                Ok(())
            }
        }
    }

    fn head(&mut self, cells: &Cells<'a>) -> Result<(), StatementError> {
        let value = cells.need("Field Value")?;
        match cells.need("Field Name")? {
            "BrokerName" => value.clone_into(&mut self.broker),
            "Title" if !value.contains("Activity") => {
                return Err(cells.row.fault("Title", value, "export an Activity Statement"));
            }
            "Period" => {
                let refused =
                    || cells.row.fault("Period", value, "a period reads March 1, 2026 - March 31, 2026");
                let (from, to) = value.split_once(" - ").unwrap_or((value, value));
                let day = |text: &str| NaiveDate::parse_from_str(text.trim(), "%B %d, %Y").ok();
                self.period =
                    Some(day(from).zip(day(to)).filter(|(from, to)| from <= to).ok_or_else(refused)?);
            }
            _ => {}
        }
        Ok(())
    }

    fn account(&mut self, cells: &Cells<'a>) -> Result<(), StatementError> {
        let value = cells.need("Field Value")?;
        match cells.need("Field Name")? {
            "Account" => value.clone_into(&mut self.account),
            "Base Currency" => self.base = Some(cells.row.currency("Base Currency", value)?),
            _ => {}
        }
        Ok(())
    }

    fn trade(&mut self, cells: &Cells<'a>) -> Result<(), StatementError> {
        let trades = match cells.need("DataDiscriminator")? {
            "Order" => &mut self.orders,
            "Trade" | "Execution" => &mut self.fills,
            // Details of the rows above.
            "ClosedLot" => return Ok(()),
            other => {
                self.unread.push(cells.unread(&format!("rows {other:?} are not known")));
                return Ok(());
            }
        };
        let Some(symbol) = cells.symbol()? else {
            self.unread.push(cells.unread("only shares and options are read"));
            return Ok(());
        };
        let units = cells.number("Quantity")?;
        if units.is_zero() {
            self.unread.push(cells.unread("no units"));
            return Ok(());
        }
        let price = cells.number("T. Price")?;
        if price < Decimal::ZERO {
            return Err(cells.row.fault("T. Price", &price.to_string(), "a price is 0 or more"));
        }
        // `Comm/Fee`, or `Comm in EUR`.
        let fees = (2..cells.header.cells.len()).find(|at| cells.header.cell(*at).starts_with("Comm"));
        let fees = match fees.map_or("", |at| cells.row.cell(at)) {
            "" => Decimal::ZERO,
            text => -cells.row.number("Comm/Fee", text)?,
        };
        trades.push(StatementTrade {
            id: None,
            date: cells.day(["Date/Time", "Date"])?,
            symbol,
            side: if units > Decimal::ZERO { Side::Buy } else { Side::Sell },
            quantity: units.abs(),
            price,
            fees,
            proceeds: cells.number("Proceeds")?,
            currency: cells.currency()?,
        });
        Ok(())
    }

    fn position(&mut self, cells: &Cells<'a>) -> Result<(), StatementError> {
        let positions = self.positions.get_or_insert_default();
        if !matches!(cells.get("DataDiscriminator"), "" | "Summary") {
            return Ok(());
        }
        let Some(symbol) = cells.symbol()? else {
            self.unread.push(cells.unread("only shares and options are read"));
            return Ok(());
        };
        let units = positions.entry(symbol).or_default();
        *units = units.saturating_add(cells.number("Quantity")?);
        Ok(())
    }

    fn cash(&mut self, cells: &Cells<'a>) -> Result<(), StatementError> {
        let balances = match cells.need("Currency Summary")? {
            "Starting Cash" => &mut self.opening,
            "Ending Cash" => &mut self.closing,
            _ => return Ok(()),
        };
        let amount = cells.number("Total")?;
        if cells.need("Currency")? == "Base Currency Summary" {
            balances.summary = Some(amount);
        } else {
            balances.stated.insert(cells.currency()?, amount);
        }
        Ok(())
    }

    fn action(&mut self, cells: &Cells<'a>) -> Result<(), StatementError> {
        let text = cells.need("Description")?;
        let date = cells.day(["Date/Time", "Report Date"])?;
        // `ABC(US0000000001) Split 2 for 1 (ABC, ABC CORP, US0000000001)`: what moves is named in the last parentheses.
        let moved = text.rsplit_once('(').and_then(|(_, inside)| inside.split(',').next());
        let symbol = moved.and_then(|name| Symbol::new(name.trim().replace(' ', ".")).ok());
        let Some(symbol) = symbol.filter(|_| cells.get("Asset Category").starts_with("Stocks")) else {
            self.unread.push(cells.unread("no share is named"));
            return Ok(());
        };
        let units = cells.number("Quantity")?;
        let cash = if cells.get("Proceeds").is_empty() { Decimal::ZERO } else { cells.number("Proceeds")? };
        if !cash.is_zero() {
            let (kind, currency) = (CashKind::Other, cells.currency()?);
            let (symbol, text) = (Some(symbol.clone()), text.to_owned());
            self.movements.push(StatementMovement {
                id: None,
                date,
                kind,
                amount: cash,
                currency,
                symbol,
                text,
            });
        }
        self.actions.push(StatementAction { date, symbol, units, text: text.to_owned() });
        Ok(())
    }

    fn movement(&mut self, cells: &Cells<'a>, kind: Option<CashKind>) -> Result<(), StatementError> {
        let (amount, text) = (cells.number("Amount")?, cells.get("Description"));
        if amount.is_zero() {
            return Ok(());
        }
        let kind = match kind {
            None if amount > Decimal::ZERO => CashKind::Deposit,
            None => CashKind::Withdrawal,
            Some(CashKind::Interest) if text.contains("Borrow Fee") => CashKind::Borrow,
            Some(kind) => kind,
        };
        // `ABC(US0000000001) Cash Dividend …` names its share.
        let share = text.split_once('(').map(|(name, _)| name).filter(|_| kind == CashKind::Dividend);
        let symbol = share.and_then(|name| Symbol::new(name.trim().replace(' ', ".")).ok());
        let (date, currency) = (cells.day(["Date", "Settle Date"])?, cells.currency()?);
        let text = text.to_owned();
        self.movements.push(StatementMovement { id: None, date, kind, amount, currency, symbol, text });
        Ok(())
    }

    fn finish(self) -> Result<Statement, StatementError> {
        let missing = |what: &str| StatementError::Missing {
            line: 1,
            what: what.to_owned(),
            remedy:
                "export the Activity Statement of one account as CSV, in English, with its first sections"
                    .to_owned(),
        };
        let (from, to) = self.period.ok_or_else(|| missing("the period (section Statement)"))?;
        let base = self.base.ok_or_else(|| missing("the base currency (section Account Information)"))?;
        let trades = if self.orders.is_empty() { self.fills } else { self.orders };
        Ok(Statement {
            broker: self.broker,
            account: self.account,
            from,
            to,
            base,
            opening: self.opening.finish(base),
            closing: self.closing.finish(base),
            trades,
            movements: self.movements,
            actions: self.actions,
            positions: self.positions,
            unread: self.unread,
        })
    }
}

#[cfg(test)]
mod tests;
