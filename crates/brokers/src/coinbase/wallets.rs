//! What the account holds: wallets, one a currency, and their prices.

use super::client::{Coinbase, MAX_PAGES, NAME, PAGE, encoded};
use super::symbols::{SYMBOLS, of_wallet};
use super::wire::{AccountPage, Books, Products, Wallet};
use crate::kit::{self, Failure};
use mts_foundation::{Account, Decimal, FundId, Position, Symbol};
use std::collections::BTreeMap;

/// Products of one question for prices.
const PRICES: usize = 50;

impl Coinbase {
    /// All wallets.
    async fn wallets(&self) -> Result<Vec<Wallet>, Failure> {
        let (mut wallets, mut cursor) = (Vec::new(), String::new());
        for _ in 0..MAX_PAGES {
            let page: AccountPage = self.get(&format!("/accounts?limit={PAGE}{cursor}")).await?;
            wallets.extend(page.accounts);
            match page.cursor.filter(|next| page.has_next && !next.is_empty()) {
                Some(next) => cursor = format!("&cursor={}", encoded(&next)),
                None => return Ok(wallets),
            }
        }
        Err(Failure::unreadable(format!("more than {} wallets", wallets.len())))
    }

    /// What is held beside cash: instrument, units and last price, where there is one.
    async fn holdings(&self, wallets: &[Wallet]) -> Result<Vec<(Symbol, Decimal, Option<Decimal>)>, Failure> {
        let cash = self.config.currency.as_str();
        let held: BTreeMap<Symbol, Decimal> = wallets
            .iter()
            .filter(|wallet| wallet.currency != cash && !wallet.total().is_zero())
            .filter_map(|wallet| Some((of_wallet(&wallet.currency, cash)?, wallet.total())))
            .collect();
        let mut prices = BTreeMap::new();
        let symbols: Vec<&Symbol> = held.keys().collect();
        for some in symbols.chunks(PRICES) {
            let names: Vec<String> =
                some.iter().map(|symbol| format!("product_ids={}", encoded(symbol.as_str()))).collect();
            let known: Products = self.get(&format!("/products?{}", names.join("&"))).await?;
            prices.extend(known.products.into_iter().filter_map(|row| Some((row.product_id, row.price?))));
        }
        let row = |(symbol, units): (Symbol, Decimal)| {
            let price = prices.get(symbol.as_str()).copied();
            (symbol, units, price)
        };
        Ok(held.into_iter().map(row).collect())
    }

    /// The best prices of an instrument, readable.
    pub(super) async fn touch(&self, symbol: Option<&Symbol>) -> Result<String, Failure> {
        let native = match symbol {
            Some(symbol) => {
                SYMBOLS.to_native(symbol).map_err(|error| Failure::unreadable(error.to_string()))?
            }
            None => "BTC-USD".into(),
        };
        let books: Books = self.get(&format!("/best_bid_ask?product_ids={}", encoded(&native))).await?;
        let book = books.pricebooks.into_iter().find(|book| book.product_id == native);
        let book = book.ok_or_else(|| Failure::unreadable(format!("no prices of {native}")))?;
        match (book.bids.first(), book.asks.first()) {
            (Some(bid), Some(ask)) => Ok(format!("{native} {} / {}", bid.price, ask.price)),
            _ => Err(Failure::unreadable(format!("the book of {native} is empty"))),
        }
    }

    pub(super) async fn read_account(&self) -> Result<Account, Failure> {
        let wallets = self.wallets().await?;
        let cash = wallets.iter().find(|wallet| wallet.currency == self.config.currency.as_str());
        let total = cash.map(Wallet::total).unwrap_or_default();
        let held = self.holdings(&wallets).await?;
        let value = held.iter().filter_map(|(_, units, price)| Some(units.saturating_mul((*price)?)));
        Ok(Account {
            base_currency: self.config.currency,
            cash: total,
            equity: value.fold(total, Decimal::saturating_add),
            buying_power: Some(cash.map(|wallet| wallet.available_balance.value).unwrap_or_default()),
            asof: self.connections.clock.now(),
        })
    }

    /// What is held beside cash.
    pub(super) async fn read_positions(&self) -> Result<Vec<Position>, Failure> {
        let wallets = self.wallets().await?;
        let held = self.holdings(&wallets).await?;
        let owner = FundId::new(NAME).map_err(|error| Failure::unreadable(error.to_string()))?;
        let now = self.connections.clock.now();
        let position = |(symbol, quantity, price): (Symbol, Decimal, Option<Decimal>)| {
            kit::held(&owner, symbol, quantity, price.unwrap_or_default(), now)
        };
        Ok(held.into_iter().map(position).collect())
    }
}
