//! What the gateway knows besides the desk: who is connected, which id of which client is which order, and how many messages
//! have come.

use crate::desk::ids;
use mts_foundation::{BrokerOrderId, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Messages of a second that the gateway takes, of all clients together.
pub(super) const MESSAGES_PER_SECOND: u32 = 50;

#[derive(Debug)]
pub(super) struct Book {
    account: String,
    mark: String,
    connected: BTreeSet<i32>,
    orders: BTreeMap<(i32, i32), BrokerOrderId>,
    last_ids: BTreeMap<i32, i32>,
    /// The second that is counted, since 1970, and how many messages it has had.
    second: i64,
    messages: u32,
}

/// The book, shared by all clients. The server's lock is around every use of it, so that it is never waited for.
#[derive(Debug, Clone)]
pub(super) struct SharedBook(Arc<Mutex<Book>>);

impl SharedBook {
    pub(super) fn new(seed: u64) -> Self {
        let book = Book {
            account: format!("DU{:07}", ids::count(seed, "account", 0, 7)),
            mark: ids::digits(seed, "executions", 0, 8),
            connected: BTreeSet::new(),
            orders: BTreeMap::new(),
            last_ids: BTreeMap::new(),
            second: 0,
            messages: 0,
        };
        Self(Arc::new(Mutex::new(book)))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// The account's number.
    pub(super) fn account(&self) -> &str {
        &self.account
    }

    /// What the ids of executions begin with.
    pub(super) fn mark(&self) -> &str {
        &self.mark
    }

    /// Lets a client in; `false` when one with its id is in already.
    pub(super) fn connect(&mut self, client: i32) -> bool {
        self.connected.insert(client)
    }

    pub(super) fn disconnect(&mut self, client: i32) {
        self.connected.remove(&client);
    }

    /// The order that a client has placed under an id.
    pub(super) fn order(&self, client: i32, id: i32) -> Option<&BrokerOrderId> {
        self.orders.get(&(client, id))
    }

    /// The highest id that a client has used; ids only rise.
    pub(super) fn last_id(&self, client: i32) -> i32 {
        self.last_ids.get(&client).copied().unwrap_or_default()
    }

    pub(super) fn use_id(&mut self, client: i32, id: i32) {
        let last = self.last_ids.entry(client).or_default();
        *last = id.max(*last);
    }

    /// There are as many as the desk takes orders.
    pub(super) fn add(&mut self, client: i32, id: i32, order: BrokerOrderId) {
        self.orders.insert((client, id), order);
    }

    /// Counts a message; how many this second has had, if they are too many.
    pub(super) fn count(&mut self, now: Timestamp) -> Option<u32> {
        let second = now.nanos() / 1_000_000_000;
        if second != self.second {
            (self.second, self.messages) = (second, 0);
        }
        self.messages = self.messages.saturating_add(1);
        (self.messages > MESSAGES_PER_SECOND).then_some(self.messages)
    }
}
