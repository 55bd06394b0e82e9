//! What differs from venue to venue, without I/O, clock and memory: what to say, and what a frame means.

use super::book::Update;
use bytes::Bytes;
use mts_foundation::io::Frame;
use mts_foundation::market_data::MarketDataError;
use mts_foundation::{Bar, Decimal, Interval, Symbol, Timestamp, Trade, VenueName, VenueSymbology};
use smol_str::SmolStr;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What is followed of an instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// Every print.
    Trades,
    /// The best bid and offer.
    Quotes,
    /// Closed bars.
    Bars(Interval),
    /// The order book. Its best bid and offer are handed on as quotes; its levels are to be looked at
    /// ([`Machine::book`](super::machine::Machine::book)).
    Book,
}

/// One subscription.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Topic {
    /// What.
    pub channel: Channel,
    /// Of which instrument.
    pub symbol: Symbol,
}

impl Topic {
    /// The prints of an instrument.
    #[must_use]
    pub const fn trades(symbol: Symbol) -> Self {
        Self { channel: Channel::Trades, symbol }
    }

    /// The quotes of an instrument.
    #[must_use]
    pub const fn quotes(symbol: Symbol) -> Self {
        Self { channel: Channel::Quotes, symbol }
    }

    /// The bars of an instrument.
    #[must_use]
    pub const fn bars(symbol: Symbol, interval: Interval) -> Self {
        Self { channel: Channel::Bars(interval), symbol }
    }

    /// The order book of an instrument.
    #[must_use]
    pub const fn book(symbol: Symbol) -> Self {
        Self { channel: Channel::Book, symbol }
    }
}

/// Place of a topic among those of the protocol.
pub type TopicIndex = usize;

/// How a venue's connection is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Facts {
    /// Topics in one subscription at most.
    pub batch: usize,
    /// Pause between two messages of ours.
    pub pause: Duration,
    /// How often we ask whether the venue lives, and how long its answer may take.
    pub ping: (Duration, Duration),
    /// How long no frame at all comes at most while all is well.
    pub longest_silence: Duration,
    /// How old the venue lets a connection become; a new one is opened before.
    pub lifetime: Option<Duration>,
    /// A bar is final when the next one begins: the venue does not say it.
    pub bars_end_with_the_next: bool,
}

/// A level of the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    /// Price per unit.
    pub price: Decimal,
    /// Units.
    pub size: Decimal,
}

/// What a frame says.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// A print. The number is one more than that of the topic's print before, at venues that number without holes.
    Trade {
        /// Whose.
        topic: TopicIndex,
        /// The print.
        trade: Trade,
        /// Its number.
        number: Option<u64>,
    },
    /// A number that no print of ours has; only that it is taken counts.
    Void {
        /// Whose.
        topic: TopicIndex,
        /// The number.
        number: u64,
    },
    /// The venue's newest print has this number: one that was not seen is missing.
    Newest {
        /// Whose.
        topic: TopicIndex,
        /// The number.
        number: u64,
    },
    /// The best bid and offer. A side that is absent has not changed.
    Touch {
        /// Whose.
        topic: TopicIndex,
        /// Best bid.
        bid: Option<Level>,
        /// Best offer.
        ask: Option<Level>,
        /// When, at the venue; the time of receipt where it does not say.
        time: Timestamp,
        /// Grows from quote to quote.
        number: Option<u64>,
    },
    /// A snapshot of the order book, or what has changed in it.
    Book {
        /// Whose.
        topic: TopicIndex,
        /// The levels.
        update: Update,
    },
    /// A bar as it stands.
    Bar {
        /// Whose.
        topic: TopicIndex,
        /// The bar.
        bar: Bar,
        /// The venue says that it is final.
        is_closed: bool,
    },
    /// The venue sends this topic.
    Acknowledged(TopicIndex),
    /// The venue sends all topics of this subscription.
    RequestAcknowledged(u64),
    /// The venue does not take this subscription; one topic may spoil it for the others.
    RequestRefused {
        /// Its number.
        request: u64,
        /// The venue's words.
        message: String,
    },
    /// The venue does not have this topic.
    Refused {
        /// Which.
        topic: TopicIndex,
        /// The venue's words.
        message: String,
    },
    /// A bar that came before was not right: this one takes its place.
    Revised(TopicIndex, Bar),
    /// A print that may have been handed on has been corrected or cancelled.
    Withdrawn {
        /// Whose.
        topic: TopicIndex,
        /// Of when.
        time: Timestamp,
    },
    /// All that the venue sends from now on, in answer to one subscription each.
    Subscribed(Vec<TopicIndex>),
    /// The venue is ready to hear who we are.
    Greeted,
    /// The venue knows who we are.
    Authenticated,
    /// The answer to our question whether it lives.
    Pong,
    /// The venue will end the connection soon.
    EndsSoon,
    /// The connection is of no use; a new one may be.
    Retry(String),
    /// No connection will be of use: why, and what to do.
    Fatal(String),
}

/// A frame that is not what the venue's documents say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the frame cannot be read: {0}")]
pub struct Unreadable(pub String);

impl From<serde_json::Error> for Unreadable {
    fn from(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}

/// A venue's stream of public or private data, for one set of topics.
pub trait Protocol: Send {
    /// Where.
    fn venue(&self) -> &VenueName;
    /// What is wanted.
    fn topics(&self) -> &[Topic];
    /// Where to connect to.
    fn url(&self) -> &str;
    /// How its connection is kept.
    fn facts(&self) -> Facts;
    /// What is said first; `None` = anybody may listen.
    fn authentication(&self, _now: Timestamp) -> Option<Frame> {
        None
    }
    /// Whether the venue speaks first ([`Said::Greeted`]): the authentication waits for it.
    fn greets(&self) -> bool {
        false
    }
    /// Asks for topics, all of one channel. The number comes back in what the venue answers, where it repeats it.
    fn subscription(&self, topics: &[TopicIndex], request: u64) -> Frame;
    /// How many levels of each side of an order book the venue keeps up to date; `None` = all there are.
    fn book_depth(&self) -> Option<usize> {
        None
    }
    /// Where the snapshot of a topic's order book is to be had, and what the request weighs; `None` = its stream begins with one.
    fn book_request(&self, _topic: TopicIndex) -> Option<(String, u32)> {
        None
    }
    /// The snapshot in an answer to that request.
    ///
    /// # Errors
    /// [`Unreadable`].
    fn read_book(&self, _answer: &[u8], _now: Timestamp) -> Result<Update, Unreadable> {
        Err(Unreadable("the venue's stream has its snapshots".to_owned()))
    }
    /// Makes the stream of a topic's order book begin anew, with a snapshot.
    fn book_anew(&self, _topic: TopicIndex, _request: u64) -> Vec<Frame> {
        Vec::new()
    }
    /// Asks whether the venue lives.
    fn ping(&self) -> Frame {
        Frame::Ping(Bytes::new())
    }
    /// What a text or binary frame says, in its order. What is of no concern says nothing.
    ///
    /// # Errors
    /// [`Unreadable`]; what was said before the fault is kept.
    fn read(&self, frame: &[u8], now: Timestamp, said: &mut Vec<Said>) -> Result<(), Unreadable>;
}

/// Topics with the venue's names for their instruments.
#[derive(Debug, Clone)]
pub struct Topics {
    venue: VenueName,
    list: Vec<Topic>,
    natives: Vec<SmolStr>,
    places: BTreeMap<Channel, BTreeMap<SmolStr, TopicIndex>>,
}

impl Topics {
    /// Names each once; equal ones count once.
    ///
    /// # Errors
    /// [`MarketDataError::Unsupported`] for none, for more than `most`, and for an instrument that the venue does not have.
    pub fn new(
        venue: &VenueName,
        table: &VenueSymbology,
        wanted: impl IntoIterator<Item = Topic>,
        most: usize,
    ) -> Result<Self, MarketDataError> {
        let list: Vec<Topic> = wanted.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        let fault = |what: String| MarketDataError::Unsupported { source_name: venue.to_string(), what };
        if list.is_empty() {
            return Err(fault("a stream of nothing; name at least one topic".to_owned()));
        }
        if list.len() > most {
            return Err(fault(format!("{} topics in one stream; it takes {most}, use several", list.len())));
        }
        let mut natives = Vec::new();
        let mut places: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
        for (index, topic) in list.iter().enumerate() {
            let native = table.to_native(&topic.symbol).map_err(|error| fault(error.to_string()))?;
            places.entry(topic.channel).or_default().insert(native.clone(), index);
            natives.push(native);
        }
        Ok(Self { venue: venue.clone(), list, natives, places })
    }

    /// Where.
    #[must_use]
    pub fn venue(&self) -> &VenueName {
        &self.venue
    }

    /// The topics, each once.
    #[must_use]
    pub fn list(&self) -> &[Topic] {
        &self.list
    }

    /// The topic of a channel and of the venue's name of an instrument.
    #[must_use]
    pub fn find(&self, channel: Channel, native: &str) -> Option<TopicIndex> {
        self.places.get(&channel)?.get(native).copied()
    }

    /// A topic and the venue's name of its instrument.
    #[must_use]
    pub fn get(&self, index: TopicIndex) -> Option<(&Topic, &SmolStr)> {
        self.list.get(index).zip(self.natives.get(index))
    }

    /// The channel of topics that are asked for together, and their instruments' names.
    pub fn named<'a>(
        &'a self,
        indices: &'a [TopicIndex],
    ) -> (Option<Channel>, impl Iterator<Item = &'a SmolStr>) {
        let channel = indices.first().and_then(|index| self.list.get(*index)).map(|topic| topic.channel);
        (channel, indices.iter().filter_map(|index| self.natives.get(*index)))
    }
}
