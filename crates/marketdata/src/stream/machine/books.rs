//! Order books: what the venue says of them to the connection that it came by, and what is so to the consumer.

use super::{ConnectionId, Machine};
use crate::stream::book::{Book, Fault, Outcome, Synchroniser, Update};
use crate::stream::following::Following;
use crate::stream::options::Moment;
use crate::stream::protocol::{Channel, Protocol, TopicIndex};
use mts_foundation::Symbol;
use std::time::Duration;

impl<P: Protocol> Machine<P> {
    /// The order book of an instrument as the last frame has left it; `None` while there is none that can be trusted.
    pub fn book(&self, symbol: &Symbol) -> Option<&Book> {
        let of = |topic: &Following| topic.topic.channel == Channel::Book && topic.topic.symbol == *symbol;
        let index = self.tape.topics.iter().position(of)?;
        self.current.as_ref()?.books.get(&index)?.book()
    }

    pub(super) fn book_update(&mut self, id: ConnectionId, topic: TopicIndex, update: Update, now: Moment) {
        let options = self.tape.options;
        let Some(sync) = self.connection(id).and_then(|it| it.books.get_mut(&topic)) else { return };
        let outcome = sync.take(update, now.mono, &options);
        if let Some(topic) = self.tape.topics.get_mut(topic) {
            topic.heard = now.mono;
        }
        self.book_became(id, topic, outcome, now);
    }

    /// The answer to the question for a snapshot.
    pub(super) fn book_answer(
        &mut self,
        id: ConnectionId,
        topic: TopicIndex,
        answer: Option<&[u8]>,
        now: Moment,
    ) {
        let snapshot = answer.map(|answer| self.protocol.read_book(answer, now.time));
        if matches!(snapshot, Some(Err(_))) {
            self.tape.counts.unreadable = self.tape.counts.unreadable.saturating_add(1);
        }
        let options = self.tape.options;
        let Some(connection) = self.connection(id) else { return };
        connection.requested.remove(&topic);
        let Some(sync) = connection.books.get_mut(&topic) else { return };
        let outcome = sync.answer(snapshot.and_then(Result::ok), now.mono, &options);
        self.book_became(id, topic, outcome, now);
    }

    /// A frame could not be read: of books in which a missing update does not show, nobody knows what they are.
    pub(super) fn unread(&mut self, id: ConnectionId, now: Moment) {
        let options = self.tape.options;
        let Some(connection) = self.connection(id) else { return };
        let lost = |(topic, sync): (&TopicIndex, &mut Synchroniser)| {
            sync.unread(now.mono, &options).map(|fault| (*topic, fault))
        };
        let lost: Vec<_> = connection.books.iter_mut().filter_map(lost).collect();
        for (topic, fault) in lost {
            self.book_became(id, topic, Outcome::Lost(fault), now);
        }
    }

    fn book_became(&mut self, id: ConnectionId, topic: TopicIndex, outcome: Outcome, now: Moment) {
        let counts = &mut self.tape.counts;
        match outcome {
            Outcome::Valid if self.current.as_ref().is_some_and(|it| it.id == id) => {
                self.show_book(topic, now)
            }
            Outcome::Valid | Outcome::Waits => {}
            Outcome::Repeated => counts.duplicates = counts.duplicates.saturating_add(1),
            Outcome::Lost(fault) => {
                counts.books_lost = counts.books_lost.saturating_add(1);
                counts.checksums = counts.checksums.saturating_add(u64::from(fault == Fault::Checksum));
                if let Some(topic) = self.tape.topics.get_mut(topic) {
                    // What comes next is news, even if it is the same.
                    topic.touch = (None, None);
                }
            }
        }
    }

    fn show_book(&mut self, topic: TopicIndex, now: Moment) {
        let book = self.current.as_ref().and_then(|it| it.books.get(&topic)?.book());
        if let Some((best, time)) = book.map(|book| (book.best(), book.time())) {
            self.tape.best(topic, best, time, now);
        }
    }

    /// Another connection is the current one now.
    pub(super) fn show_books(&mut self, now: Moment) {
        let topics: Vec<_> = self.current.iter().flat_map(|it| it.books.keys().copied()).collect();
        for topic in topics {
            self.show_book(topic, now);
        }
    }

    /// The feed begins; that it has no books yet counts from this moment on.
    pub(super) fn expect_books(&mut self, from: Duration) {
        for topic in &mut self.tape.topics {
            if topic.topic.channel == Channel::Book {
                topic.lacks_book = Some(from);
            }
        }
    }

    /// Since when there is no book of a topic.
    pub(super) fn look_for_books(&mut self, now: Duration) {
        for (index, topic) in self.tape.topics.iter_mut().enumerate() {
            if topic.topic.channel == Channel::Book {
                let book = self.current.as_ref().and_then(|it| it.books.get(&index)?.book());
                let is_missing = book.is_none() && !self.refused.contains_key(&index);
                topic.lacks_book = is_missing.then(|| topic.lacks_book.unwrap_or(now));
            }
        }
    }

    /// Whether there has been no book of a topic for too long.
    pub(super) fn is_without_book(&self, topic: &Following, now: Duration) -> bool {
        topic.lacks_book.is_some_and(|since| now.saturating_sub(since) >= self.tape.options.disconnected)
    }
}
