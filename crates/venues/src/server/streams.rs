//! The open streams: which there are, how far each has come, and what goes wrong with them.

use crate::desk::Desk;
use crate::dialect::{Fields, Follower, Frame, renamed};
use crate::market::News;
use mts_foundation::double::StreamFault;
use std::collections::{BTreeMap, VecDeque};

/// Most streams that are open at once.
pub(super) const MAX_STREAMS: usize = 64;
/// Most faults that wait for the messages of one stream.
const MAX_WAITING: usize = 1_000;

/// An open stream.
struct Open<F: ?Sized> {
    follower: Box<F>,
    /// The number of the next event it tells; `None` until it follows.
    next: Option<u64>,
    /// The number of the next news of the market, once it follows.
    next_news: u64,
    faults: VecDeque<StreamFault>,
    /// Messages held back, to come after the next one.
    held: Option<Vec<Frame>>,
    silent: bool,
}

impl<F: Follower + ?Sized> Open<F> {
    /// The next news of the market, if it follows.
    fn news<'a>(&self, desk: &'a Desk) -> Option<(u64, &'a News)> {
        self.next.and_then(|_| desk.market().news(self.next_news))
    }

    /// Sends a message, or what the next fault makes of it.
    fn send(&mut self, desk: &Desk, mut message: Vec<Frame>, frames: &mut Vec<Frame>) {
        // The follower has counted a message that is lost, where it counts them.
        if message.is_empty() {
            return;
        }
        let fault = self.faults.front().copied();
        if fault == Some(StreamFault::Lost) {
            self.faults.pop_front();
            frames.extend(self.follower.after_loss(desk));
            return self.interject(desk, frames);
        }
        if let Some(held) = self.held.take() {
            frames.append(&mut message);
            frames.extend(held);
            return;
        }
        match fault {
            Some(StreamFault::Twice) => frames.extend(message.iter().cloned()),
            Some(StreamFault::Swapped) => self.held = Some(std::mem::take(&mut message)),
            _ => {}
        }
        frames.append(&mut message);
        if fault.is_some() {
            self.faults.pop_front();
            self.interject(desk, frames);
        }
    }

    /// Says what comes whether or not anything happens.
    fn interject(&mut self, desk: &Desk, frames: &mut Vec<Frame>) {
        while let Some(fault @ (StreamFault::UnknownMessage | StreamFault::Garbage)) = self.faults.front() {
            frames.push(match fault {
                StreamFault::Garbage => self.follower.frame("{\"stream\": [not json".to_owned()),
                _ => self.follower.unknown_message(desk),
            });
            self.faults.pop_front();
        }
    }
}

/// The open streams, by a number.
pub(super) struct Streams<F: ?Sized> {
    last: u64,
    open: BTreeMap<u64, Open<F>>,
    /// For the next stream that opens, where none is open.
    faults: VecDeque<StreamFault>,
}

impl<F: ?Sized> Default for Streams<F> {
    fn default() -> Self {
        Self { last: 0, open: BTreeMap::new(), faults: VecDeque::new() }
    }
}

/// What a stream does next.
#[derive(Debug, PartialEq)]
pub(super) enum Next {
    /// It sends these, perhaps none.
    Send(Vec<Frame>),
    /// It says nothing any more and reads nothing.
    BeSilent,
    /// It ends.
    End,
}

impl<F: Follower + ?Sized> Streams<F> {
    /// A client has connected; its number, unless too many are open.
    pub(super) fn open(&mut self, follower: Box<F>) -> Option<u64> {
        if self.open.len() >= MAX_STREAMS {
            return None;
        }
        self.last += 1;
        let faults = std::mem::take(&mut self.faults);
        self.open.insert(
            self.last,
            Open { follower, next: None, next_news: 0, faults, held: None, silent: false },
        );
        Some(self.last)
    }

    /// A stream is over.
    pub(super) fn close(&mut self, number: u64) {
        self.open.remove(&number);
    }

    /// One stream says nothing any more.
    pub(super) fn silence(&mut self, number: u64) {
        if let Some(open) = self.open.get_mut(&number) {
            open.silent = true;
        }
    }

    /// Whether a stream is open.
    pub(super) fn is_open(&self, number: u64) -> bool {
        self.open.contains_key(&number)
    }

    /// All streams end.
    pub(super) fn cut(&mut self) {
        self.open.clear();
    }

    /// How many follow the account.
    pub(super) fn following(&self) -> usize {
        self.open.values().filter(|open| open.next.is_some()).count()
    }

    /// Something goes wrong with all open streams, or with the next one.
    pub(super) fn fault(&mut self, fault: StreamFault) {
        match fault {
            StreamFault::Cut => self.cut(),
            StreamFault::Silent => self.open.values_mut().for_each(|open| open.silent = true),
            fault => {
                let mut following = self.open.values_mut().filter(|open| open.next.is_some()).peekable();
                if following.peek().is_none() && self.faults.len() < MAX_WAITING {
                    self.faults.push_back(fault);
                }
                for open in following {
                    if open.faults.len() < MAX_WAITING {
                        open.faults.push_back(fault);
                    }
                }
            }
        }
    }

    /// An open stream that says something.
    pub(super) fn speaking(&mut self, number: u64) -> Option<&mut F> {
        self.open.get_mut(&number).filter(|open| !open.silent).map(|open| &mut *open.follower)
    }

    /// Lets a stream tell what happens from now on, once its client has asked for it.
    pub(super) fn follow(&mut self, number: u64, desk: &Desk) {
        if let Some(open) = self.open.get_mut(&number)
            && open.next.is_none()
            && open.follower.follows()
        {
            (open.next, open.next_news) = (Some(desk.next_event()), desk.market().next_news());
        }
    }

    /// What a stream says when it opens.
    pub(super) fn greet(&mut self, number: u64, desk: &Desk) -> Next {
        match self.open.get_mut(&number) {
            None => Next::End,
            Some(open) if open.silent => Next::BeSilent,
            Some(open) => Next::Send(open.follower.greet(desk)),
        }
    }

    /// What a client said, and the answer.
    pub(super) fn hear(&mut self, number: u64, desk: &mut Desk, said: &[u8], is_text: bool) -> Next {
        let Some(open) = self.open.get_mut(&number) else { return Next::End };
        if open.silent {
            return Next::BeSilent;
        }
        let before = desk.next_event();
        let news = desk.market().next_news();
        let frames = match std::str::from_utf8(said) {
            Ok(text) if is_text => open.follower.hear(desk, text),
            _ => open.follower.hear_binary(desk, said),
        };
        if open.next.is_none() && open.follower.follows() {
            (open.next, open.next_news) = (Some(before), news);
        }
        Next::Send(frames)
    }

    /// A second has passed.
    pub(super) fn heartbeat(&mut self, number: u64, desk: &Desk) -> Next {
        match self.open.get_mut(&number) {
            None => Next::End,
            Some(open) if open.silent => Next::BeSilent,
            Some(open) => Next::Send(open.follower.heartbeat(desk)),
        }
    }

    /// What a stream has to tell.
    pub(super) fn next(&mut self, number: u64, desk: &Desk, fields: Fields) -> Next {
        let Some(open) = self.open.get_mut(&number) else { return Next::End };
        if open.silent {
            return Next::BeSilent;
        }
        let mut frames = Vec::new();
        open.interject(desk, &mut frames);
        while let Some(event) = open.next.and_then(|next| desk.event(next)) {
            open.next = Some(event.number + 1);
            let strange = open.faults.front() == Some(&StreamFault::UnknownName);
            let message = match strange {
                true => open.follower.tell_strangely(desk, event, fields),
                false => open.follower.tell(desk, event),
            };
            open.send(desk, message, &mut frames);
        }
        while let Some((number, news)) = open.news(desk) {
            if number > open.next_news {
                frames.extend(open.follower.missed(desk));
            }
            open.next_news = number + 1;
            let mut message = open.follower.tell_news(desk, news);
            if open.faults.front() == Some(&StreamFault::UnknownName) {
                message = message.into_iter().map(|frame| renamed(frame, fields)).collect();
            }
            open.send(desk, message, &mut frames);
        }
        Next::Send(frames)
    }
}
