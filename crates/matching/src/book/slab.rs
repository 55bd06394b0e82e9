//! Where the orders and levels of a book live: slots that are used again, with the orders of a level as a list.

use super::{BookOrder, BookSide, LevelView, Participant, RestingView};
use mts_foundation::Decimal;

/// No slot.
const NONE: u32 = u32::MAX;

/// Names a resting order: a slot, and how often the slot was used. A name of an order that has ended names nothing, also
/// when its slot is in use again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BookOrderId {
    slot: u32,
    generation: u32,
}

#[derive(Debug, Clone)]
struct Node {
    tag: u64,
    participant: Participant,
    side: BookSide,
    limit: Option<Decimal>,
    open: Decimal,
    sequence: u64,
    level: u32,
    previous: u32,
    next: u32,
    generation: u32,
    live: bool,
}

#[derive(Debug, Clone)]
struct Level {
    price: Decimal,
    open: Decimal,
    orders: u32,
    first: u32,
    last: u32,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Slab {
    nodes: Vec<Node>,
    free_nodes: Vec<u32>,
    levels: Vec<Level>,
    free_levels: Vec<u32>,
}

fn at(index: u32) -> usize {
    usize::try_from(index).unwrap_or(usize::MAX)
}

impl Slab {
    pub(super) fn len(&self) -> usize {
        self.nodes.len() - self.free_nodes.len()
    }

    fn node(&self, slot: u32) -> Option<&Node> {
        self.nodes.get(at(slot)).filter(|node| node.live)
    }

    pub(super) fn slot(&self, id: BookOrderId) -> Option<u32> {
        self.node(id.slot).filter(|node| node.generation == id.generation).map(|_| id.slot)
    }

    pub(super) fn id(&self, slot: u32) -> Option<BookOrderId> {
        self.node(slot).map(|node| BookOrderId { slot, generation: node.generation })
    }

    pub(super) fn sequence(&self, slot: u32) -> Option<u64> {
        self.node(slot).map(|node| node.sequence)
    }

    pub(super) fn is_in_a_level(&self, slot: u32) -> bool {
        self.node(slot).is_some_and(|node| node.level != NONE)
    }

    pub(super) fn view(&self, slot: u32) -> Option<RestingView> {
        self.node(slot).map(|node| RestingView {
            id: BookOrderId { slot, generation: node.generation },
            tag: node.tag,
            participant: node.participant,
            side: node.side,
            limit: node.limit,
            open: node.open,
        })
    }

    pub(super) fn level_view(&self, level: u32) -> Option<LevelView> {
        self.levels.get(at(level)).map(|level| LevelView {
            price: level.price,
            open: level.open,
            orders: level.orders,
        })
    }

    pub(super) fn price_of(&self, level: u32) -> Option<Decimal> {
        self.levels.get(at(level)).map(|level| level.price)
    }

    /// The oldest order of a level.
    pub(super) fn first_of(&self, level: u32) -> Option<u32> {
        self.levels.get(at(level)).map(|level| level.first).filter(|slot| *slot != NONE)
    }

    /// The orders of a level, oldest first.
    pub(super) fn orders_of(&self, level: u32) -> impl Iterator<Item = RestingView> {
        let next = |slot: &u32| self.node(*slot).map(|node| node.next).filter(|next| *next != NONE);
        std::iter::successors(self.first_of(level), next).filter_map(|slot| self.view(slot))
    }

    /// Keeps an order, outside of any level.
    pub(super) fn insert(&mut self, order: &BookOrder, sequence: u64) -> u32 {
        let mut node = Node {
            tag: order.tag,
            participant: order.participant,
            side: order.side,
            limit: order.limit,
            open: order.quantity,
            sequence,
            level: NONE,
            previous: NONE,
            next: NONE,
            generation: 0,
            live: true,
        };
        if let Some(slot) = self.free_nodes.pop()
            && let Some(used) = self.nodes.get_mut(at(slot))
        {
            node.generation = used.generation.wrapping_add(1);
            *used = node;
            return slot;
        }
        self.nodes.push(node);
        // The book keeps fewer orders than NONE.
        u32::try_from(self.nodes.len() - 1).unwrap_or(NONE)
    }

    /// Gives the slot of an order back; it is in no level any more.
    pub(super) fn free(&mut self, slot: u32) {
        if let Some(node) = self.nodes.get_mut(at(slot)) {
            node.live = false;
            self.free_nodes.push(slot);
        }
    }

    pub(super) fn add_level(&mut self, price: Decimal) -> u32 {
        let level = Level { price, open: Decimal::ZERO, orders: 0, first: NONE, last: NONE };
        if let Some(index) = self.free_levels.pop()
            && let Some(used) = self.levels.get_mut(at(index))
        {
            *used = level;
            return index;
        }
        self.levels.push(level);
        u32::try_from(self.levels.len() - 1).unwrap_or(NONE)
    }

    /// Puts an order behind the others of a level.
    pub(super) fn link(&mut self, slot: u32, level_index: u32) {
        let (Some(level), Some(node)) = (self.levels.get_mut(at(level_index)), self.nodes.get_mut(at(slot)))
        else {
            return;
        };
        node.level = level_index;
        node.previous = level.last;
        node.next = NONE;
        level.open += node.open;
        level.orders += 1;
        let last = std::mem::replace(&mut level.last, slot);
        if last == NONE {
            level.first = slot;
        } else if let Some(last) = self.nodes.get_mut(at(last)) {
            last.next = slot;
        }
    }

    /// Takes an order out of its level; side and price when that left the level empty and free.
    pub(super) fn unlink(&mut self, slot: u32) -> Option<(BookSide, Decimal)> {
        let node = self.nodes.get_mut(at(slot))?;
        let (side, open, previous, next) = (node.side, node.open, node.previous, node.next);
        let index = std::mem::replace(&mut node.level, NONE);
        if let Some(before) = self.nodes.get_mut(at(previous)) {
            before.next = next;
        }
        if let Some(after) = self.nodes.get_mut(at(next)) {
            after.previous = previous;
        }
        let level = self.levels.get_mut(at(index))?;
        level.open -= open;
        level.orders -= 1;
        if previous == NONE {
            level.first = next;
        }
        if next == NONE {
            level.last = previous;
        }
        if level.orders > 0 {
            return None;
        }
        let price = level.price;
        self.free_levels.push(index);
        Some((side, price))
    }

    /// Lowers what is open of an order; it keeps its place.
    pub(super) fn reduce(&mut self, slot: u32, by: Decimal) {
        let Some(node) = self.nodes.get_mut(at(slot)) else { return };
        node.open -= by;
        if let Some(level) = self.levels.get_mut(at(node.level)) {
            level.open -= by;
        }
    }
}
