//! Reads an instrument table and closing prices from text, and shows how a fault in them is named.

#![allow(clippy::print_stdout, reason = "an example prints")]

use mts_foundation::MarketCalendar;
use mts_foundation::market_data::{DataFeed, MarketEvent};
use mts_foundation::ready::ready;
use mts_marketdata::{ClosesFeed, instruments};
use std::error::Error;

const INSTRUMENTS: &str = "\
symbol,asset_class,currency,calendar,tick,lot,multiplier
AAPL,equities,USD,XNYS,0.01,1,1
MSFT,equities,USD,XNYS,0.01,1,1
";

const CLOSES: &str = "\
Date,AAPL,MSFT
2024-07-02,220.27,459.28
2024-07-03,221.55,460.77
2024-07-05,226.34,
";

fn main() -> Result<(), Box<dyn Error>> {
    let table = instruments::from_csv("instruments.csv", INSTRUMENTS)?;
    let calendar = MarketCalendar::builtin("XNYS")?;
    let mut feed = ClosesFeed::from_csv("closes.csv", CLOSES, &table, calendar)?;
    println!(
        "{} instruments, {} sessions from {} to {}",
        table.len(),
        feed.sessions(),
        feed.first(),
        feed.last()
    );

    // A feed of a file answers at once; a feed of a venue would be awaited.
    ready(feed.start())??;
    while let Some(event) = ready(feed.next())?? {
        if let MarketEvent::Bars { time, bars } = event {
            let closes: Vec<String> =
                bars.iter().map(|bar| format!("{} {}", bar.symbol, bar.close)).collect();
            println!("{}: {}", time.to_datetime(), closes.join(", "));
        }
    }

    // Independence Day was no session; the message says where and what to do.
    let wrong = CLOSES.replace("2024-07-05", "2024-07-04");
    if let Err(error) = ClosesFeed::from_csv("closes.csv", &wrong, &table, calendar) {
        println!("refused: {error}");
    }
    Ok(())
}
