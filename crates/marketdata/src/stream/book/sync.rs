//! The book of one topic on one connection: is it the venue's, and if not, what is to be done.

use super::checksum::Checksum;
use super::levels::{Book, Fault, Limits};
use crate::stream::options::Options;
use crate::stream::protocol::Level;
use mts_foundation::Timestamp;
use std::collections::VecDeque;
use std::time::Duration;

/// Updates that wait for a snapshot at most: half a minute of ten a second.
const MAX_WAITING: usize = 300;

/// The venue's numbers of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Numbers {
    /// Of the first change in it.
    pub first: u64,
    /// Of the last.
    pub last: u64,
    /// `last` of the update before; `None` where it is `first - 1`.
    pub previous: Option<u64>,
}

impl Numbers {
    /// Of a single change.
    #[must_use]
    pub const fn one(number: u64) -> Self {
        Self { first: number, last: number, previous: None }
    }
}

/// What a venue says of a book.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    /// The levels are the book; else those that have changed, where a size of zero is a level that is gone.
    pub is_snapshot: bool,
    /// A side of a snapshot with so many levels may go on beyond them.
    pub limit: Option<usize>,
    /// The venue's numbers, where it has them.
    pub numbers: Option<Numbers>,
    /// Of the book after the update, where the venue has one.
    pub checksum: Option<Checksum>,
    /// When, at the venue; the time of receipt where it does not say.
    pub time: Timestamp,
    /// Bids.
    pub bids: Vec<Level>,
    /// Offers.
    pub asks: Vec<Level>,
}

/// What has become of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The book is the venue's.
    Valid,
    /// It came before, or was in the snapshot.
    Repeated,
    /// There is no book now: the update waits for a snapshot, or is of no use without one.
    Waits,
    /// The book was lost by it.
    Lost(Fault),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// The connection is not live yet.
    New,
    /// A snapshot is to be asked for from this moment on.
    Due(Duration),
    /// It was asked for; this long it is waited for.
    Asked(Duration),
    /// The book is the venue's, since.
    Valid(Duration),
}

/// The book of one topic on one connection.
///
/// Of a book whose snapshot did not reach to its end, levels beyond are not known. When less than a quarter is left of a
/// side, a new snapshot is asked for while the book goes on; when less than a fiftieth is left, it is lost.
#[derive(Debug, Clone)]
pub struct Synchroniser {
    book: Book,
    phase: Phase,
    limits: Limits,
    /// The snapshot comes by a request of its own, not by the stream.
    by_request: bool,
    /// The numbers of the last update in the book.
    numbers: Option<Numbers>,
    /// No update has followed a snapshot by request yet.
    is_fresh: bool,
    /// Whether a missing update shows: by its number, or by the checksum of the next.
    is_checked: bool,
    waiting: VecDeque<Update>,
    /// How often it was lost in a row.
    losses: u32,
    /// What takes its place when its snapshot has come: few levels are left of this one's.
    next: Option<Box<Synchroniser>>,
    /// When that is asked for again.
    next_due: Duration,
}

impl Synchroniser {
    /// A book without levels. `depth` is how many of each side the venue keeps up, `None` = all; `by_request` says that
    /// snapshots come by a request of their own.
    #[must_use]
    pub fn new(depth: Option<usize>, by_request: bool, options: &Options) -> Self {
        let most = depth.unwrap_or(options.levels).max(1);
        Self {
            book: Book::default(),
            phase: Phase::New,
            limits: Limits { most, is_refilled: depth.is_some() },
            by_request,
            numbers: None,
            is_fresh: false,
            is_checked: false,
            waiting: VecDeque::new(),
            losses: 0,
            next: None,
            next_due: Duration::ZERO,
        }
    }

    /// The book, while it is the venue's.
    #[must_use]
    pub fn book(&self) -> Option<&Book> {
        matches!(self.phase, Phase::Valid(_)).then_some(&self.book)
    }

    /// Takes an update of the stream.
    pub fn take(&mut self, update: Update, now: Duration, options: &Options) -> Outcome {
        if update.is_snapshot {
            return self.restart(&update, false, now, options);
        }
        if self.book().is_some() {
            if let Some(next) = &mut self.next {
                next.take(update.clone(), now, options);
            }
            return self.follow(update, now, options);
        }
        if self.by_request {
            if self.waiting.len() >= MAX_WAITING {
                self.waiting.pop_front();
            }
            self.waiting.push_back(update);
        }
        Outcome::Waits
    }

    /// Takes the snapshot that was asked for; `None` = there was no answer.
    pub fn answer(&mut self, snapshot: Option<Update>, now: Duration, options: &Options) -> Outcome {
        if let Some(mut next) = self.next.take() {
            if next.answer(snapshot, now, options) != Outcome::Valid {
                self.next_due = now.saturating_add(options.pause);
                return Outcome::Waits;
            }
            *self = *next;
            return Outcome::Valid;
        }
        if !matches!(self.phase, Phase::Asked(_)) {
            return Outcome::Waits;
        }
        let Some(snapshot) = snapshot else { return self.lose(Fault::Late, now, options) };
        let mut outcome = self.restart(&snapshot, true, now, options);
        let mut waiting = std::mem::take(&mut self.waiting);
        while outcome == Outcome::Valid
            && let Some(update) = waiting.pop_front()
        {
            // What was in the snapshot is no news.
            match self.follow(update, now, options) {
                Outcome::Repeated => {}
                other => outcome = other,
            }
        }
        if outcome != Outcome::Valid {
            // The one that did not follow waits already; those after it follow it.
            self.waiting.append(&mut waiting);
        }
        outcome
    }

    fn restart(&mut self, snapshot: &Update, by_request: bool, now: Duration, options: &Options) -> Outcome {
        if let Err(fault) = self.book.apply(snapshot, self.limits) {
            return self.lose(fault, now, options);
        }
        self.numbers = snapshot.numbers;
        self.is_fresh = by_request;
        self.is_checked = snapshot.numbers.is_some() || snapshot.checksum.is_some();
        self.phase = Phase::Valid(now);
        Outcome::Valid
    }

    /// Takes an update into a book that is the venue's.
    fn follow(&mut self, update: Update, now: Duration, options: &Options) -> Outcome {
        match self.place(&update) {
            Place::Next => {}
            Place::Before => return Outcome::Repeated,
            Place::Beyond => {
                let lost = self.lose(Fault::Gap, now, options);
                // The next snapshot may be older than this one.
                if self.by_request {
                    self.waiting.push_back(update);
                }
                return lost;
            }
        }
        if let Err(fault) = self.book.apply(&update, self.limits) {
            return self.lose(fault, now, options);
        }
        self.numbers = update.numbers.or(self.numbers);
        self.is_fresh = false;
        self.is_checked = update.numbers.is_some() || update.checksum.is_some();
        Outcome::Valid
    }

    /// What an update is to the last one in the book.
    fn place(&self, update: &Update) -> Place {
        let (Some(next), Some(last)) = (update.numbers, self.numbers) else {
            // Without numbers nothing can be told; where the snapshot had one, its absence is a fault.
            return if self.numbers.is_some() { Place::Beyond } else { Place::Next };
        };
        let follows = match next.previous {
            Some(previous) => previous == last.last,
            None => last.last.checked_add(1) == Some(next.first),
        };
        if follows {
            return Place::Next;
        }
        if !self.is_fresh {
            // Numbers may begin anew: only the very same update is one that came before.
            return if next == last { Place::Before } else { Place::Beyond };
        }
        // The first one after a snapshot by request lies across its number, or behind it.
        let due = if next.previous.is_some() { last.last } else { last.last.saturating_add(1) };
        if next.last < due {
            Place::Before
        } else if next.first <= due {
            Place::Next
        } else {
            Place::Beyond
        }
    }

    /// A frame could not be read. Whether the book is lost by it.
    pub fn unread(&mut self, now: Duration, options: &Options) -> Option<Fault> {
        if self.book().is_none() || self.is_checked {
            return None;
        }
        self.lose(Fault::Unread, now, options);
        Some(Fault::Unread)
    }

    /// There is no book until a new snapshot has come; it is asked for at once, and later from time to time.
    fn lose(&mut self, fault: Fault, now: Duration, options: &Options) -> Outcome {
        if let Phase::Valid(since) = self.phase
            && now.saturating_sub(since) >= options.healthy
        {
            self.losses = 0;
        }
        let pause = match self.losses.checked_sub(1) {
            None => Duration::ZERO,
            Some(doublings) => options.pause.saturating_mul(1 << doublings.min(20)).min(options.backoff_cap),
        };
        self.losses = self.losses.saturating_add(1);
        self.book.clear();
        self.waiting.clear();
        self.numbers = None;
        self.next = None;
        self.phase = Phase::Due(now.saturating_add(pause));
        Outcome::Lost(fault)
    }

    /// Whether a snapshot is to be asked for now, on a live connection. What was asked for in vain is lost once more.
    pub fn is_due(&mut self, now: Duration, options: &Options) -> bool {
        match self.phase {
            Phase::Valid(_) => {
                self.next.take_if(|next| matches!(next.phase, Phase::Asked(until) if now >= until));
                let is_wanted = self.by_request && self.next.is_none() && now >= self.next_due;
                return is_wanted && self.book.is_short(self.limits);
            }
            Phase::New if self.by_request => self.phase = Phase::Due(now),
            // The stream begins with a snapshot.
            Phase::New => self.asked(now, options),
            Phase::Asked(until) if now >= until => {
                let waiting = std::mem::take(&mut self.waiting);
                self.lose(Fault::Late, now, options);
                self.waiting = waiting;
            }
            _ => {}
        }
        matches!(self.phase, Phase::Due(at) if now >= at)
    }

    /// A snapshot was asked for.
    pub fn asked(&mut self, now: Duration, options: &Options) {
        let patience = if self.by_request { options.history_within } else { options.acknowledge_within };
        let asked = Phase::Asked(now.saturating_add(patience));
        if self.book().is_some() {
            let (limits, by_request) = (self.limits, self.by_request);
            self.next_due = now.saturating_add(options.pause);
            self.next = Some(Box::new(Self { phase: asked, limits, ..Self::new(None, by_request, options) }));
        } else {
            self.phase = asked;
        }
    }
}

enum Place {
    Next,
    Before,
    Beyond,
}
