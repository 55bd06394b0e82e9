//! A venue's event stream: a state machine of the venue's, and the one driver that gives it a socket.
//!
//! The driver opens the socket, waits until the session says that it is live, then asks for what happened after the cursor, and
//! only then hands on what the socket has brought meanwhile: nothing falls between replay and stream. Without a cursor it asks
//! for the fills of the orders that were sent or recalled: their consumer has not heard of any yet. What comes twice leaves
//! once. It ends with an error when the connection is lost or silent for too long. What a frame has told is handed on before
//! that, at the place up to which all was told: the next connection asks from there, and not everything is told again.

use super::known::KnownOrders;
use super::place::{cursor, place, reach_back};
use futures_util::future::{Either, select};
use futures_util::stream::unfold;
use mts_foundation::broker::{BrokerError, BrokerErrorKind, BrokerEventStream, ErrorStatus};
use mts_foundation::broker_event::{BrokerEvent, Cursor, OrderReport};
use mts_foundation::io::{Frame, Sleep, Socket, TransportError};
use mts_foundation::time::Clock;
use mts_foundation::{FillId, Timestamp};
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// Longest wait until a stream is subscribed to.
const LIVE_WITHIN: Duration = Duration::from_secs(20);

/// By how much the venue's clock may be behind ours at most, where an order's age says from when on its fills are asked for.
const SKEW: Duration = Duration::from_secs(60);

/// Fills that are remembered, so that the overlap of replay and stream is handed on once.
const MAX_SEEN: usize = 10_000;

/// What a session wants done.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Sends a frame.
    Send(Frame),
    /// The venue has confirmed: what happens from now on is told.
    Live,
    /// Something happened.
    Event(Box<BrokerEvent>),
    /// Something happened of which the stream does not say enough, or some of it was missed: the history is asked.
    Look,
}

/// One connection's talk with a venue's stream, without I/O and clock.
pub trait Session: Send {
    /// What is sent once the socket is open.
    fn open(&mut self, now: Timestamp) -> Vec<Frame>;
    /// Takes a text or binary frame.
    ///
    /// # Errors
    /// [`BrokerError`] when the connection is of no use any more.
    fn take(&mut self, frame: &[u8], now: Timestamp, steps: &mut Vec<Step>) -> Result<(), BrokerError>;
    /// How long the venue is silent at most while all is well; `None` = it may be for ever, and the transport looks after the
    /// connection.
    fn longest_silence(&self) -> Option<Duration> {
        None
    }
    /// A frame that keeps the connection alive, and how often it is sent.
    fn heartbeat(&self) -> Option<(Duration, Frame)> {
        None
    }
}

/// Where a venue's events come from: its stream and its history.
pub trait EventSource: Send + Sync {
    /// The stream's state machine.
    type Session: Session;
    /// Opens a socket for a new session.
    fn open(&self) -> impl Future<Output = Result<(Box<dyn Socket>, Self::Session), BrokerError>> + Send;
    /// The orders that this process has sent or was told of.
    fn orders(&self) -> &KnownOrders;
    /// The orders that may still fill, and the venue's time.
    fn present(&self) -> impl Future<Output = Result<(Vec<OrderReport>, Timestamp), BrokerError>> + Send;
    /// What the history has from an instant on, oldest first.
    fn since(&self, from: Timestamp) -> impl Future<Output = Result<Vec<BrokerEvent>, BrokerError>> + Send;
    /// As [`since`](Self::since), where nobody wants to know of cash that moved without a trade.
    fn fills_since(
        &self,
        from: Timestamp,
    ) -> impl Future<Output = Result<Vec<BrokerEvent>, BrokerError>> + Send {
        self.since(from)
    }
    /// How often the history is asked although the stream gives no reason to; `None` = never.
    fn look_every(&self) -> Option<Duration> {
        None
    }
    /// How late rows come into the history at most.
    fn late(&self) -> Duration;
}

/// What the driver needs of the world.
#[derive(Clone)]
pub struct Followed {
    /// Waits.
    pub sleep: Arc<dyn Sleep>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
}

/// The events of a source after a cursor, as [`mts_foundation::Broker::events`] has them.
pub fn follow<S: EventSource>(source: &S, world: Followed, after: Option<Cursor>) -> BrokerEventStream<'_> {
    let first = State::Begins { after };
    Box::pin(unfold((source, world, first), |(source, world, state)| async move {
        let step = match state {
            State::Ended => return None,
            State::Begins { after } => match Following::begin(source, &world, after).await {
                Ok(following) => following.next(source, &world).await,
                Err(broken) => Err(broken),
            },
            State::Goes(following) => following.next(source, &world).await,
            State::Breaks(broken) => Err(broken),
        };
        Some(match step {
            Ok((event, following)) => (Ok(event), (source, world, State::Goes(Box::new(following)))),
            Err(mut broken) => match broken.told.pop_front() {
                Some(event) => (Ok(event), (source, world, State::Breaks(broken))),
                None => (Err(broken.error), (source, world, State::Ended)),
            },
        })
    }))
}

/// Whether a source's stream can be had now.
///
/// # Errors
/// [`BrokerError`] with what the venue says.
pub async fn is_live<S: EventSource>(source: &S, world: &Followed) -> Result<(), BrokerError> {
    live(source, world, &mut VecDeque::new()).await.map(|_| ())
}

/// A new connection whose stream is live; `told` gets what it has told until then.
async fn live<S: EventSource>(
    source: &S,
    world: &Followed,
    told: &mut VecDeque<BrokerEvent>,
) -> Result<(Box<dyn Socket>, S::Session), BrokerError> {
    let (mut socket, mut session) = source.open().await?;
    for frame in session.open(world.clock.now()) {
        socket.send(frame).await.map_err(lost)?;
    }
    let began = world.clock.monotonic();
    let (mut steps, mut is_live) = (Vec::new(), false);
    while !is_live {
        let left = LIVE_WITHIN.saturating_sub(world.clock.monotonic().saturating_sub(began));
        let late =
            || error(BrokerErrorKind::Timeout, "the venue does not confirm the subscription".to_owned());
        if left.is_zero() {
            return Err(late());
        }
        let Some(frame) = within(&mut *socket, world, Some(left)).await? else { return Err(late()) };
        // That the history is wanted says nothing: it is asked anyway.
        is_live |= take(&mut session, &mut *socket, &frame, world.clock.now(), &mut steps, told).await?.live;
    }
    Ok((socket, session))
}

/// What is to be done after a frame.
#[derive(Default)]
struct Wanted {
    live: bool,
    look: bool,
}

/// Hands a frame to the session and does what it wants. Whatever fails, `told` has what it has told.
async fn take<S: Session>(
    session: &mut S,
    socket: &mut dyn Socket,
    frame: &[u8],
    now: Timestamp,
    steps: &mut Vec<Step>,
    told: &mut VecDeque<BrokerEvent>,
) -> Result<Wanted, BrokerError> {
    let taken = if frame.is_empty() { Ok(()) } else { session.take(frame, now, steps) };
    let (mut wanted, mut frames) = (Wanted::default(), Vec::new());
    for step in steps.drain(..) {
        match step {
            Step::Send(frame) => frames.push(frame),
            Step::Event(event) => told.push_back(*event),
            Step::Look => wanted.look = true,
            Step::Live => wanted.live = true,
        }
    }
    taken?;
    for frame in frames {
        socket.send(frame).await.map_err(lost)?;
    }
    Ok(wanted)
}

/// A stream that has ended, but for what it has told.
struct Broken {
    told: VecDeque<BrokerEvent>,
    error: BrokerError,
}

impl Broken {
    /// All before `place` was told, and of what is between that and these events nobody knows: they do not move the consumer's
    /// place.
    fn at(place: Timestamp, told: VecDeque<BrokerEvent>, error: BrokerError) -> Self {
        let Ok(place) = cursor(place) else { return Self::empty(error) };
        let put_back = |mut event: BrokerEvent| {
            match &mut event {
                BrokerEvent::Fill { cursor, .. }
                | BrokerEvent::Cash { cursor, .. }
                | BrokerEvent::FeesKnown { cursor, .. }
                | BrokerEvent::Corrected { cursor, .. }
                | BrokerEvent::Busted { cursor, .. } => *cursor = place.clone(),
                BrokerEvent::Order(_) | BrokerEvent::Gap { .. } => {}
            }
            event
        };
        Self { told: told.into_iter().map(put_back).collect(), error }
    }

    fn empty(error: BrokerError) -> Self {
        Self { told: VecDeque::new(), error }
    }
}

enum State<S> {
    Begins { after: Option<Cursor> },
    Goes(Box<Following<S>>),
    Breaks(Broken),
    Ended,
}

/// A connection that is live.
struct Following<S> {
    socket: Box<dyn Socket>,
    session: S,
    ready: VecDeque<BrokerEvent>,
    steps: Vec<Step>,
    /// The latest that was handed on.
    place: Timestamp,
    seen: Seen,
    /// Readings of the monotonic clock.
    heard: Duration,
    beat: Duration,
    looked: Duration,
}

impl<S: Session> Following<S> {
    async fn begin<E: EventSource<Session = S>>(
        source: &E,
        world: &Followed,
        after: Option<Cursor>,
    ) -> Result<Self, Broken> {
        let place = after.as_ref().map(instant).transpose().map_err(Broken::empty)?;
        let mut told = VecDeque::new();
        match Self::replay(source, world, place, &mut told).await {
            Ok(mut following) => {
                following.ready.append(&mut told);
                Ok(following)
            }
            Err(error) => Err(match place {
                Some(place) => Broken::at(place, told, error),
                // Whoever has no place begins anew with what there is then.
                None => Broken::empty(error),
            }),
        }
    }

    /// A connection that is live, with what happened before that.
    async fn replay<E: EventSource<Session = S>>(
        source: &E,
        world: &Followed,
        after: Option<Timestamp>,
        told: &mut VecDeque<BrokerEvent>,
    ) -> Result<Self, BrokerError> {
        let (socket, session) = live(source, world, told).await?;
        let (ready, place) = match after {
            Some(place) => (history(source, place).await?.into(), place),
            None => {
                let (open, now) = source.present().await?;
                let mut ready = VecDeque::from(first_fills(source, now).await?);
                ready.extend(open.into_iter().map(BrokerEvent::Order));
                (ready, now)
            }
        };
        let now = world.clock.monotonic();
        let (steps, seen) = (Vec::new(), Seen::default());
        Ok(Self { socket, session, ready, steps, place, seen, heard: now, beat: now, looked: now })
    }

    async fn next<E: EventSource<Session = S>>(
        mut self,
        source: &E,
        world: &Followed,
    ) -> Result<(BrokerEvent, Self), Broken> {
        loop {
            while let Some(event) = self.ready.pop_front() {
                if let Some(cursor) = event.cursor() {
                    self.place = self.place.max(instant(cursor).map_err(Broken::empty)?);
                }
                if self.seen.is_new(&event) {
                    return Ok((event, self));
                }
            }
            let mut told = VecDeque::new();
            match self.turn(source, world, &mut told).await {
                // After the history: what it has comes before what the frame says of its orders.
                Ok(()) => self.ready.append(&mut told),
                Err(error) => {
                    told.retain(|event| self.seen.is_new(event));
                    return Err(Broken::at(self.place, told, error));
                }
            }
        }
    }

    /// Waits for a frame, for as long as there is nothing else to do, and asks the history where it is time or wanted.
    async fn turn<E: EventSource<Session = S>>(
        &mut self,
        source: &E,
        world: &Followed,
        told: &mut VecDeque<BrokerEvent>,
    ) -> Result<(), BrokerError> {
        let now = world.clock.monotonic();
        let silence = self.session.longest_silence();
        if silence.is_some_and(|longest| now.saturating_sub(self.heard) >= longest) {
            let message = format!("the stream is silent for {} s", now.saturating_sub(self.heard).as_secs());
            return Err(error(BrokerErrorKind::Disconnected, message));
        }
        let mut look = source.look_every().is_some_and(|every| now.saturating_sub(self.looked) >= every);
        let heartbeat = self.session.heartbeat();
        if let Some((_, frame)) =
            heartbeat.as_ref().filter(|(every, _)| now.saturating_sub(self.beat) >= *every)
        {
            self.beat = now;
            self.socket.send(frame.clone()).await.map_err(lost)?;
        }
        if !look {
            let due = [
                silence.map(|longest| self.heard.saturating_add(longest)),
                source.look_every().map(|every| self.looked.saturating_add(every)),
                heartbeat.map(|(every, _)| self.beat.saturating_add(every)),
            ];
            let pause = due.into_iter().flatten().min().map(|at| at.saturating_sub(now));
            if let Some(frame) = within(&mut *self.socket, world, pause).await? {
                self.heard = world.clock.monotonic();
                let now = world.clock.now();
                let (session, socket) = (&mut self.session, &mut *self.socket);
                look |= take(session, socket, &frame, now, &mut self.steps, told).await?.look;
            }
        }
        if look {
            self.looked = world.clock.monotonic();
            self.ready.extend(history(source, self.place).await?);
            // Nobody listened meanwhile: what has come waits in the socket.
            self.heard = world.clock.monotonic();
        }
        Ok(())
    }
}

fn instant(cursor: &Cursor) -> Result<Timestamp, BrokerError> {
    place(cursor).map_err(|failure| failure.of_query("events"))
}

/// From when on the history is asked for what happened after a place.
fn reaching_back<S: EventSource>(source: &S, place: Timestamp) -> Timestamp {
    reach_back(place, source.look_every().unwrap_or_default(), source.late())
}

/// What happened after a place, with some of what was before it.
async fn history<S: EventSource>(source: &S, place: Timestamp) -> Result<Vec<BrokerEvent>, BrokerError> {
    source.since(reaching_back(source, place)).await
}

/// The fills of the orders that were sent or recalled, for a consumer that has not heard of any. Cash and other people's fills
/// are in what it asks the account for.
async fn first_fills<S: EventSource>(source: &S, now: Timestamp) -> Result<Vec<BrokerEvent>, BrokerError> {
    let Some((since, ours)) = source.orders().since() else { return Ok(Vec::new()) };
    // An order's age may be of a clock that was far ahead.
    let from = reaching_back(source, reach_back(since.min(now), Duration::ZERO, SKEW));
    let mut events = source.fills_since(from).await?;
    let mut fills = BTreeSet::new();
    events.retain(|event| match event {
        BrokerEvent::Fill { fill, .. } => {
            let is_ours = ours.contains(&fill.order_id);
            if is_ours {
                fills.insert(fill.fill_id.clone());
            }
            is_ours
        }
        BrokerEvent::FeesKnown { fill_id, .. }
        | BrokerEvent::Corrected { fill_id, .. }
        | BrokerEvent::Busted { fill_id, .. } => fills.contains(fill_id),
        BrokerEvent::Order(_) | BrokerEvent::Gap { .. } => true,
        BrokerEvent::Cash { .. } => false,
    });
    Ok(events)
}

/// The next text or binary frame, or nothing within the pause.
async fn within(
    socket: &mut dyn Socket,
    world: &Followed,
    pause: Option<Duration>,
) -> Result<Option<bytes::Bytes>, BrokerError> {
    let received = match pause {
        Some(pause) => match select(socket.receive(), world.sleep.sleep(pause)).await {
            Either::Left((received, _)) => received,
            Either::Right(((), _)) => return Ok(None),
        },
        None => socket.receive().await,
    };
    match received.map_err(lost)? {
        Some(Frame::Text(bytes) | Frame::Binary(bytes)) => Ok(Some(bytes)),
        // The transport answers; that something came is all there is to it.
        Some(Frame::Ping(_) | Frame::Pong(_)) => Ok(Some(bytes::Bytes::new())),
        Some(Frame::Close) | None => {
            Err(error(BrokerErrorKind::Disconnected, "the venue has ended the stream".to_owned()))
        }
    }
}

/// Fills that were handed on.
#[derive(Default)]
struct Seen {
    ids: BTreeSet<FillId>,
    oldest_first: VecDeque<FillId>,
}

impl Seen {
    /// Whether an event is to be handed on.
    fn is_new(&mut self, event: &BrokerEvent) -> bool {
        let BrokerEvent::Fill { fill, .. } = event else { return true };
        if !self.ids.insert(fill.fill_id.clone()) {
            return false;
        }
        self.oldest_first.push_back(fill.fill_id.clone());
        if self.oldest_first.len() > MAX_SEEN
            && let Some(oldest) = self.oldest_first.pop_front()
        {
            self.ids.remove(&oldest);
        }
        true
    }
}

fn lost(error: TransportError) -> BrokerError {
    self::error(BrokerErrorKind::Disconnected, error.message)
}

fn error(kind: BrokerErrorKind, message: String) -> BrokerError {
    BrokerError::new("events", kind, ErrorStatus::Temporary, message)
}
