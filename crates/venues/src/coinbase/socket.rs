//! One client's WebSocket: the channels of Advanced Trade, or the feed of Coinbase Exchange, as its words are.

use super::exchange::{Feed, is_meant};
use super::stream::UserStream;
use crate::desk::{Desk, Event};
use crate::dialect::{Follower, Frame};
use crate::market::News;

/// Seconds within which a client must ask for a channel.
const SUBSCRIBES_WITHIN: u32 = 5;

/// One client's socket.
pub(super) struct Socket {
    user: UserStream,
    feed: Feed,
    /// The client has asked for the feed.
    is_feed: bool,
    idle: u32,
}

impl Socket {
    pub(super) fn new(user: UserStream) -> Self {
        Self { user, feed: Feed::default(), is_feed: false, idle: 0 }
    }

    fn active(&mut self) -> &mut dyn Follower {
        if self.is_feed { &mut self.feed } else { &mut self.user }
    }
}

impl Follower for Socket {
    fn hear(&mut self, desk: &mut Desk, text: &str) -> Vec<Frame> {
        self.is_feed |= serde_json::from_str(text).is_ok_and(|message| is_meant(&message));
        self.active().hear(desk, text)
    }

    fn follows(&self) -> bool {
        if self.is_feed { self.feed.follows() } else { self.user.follows() }
    }

    fn tell(&mut self, desk: &Desk, event: &Event) -> Vec<Frame> {
        self.active().tell(desk, event)
    }

    fn tell_news(&mut self, desk: &Desk, news: &News) -> Vec<Frame> {
        self.active().tell_news(desk, news)
    }

    fn heartbeat(&mut self, desk: &Desk) -> Vec<Frame> {
        if self.user.is_idle() && self.feed.is_idle() {
            self.idle += 1;
            return if self.idle > SUBSCRIBES_WITHIN { vec![Frame::Close] } else { Vec::new() };
        }
        self.idle = 0;
        self.active().heartbeat(desk)
    }

    fn unknown_message(&mut self, desk: &Desk) -> Frame {
        self.active().unknown_message(desk)
    }

    fn frame(&self, text: String) -> Frame {
        Frame::Text(text)
    }
}
