//! All orders of a run. The core forgets those that ended a day ago; their events do not.

use crate::run_folder::Replayed;
use mts_engine::Core;
use mts_foundation::event::Event;
use mts_foundation::{OrderId, OrderRecord};
use std::collections::BTreeMap;

/// The last known record of every order, by id.
#[derive(Debug, Default)]
pub(crate) struct Orders(BTreeMap<OrderId, OrderRecord>);

impl Orders {
    /// Notes what an input did to orders.
    pub(crate) fn note(&mut self, step: &Replayed<'_>) {
        let after = step.output.events.iter().filter_map(|event| match event {
            Event::FillCreated { fill, .. } => step.core.state().order(&fill.order_id),
            event => event.order(),
        });
        self.0.extend(after.map(by_id));
    }

    /// All of them as of the core's present state: not every change has an event, a wish to cancel has none.
    pub(crate) fn at(mut self, core: &Core) -> Vec<OrderRecord> {
        self.0.extend(core.state().orders().map(by_id));
        self.0.into_values().collect()
    }
}

fn by_id(record: &OrderRecord) -> (OrderId, OrderRecord) {
    (record.order.order_id.clone(), record.clone())
}
