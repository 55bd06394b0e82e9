//! `mts orders`, `mts fills`, `mts positions`, `mts incidents`: what a run's journal says, as tables or lines of JSON.

use super::fund_lines::{POSITIONS, position_cells, positions};
use super::print::{exactly, say, say_line, say_note, table};
use crate::app::App;
use crate::args::look::{IncidentsArgs, OrdersArgs, PositionsArgs, TradesArgs};
use crate::error::CliError;
use crate::incidents::{Incident, incidents};
use crate::orders::Orders;
use crate::run_folder::RunFolder;
use mts_foundation::OrderRecord;
use mts_foundation::event::Event;
use serde::Serialize;
use std::collections::VecDeque;

/// The last of many rows: memory does not grow with what is cut.
struct Latest<T> {
    limit: usize,
    all: usize,
    rows: VecDeque<T>,
}

impl<T: Serialize> Latest<T> {
    fn new(limit: usize) -> Self {
        Self { limit, all: 0, rows: VecDeque::new() }
    }

    fn push(&mut self, row: T) {
        if self.rows.len() == self.limit {
            self.rows.pop_front();
        }
        self.rows.push_back(row);
        self.all += 1;
    }

    /// Prints them, and on the error stream that there are more.
    fn tell(
        &self,
        json: bool,
        what: &str,
        (header, right): (&[&str], &[usize]),
        cells: impl Fn(&T) -> Vec<String>,
    ) -> Result<(), CliError> {
        if json {
            self.rows.iter().try_for_each(say_line)?;
        } else if self.rows.is_empty() {
            say(&format!("no {what}"));
        } else {
            say(&table(header, self.rows.iter().map(cells).collect(), right));
        }
        let (shown, all) = (self.rows.len(), self.all);
        if shown < all {
            say_note(&format!("the last {shown} of {all} {what}; --limit {all} shows all"));
        }
        Ok(())
    }
}

/// Lists orders by the time at which they were made.
pub(crate) fn orders(app: &App, args: &OrdersArgs) -> Result<(), CliError> {
    let OrdersArgs { state, trades } = args;
    let list = &trades.list;
    let mut run = RunFolder::open(app, &list.folder)?;
    let mut orders = Orders::default();
    run.replay(&mut |step| orders.note(step))?;
    let mut records = orders.at(&run.core);
    records.sort_by_key(|record| record.order.created_at);
    let mut latest = Latest::new(list.limit.get());
    records
        .into_iter()
        .filter(|record| state.want(record.state) && trades.want(&record.order, record.updated_at))
        .for_each(|record| latest.push(record));
    latest.tell(list.json, "orders", ORDERS, order_cells)
}

/// Header of a table of orders, and which of its columns are numbers.
pub(super) const ORDERS: (&[&str], &[usize]) = (
    &["order", "made", "side", "quantity", "symbol", "type", "state", "filled", "average", "changed", "why"],
    &[3, 7, 8],
);

/// A row of that table.
pub(super) fn order_cells(record: &OrderRecord) -> Vec<String> {
    let order = &record.order;
    vec![
        order.order_id.to_string(),
        order.created_at.to_string(),
        order.side.to_string(),
        exactly(order.quantity),
        order.symbol.to_string(),
        order.order_type.to_string(),
        record.state.to_string(),
        exactly(record.filled),
        record.average_price.map(exactly).unwrap_or_default(),
        record.updated_at.to_string(),
        order.rejected_reason.as_deref().unwrap_or_default().to_owned(),
    ]
}

/// Lists fills in the order in which they were booked.
pub(crate) fn fills(app: &App, args: &TradesArgs) -> Result<(), CliError> {
    let list = &args.list;
    let mut latest = Latest::new(list.limit.get());
    RunFolder::open(app, &list.folder)?.replay(&mut |step| {
        for event in &step.output.events {
            // The core has the order of what it has just booked.
            if let Event::FillCreated { fill, .. } = event
                && let Some(record) = step.core.state().order(&fill.order_id)
                && args.want(&record.order, fill.timestamp)
            {
                latest.push(event.clone());
            }
        }
    })?;
    let header =
        ["fill", "when", "order", "side", "quantity", "symbol", "price", "fees", "position", "realised"];
    latest.tell(list.json, "fills", (&header, &[4, 6, 7, 8, 9]), fill_cells)
}

/// A row of a table of fills.
fn fill_cells(event: &Event) -> Vec<String> {
    let Event::FillCreated { fill, position_after, realized, .. } = event else { return Vec::new() };
    vec![
        fill.fill_id.to_string(),
        fill.timestamp.to_string(),
        fill.order_id.to_string(),
        fill.side.to_string(),
        exactly(fill.quantity),
        fill.symbol.to_string(),
        exactly(fill.price),
        exactly(fill.fees),
        exactly(*position_after),
        exactly(*realized),
    ]
}

/// Lists positions, the largest value last.
pub(crate) fn list_positions(app: &App, args: &PositionsArgs) -> Result<(), CliError> {
    let PositionsArgs { fund, list } = args;
    let mut run = RunFolder::open(app, &list.folder)?;
    run.catch_up()?;
    let mut latest = Latest::new(list.limit.get());
    positions(&run.core, fund.as_ref()).into_iter().rev().for_each(|position| latest.push(position));
    latest.tell(list.json, "positions", POSITIONS, |position| position_cells(position, exactly))
}

/// Lists incidents in the order in which they were raised.
pub(crate) fn list_incidents(app: &App, args: &IncidentsArgs) -> Result<(), CliError> {
    let IncidentsArgs { code, since, list } = args;
    let mut latest = Latest::new(list.limit.get());
    RunFolder::open(app, &list.folder)?.replay(&mut |step| {
        incidents(step)
            .filter(|incident| code.as_ref().is_none_or(|code| *code == incident.code))
            .filter(|incident| since.want(incident.time))
            .for_each(|incident| latest.push(incident));
    })?;
    latest.tell(list.json, "incidents", (&Incident::HEADER, &[0]), Incident::cells)
}
