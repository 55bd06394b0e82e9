//! Drawing a feed into the market lane.

use super::lanes::MarketMessage;
use mts_foundation::market_data::DynDataFeed;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// First pause before a failed feed is started again; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// Longest wait for a feed that is stopped.
const STOP_WITHIN: Duration = Duration::from_secs(5);

/// Hands over what the feed gives until it ends or the engine stops. A full lane makes the feed wait; a failed feed is told
/// and started again.
pub(super) async fn draw(
    mut feed: Box<dyn DynDataFeed>,
    lane: mpsc::Sender<MarketMessage>,
    mut stop: watch::Receiver<bool>,
) {
    let mut pause = FIRST_PAUSE;
    'runs: loop {
        let failed;
        match feed.start().await {
            Err(error) => failed = error.to_string(),
            Ok(()) => loop {
                let next = tokio::select! {
                    biased;
                    _ = stop.changed() => break 'runs,
                    next = feed.next() => next,
                };
                let message = match next {
                    Ok(Some(event)) => {
                        pause = FIRST_PAUSE;
                        MarketMessage::Event(event)
                    }
                    Ok(None) => {
                        lane.send(MarketMessage::Ended).await.ok();
                        break 'runs;
                    }
                    Err(error) => {
                        failed = error.to_string();
                        break;
                    }
                };
                let sent = tokio::select! {
                    biased;
                    _ = stop.changed() => break 'runs,
                    sent = lane.send(message) => sent,
                };
                if sent.is_err() {
                    break 'runs;
                }
            },
        }
        if lane.send(MarketMessage::Failed(failed)).await.is_err() {
            break;
        }
        tokio::select! {
            biased;
            _ = stop.changed() => break,
            () = tokio::time::sleep(pause) => {}
        }
        pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
    }
    // Nothing depends on a feed that does not stop in order.
    tokio::time::timeout(STOP_WITHIN, feed.stop()).await.ok();
}
