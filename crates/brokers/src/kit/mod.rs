//! What every adapter stands on; an adapter imports this and foundation, and nothing else.
//!
//! | to | use |
//! |---|---|
//! | reach the world | [`Connections`] |
//! | ask a venue over HTTP, and say what its silence means | [`Rest`], [`Failure`] |
//! | give an order its id at the venue | [`client_id`] |
//! | know whose order a venue talks about | [`KnownOrders`] |
//! | hand an order over, once and again | [`OrderEntry`], [`submit()`] |
//! | say whether a cancellation has come to pass | [`canceled()`] |
//! | read money exactly | [`number`] |
//! | say what all venues mean alike | [`side()`], [`order_of`], [`venue_id`], [`held`] |
//! | follow a venue's stream | [`Session`], [`EventSource`], [`follow()`] |
//! | name a place in a history, and what of it cannot be told | [`cursor`], [`place`](place()), [`Untold`] |

mod cancel;
mod checks;
mod client_id;
mod config;
mod connections;
mod failure;
mod known;
pub mod number;
mod place;
mod rest;
mod stream;
mod submit;
mod untold;
mod words;

pub use cancel::canceled;
pub use checks::Checks;
pub use client_id::client_id;
pub use config::{ZeroTime, above_zero};
pub use connections::{Connections, health, secret, sensitive};
pub use failure::{Failure, FailureKind};
pub use known::{KnownOrder, KnownOrders};
pub use place::{cursor, place, reach_back};
pub use rest::{Reply, Rest};
pub use stream::{EventSource, Followed, Session, Step, follow, is_live};
pub use submit::{Entry, OrderEntry, Taken, submit};
pub use untold::Untold;
pub use words::{held, order_of, side, strange, unreadable, venue_id};
