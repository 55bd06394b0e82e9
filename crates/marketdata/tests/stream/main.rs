//! Streams of market data: the feed in a world of memory and virtual time, the machine, the venues' parsers.

mod feed;
mod machine;
mod recordings;
mod venues;
mod world;
