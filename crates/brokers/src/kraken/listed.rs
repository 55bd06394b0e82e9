//! The list of pairs: asked once, and anew where it may be old.

use super::client::Kraken;
use super::pairs::Pairs;
use super::wire::WirePair;
use crate::kit::Failure;
use smol_str::SmolStr;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// A list so young is not asked anew.
const ANEW: Duration = Duration::from_secs(60);

/// A list, and when it was asked for last, by the monotonic clock.
#[derive(Clone)]
pub(super) struct Listed {
    pairs: Arc<Pairs>,
    asked: Duration,
}

impl Kraken {
    /// What the venue lists, as it was when it was asked.
    pub(super) async fn pairs(&self) -> Result<Arc<Pairs>, Failure> {
        let listed = self.known().listed.clone();
        match listed {
            Some(listed) => Ok(listed.pairs),
            None => self.ask_pairs().await,
        }
    }

    /// What the venue lists now, to a minute. Where it cannot be asked, the list before is as good as it was.
    pub(super) async fn pairs_now(&self) -> Result<Arc<Pairs>, Failure> {
        let now = self.connections.clock.monotonic();
        let kept = match &mut self.known().listed {
            Some(listed) if now.saturating_sub(listed.asked) < ANEW => return Ok(listed.pairs.clone()),
            Some(listed) => {
                listed.asked = now;
                Some(listed.pairs.clone())
            }
            None => None,
        };
        match (self.ask_pairs().await, kept) {
            (Err(_), Some(kept)) => Ok(kept),
            (asked, _) => asked,
        }
    }

    /// What the venue lists, asked anew where one of these names is not on the list.
    pub(super) async fn pairs_with<'a>(
        &self,
        names: impl IntoIterator<Item = &'a SmolStr> + Send,
    ) -> Result<Arc<Pairs>, Failure> {
        let pairs = self.pairs().await?;
        let has_all = names.into_iter().all(|name| pairs.of_name(name).is_some());
        if has_all { Ok(pairs) } else { self.pairs_now().await }
    }

    async fn ask_pairs(&self) -> Result<Arc<Pairs>, Failure> {
        let listed: BTreeMap<SmolStr, WirePair> = self.public("AssetPairs").await?;
        let pairs = Arc::new(Pairs::new(&listed, self.config.currency));
        if pairs.currency_id().is_none() {
            return Err(Failure::unreadable(format!("Kraken lists no pair in {}", self.config.currency)));
        }
        let asked = self.connections.clock.monotonic();
        self.known().listed = Some(Listed { pairs: pairs.clone(), asked });
        Ok(pairs)
    }
}
