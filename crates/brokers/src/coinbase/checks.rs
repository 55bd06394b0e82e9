//! The documented self-test.

use super::client::Coinbase;
use crate::kit::{Checks, is_live};
use mts_foundation::Symbol;
use mts_foundation::broker::Check;

impl Coinbase {
    /// Each line: what was seen, or what is wrong and the way out.
    pub(super) async fn checks(&self, symbol: Option<&Symbol>) -> Vec<Check> {
        let mut checks = Checks::default();
        let time = self.venue_time().await;
        checks.reachable(self.config.rest_url(), &time, "https://status.coinbase.com");
        let permissions = self.permissions().await;
        checks.add(
            "auth",
            match &permissions {
                Ok(_) => Ok(format!("key of {}", self.config.api_key)),
                Err(failure) => Err(format!(
                    "{}; see that {} and {} hold the name and the secret of one key, and that this machine's clock is right",
                    failure.message, self.config.api_key, self.config.api_secret
                )),
            },
        );
        let account = self.read_account().await;
        checks.add(
            "account info",
            match &account {
                Ok(account) => Ok(format!(
                    "cash {} {}, equity {}",
                    account.cash.round_dp(2),
                    account.base_currency,
                    account.equity.round_dp(2)
                )),
                Err(failure) => Err(failure.message.clone()),
            },
        );
        checks.add(
            "order book",
            self.touch(symbol)
                .await
                .map_err(|failure| format!("{}; see that Coinbase trades the instrument", failure.message)),
        );
        let skew = self.known().clock_skew_ms;
        checks.skew("Coinbase", &time, skew, 1_000, "");
        let stream = is_live(self, &self.connections.followed()).await;
        checks.add(
            "WebSocket stream",
            match stream {
                Ok(()) => Ok(self.config.stream_url().to_owned()),
                Err(error) => {
                    Err(format!("{error}; see that this machine reaches {}", self.config.stream_url()))
                }
            },
        );
        checks.add(
            "key permissions",
            match &permissions {
                Ok(permissions) => match self.objection(permissions) {
                    Some(objection) => Err(objection),
                    None if permissions.can_transfer => {
                        Ok("may view and trade, and move money out, as allow_withdrawal_key allows"
                            .to_owned())
                    }
                    None => Ok("may view and trade, and move no money out".to_owned()),
                },
                Err(failure) => Err(failure.message.clone()),
            },
        );
        checks.done()
    }
}
