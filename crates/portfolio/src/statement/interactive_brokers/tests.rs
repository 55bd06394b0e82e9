//! A made-up statement with the layout of real ones, and what is wrong with broken ones.

use super::super::testing::is_sound;
use super::*;
use proptest::prelude::*;

/// Made up; the layout is that of real ones.
const STATEMENT: &str = "\u{feff}Statement,Header,Field Name,Field Value\r
Statement,Data,BrokerName,Interactive Brokers\r
Statement,Data,Title,Activity Statement\r
Statement,Data,Period,\"March 1, 2026 - March 31, 2026\"\r
Account Information,Header,Field Name,Field Value\r
Account Information,Data,Account,U0000000\r
Account Information,Data,Base Currency,USD\r
Net Asset Value,Header,Asset Class,Prior Total,Current Total\r
Net Asset Value,Data,Cash ,0,100\r
Trades,Header,DataDiscriminator,Asset Category,Currency,Symbol,Date/Time,Quantity,T. Price,C. Price,Proceeds,Comm/Fee,Basis,Realized P/L,MTM P/L,Code\r
Trades,Data,Order,Stocks,USD,BRK B,\"2026-03-02, 09:31:00\",\"1,000\",450.5,451,-450500,-5.25,450505.25,0,500,O\r
Trades,Data,Trade,Stocks,USD,BRK B,\"2026-03-02, 09:31:00\",400,450.5,451,-180200,-2,,,,O\r
Trades,Data,Order,Stocks,USD,BRK B,\"2026-03-03, 09:31:00\",-200,452,451,90400,0.15,,,,C\r
Trades,Data,ClosedLot,Stocks,USD,BRK B,2026-03-02,200,450.5,,,,,,,\r
Trades,SubTotal,,Stocks,USD,BRK B,,800,,,-360100,-5.10,,,,\r
Trades,Data,Order,Equity and Index Options,USD,ABC 17JAN27 180.5 C,\"2026-03-04, 10:00:00\",-2,1.5,1.4,300,-1.4,,,,O\r
Trades,Header,DataDiscriminator,Asset Category,Currency,Symbol,Date/Time,Quantity,T. Price,C. Price,Proceeds,Comm in USD,MTM in USD,Code\r
Trades,Data,Order,Forex,USD,EUR.USD,\"2026-03-05, 10:00:00\",\"1,000\",1.1,,-1100,-2,0,\r
Open Positions,Header,DataDiscriminator,Asset Category,Currency,Symbol,Quantity,Mult,Cost Price,Cost Basis,Close Price,Value,Unrealized P/L,Code\r
Open Positions,Data,Summary,Stocks,USD,BRK B,800,1,450.5,360400,455,364000,3600,\r
Open Positions,Data,Lot,Stocks,USD,BRK B,800,1,450.5,360400,455,364000,3600,\r
Open Positions,Data,Summary,Equity and Index Options,USD,ABC 17JAN27 180.5 C,-2,100,1.5,-300,1.4,-280,20,\r
Open Positions,Total,,Stocks,USD,,,,,,,364000,3600,\r
Cash Report,Header,Currency Summary,Currency,Total,Securities,Futures,\r
Cash Report,Data,Starting Cash,Base Currency Summary,500000,500000,0,\r
Cash Report,Data,Starting Cash,USD,500000,500000,0,\r
Cash Report,Data,Commissions,USD,-6.5,-6.5,0,\r
Cash Report,Data,Ending Cash,Base Currency Summary,140000,140000,0,\r
Cash Report,Data,Ending Cash,USD,139000.5,139000.5,0,\r
Cash Report,Data,Ending Cash,EUR,1000,1000,0,\r
Deposits & Withdrawals,Header,Currency,Settle Date,Description,Amount\r
Deposits & Withdrawals,Data,USD,2026-03-06,Electronic Fund Transfer,\"5,000\"\r
Deposits & Withdrawals,Data,USD,2026-03-09,Disbursement,-100\r
Deposits & Withdrawals,Data,Total,,,4900\r
Dividends,Header,Currency,Date,Description,Amount\r
Dividends,Data,USD,2026-03-10,ABC(US0000000001) Cash Dividend USD 0.24 per Share (Ordinary Dividend),24\r
Dividends,Data,Total,,,24\r
Withholding Tax,Header,Currency,Date,Description,Amount,Code\r
Withholding Tax,Data,USD,2026-03-10,ABC(US0000000001) Cash Dividend USD 0.24 per Share - US Tax,-3.6,\r
Interest,Header,Currency,Date,Description,Amount\r
Interest,Data,USD,2026-03-04,USD Debit Interest for Feb-2026,-12.34\r
Interest,Data,USD,2026-03-05,USD Borrow Fees for Feb-2026: Borrow Fee,-1.5\r
Fees,Header,Subtitle,Currency,Date,Description,Amount\r
Fees,Data,Other Fees,USD,2026-03-03,Market data for Mar 2026,-10\r
Fees,Data,Total,,,,-10\r
Transaction Fees,Header,Asset Category,Currency,Date/Time,Symbol,Description,Quantity,Trade Price,Amount,Code\r
Transaction Fees,Data,Stocks,GBP,\"2026-03-05, 10:00:00\",EVR,Stamp Tax,303,4.9,-7.4,\r
Corporate Actions,Header,Asset Category,Currency,Report Date,Date/Time,Description,Quantity,Proceeds,Value,Realized P/L,Code\r
Corporate Actions,Data,Stocks,USD,2026-03-12,\"2026-03-11, 20:25:00\",\"XYZ(US0000000002) Split 2 for 1 (XYZ, XYZ CORP, US0000000002)\",30,0,0,0,\r
Corporate Actions,Data,Total,,,,,,0,0,0,\r
Notes/Legal Notes,Header,Type,Note\r
Notes/Legal Notes,Data,1,\"text, with a comma\"\r
";

fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

#[test]
fn a_whole_statement() {
    let found = read_interactive_brokers(STATEMENT.as_bytes()).unwrap();
    assert_eq!((found.broker.as_str(), found.account.as_str()), ("Interactive Brokers", "U0000000"));
    assert_eq!((found.from.to_string(), found.to.to_string()), ("2026-03-01".into(), "2026-03-31".into()));
    let trades: Vec<String> = found
        .trades
        .iter()
        .map(|one| {
            format!(
                "{} {} {} @ {} fees {} cash {}",
                one.date,
                one.symbol,
                one.units(),
                one.price,
                one.fees,
                one.cash()
            )
        })
        .collect();
    assert_eq!(
        trades,
        [
            "2026-03-02 BRK.B 1000 @ 450.5 fees 5.25 cash -450505.25",
            "2026-03-03 BRK.B -200 @ 452 fees -0.15 cash 90400.15",
            "2026-03-04 ABC270117C00180500 -2 @ 1.5 fees 1.4 cash 298.6",
        ]
    );
    let positions: Vec<String> =
        found.positions.unwrap().iter().map(|(symbol, units)| format!("{symbol} {units}")).collect();
    assert_eq!(positions, ["ABC270117C00180500 -2", "BRK.B 800"]);
    assert_eq!(found.opening, BTreeMap::from([(Currency::USD, d("500000"))]));
    assert_eq!((found.closing.len(), found.closing[&Currency::USD]), (2, d("139000.5")));
    let moved: Vec<String> = found
        .movements
        .iter()
        .map(|one| {
            format!(
                "{} {} {} {}",
                one.date,
                one.kind,
                one.amount,
                one.symbol.as_ref().map_or("-", |name| name.as_str())
            )
        })
        .collect();
    assert_eq!(
        moved,
        [
            "2026-03-06 deposit 5000 -",
            "2026-03-09 withdrawal -100 -",
            "2026-03-10 dividend 24 ABC",
            "2026-03-10 dividend -3.6 ABC",
            "2026-03-04 interest -12.34 -",
            "2026-03-05 borrow -1.5 -",
            "2026-03-03 fee -10 -",
        ]
    );
    let action = &found.actions[0];
    assert_eq!(
        (action.symbol.as_str(), action.units, action.date.to_string()),
        ("XYZ", d("30"), "2026-03-11".into())
    );
    let unread: Vec<u64> = found.unread.iter().map(|one| one.line).collect();
    assert_eq!(unread, [18, 47], "{:?}", found.unread);
    assert!(found.unread[0].reason.contains("Forex EUR.USD"));
}

#[test]
fn fills_stand_where_there_are_no_orders_and_one_currency_is_the_base() {
    let text = "Statement,Header,Field Name,Field Value
Statement,Data,Period,\"March 2, 2026\"
Account Information,Header,Field Name,Field Value
Account Information,Data,Base Currency,EUR
Trades,Header,DataDiscriminator,Asset Category,Currency,Symbol,Date/Time,Quantity,T. Price,Proceeds
Trades,Data,Execution,Stocks,EUR,SAP,\"2026-03-02, 09:31:00\",4,150,-600
Cash Report,Header,Currency Summary,Currency,Total
Cash Report,Data,Ending Cash,Base Currency Summary,(600)
";
    let found = read_interactive_brokers(text.as_bytes()).unwrap();
    assert_eq!((found.trades.len(), found.trades[0].fees), (1, Decimal::ZERO));
    assert_eq!(found.closing, BTreeMap::from([(Currency::new("EUR").unwrap(), d("-600"))]));
    assert_eq!((found.from, found.positions), (found.to, None));
}

#[test]
fn faults_name_line_field_value_and_remedy() {
    for (from, to, wanted) in [
        ("\"1,000\",450.5", "ten,450.5", "line 11: Quantity \"ten\""),
        ("\"2026-03-02, 09:31:00\",\"1,000\"", "yesterday,\"1,000\"", "line 11: Date/Time \"yesterday\""),
        ("450.5,451,-450500", "-450.5,451,-450500", "line 11: T. Price \"-450.5\""),
        ("ABC 17JAN27 180.5 C,\"", "ABC JAN27 C,\"", "write an option as AAPL 17JAN25 180 C"),
        (
            "Quantity,T. Price,C. Price,Proceeds,Comm/Fee",
            "Menge,T. Price,C. Price,Proceeds,Comm/Fee",
            "line 10: column Quantity of section Trades is missing",
        ),
        ("March 1, 2026 - ", "1. 3. 2026 - ", "line 4: Period"),
        ("March 31, 2026", "February 28, 2026", "line 4: Period"),
        ("Title,Activity", "Title,MTM", "export an Activity Statement"),
        ("Statement,Data,Period", "Statement,Notes,Period", "the period (section Statement) is missing"),
        ("Account Information,Data,Base", "Account Information,Notes,Base", "the base currency"),
        ("Fees,Header", "Fees,Notes", "the header of section \"Fees\" is missing"),
        ("Market data for Mar 2026,-10", "Market data for Mar 2026,\"1,0\"", "a comma separates thousands"),
    ] {
        assert!(STATEMENT.contains(from), "{from}");
        let error =
            read_interactive_brokers(STATEMENT.replacen(from, to, 1).as_bytes()).unwrap_err().to_string();
        assert!(error.contains(wanted), "{error}");
    }
}

proptest! {
    #[test]
    fn no_input_panics(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        cells in "[A-Za-z0-9 ,.()\"-]{0,80}",
        at in 0_usize..STATEMENT.len(),
        byte in any::<u8>(),
    ) {
        prop_assert!(is_sound(read_interactive_brokers(&bytes)));
        let longer = format!("{STATEMENT}Trades,Data,Order,{cells}");
        prop_assert!(is_sound(read_interactive_brokers(longer.as_bytes())));
        let mut broken = STATEMENT.as_bytes().to_vec();
        broken[at] = byte;
        prop_assert!(is_sound(read_interactive_brokers(&broken)));
        prop_assert!(is_sound(read_interactive_brokers(&STATEMENT.as_bytes()[..at])));
    }
}
