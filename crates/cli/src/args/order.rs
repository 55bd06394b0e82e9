//! The command line of people who trade by hand, and of reconciliation.

use super::operator::{ActArgs, reason};
use clap::{Args, Subcommand};
use mts_foundation::{
    ActorId, BrokerName, CashKind, Decimal, FundId, IdempotencyKey, OrderId, OrderType, Side, StrategyId,
    Symbol, TimeInForce,
};

#[derive(Debug, Subcommand)]
pub(crate) enum OrderCommand {
    /// Sends an order in your name through the same gates as a strategy's.
    Submit(SubmitArgs),
    /// Cancels one order.
    Cancel(CancelArgs),
    /// Says that an unknown order is not live, on evidence that only a person can have.
    Settle(SettleArgs),
}

#[derive(Debug, Args)]
pub(crate) struct SubmitArgs {
    /// buy, sell, short or cover.
    pub(crate) side: Side,
    /// Units, above zero.
    pub(crate) quantity: Decimal,
    /// Which instrument.
    pub(crate) symbol: Symbol,
    /// market, limit, stop, stop_limit or marketable_limit.
    #[arg(long = "type", value_name = "TYPE", default_value = "market")]
    pub(crate) order_type: OrderType,
    /// Limit price, for types that take one.
    #[arg(long, value_name = "PRICE")]
    pub(crate) limit: Option<Decimal>,
    /// Stop price, for types that take one.
    #[arg(long, value_name = "PRICE")]
    pub(crate) stop: Option<Decimal>,
    /// How long it works.
    #[arg(long, value_name = "TIF", default_value = "day")]
    pub(crate) tif: TimeInForce,
    /// The fund [default: the run's].
    #[arg(long, value_name = "ID")]
    pub(crate) fund: Option<FundId>,
    /// The strategy it counts for [default: the run's].
    #[arg(long, value_name = "ID")]
    pub(crate) strategy: Option<StrategyId>,
    /// Repeating the command with the same key sends nothing twice.
    #[arg(long, value_name = "KEY", value_parser = |text: &str| IdempotencyKey::new(text).map_err(|error| error.to_string()))]
    pub(crate) key: Option<IdempotencyKey>,
    /// Who asks; the envelope's allowed_actors must have the name.
    #[arg(long, value_name = "NAME")]
    pub(crate) actor: ActorId,
    #[command(flatten)]
    pub(crate) act: ActArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CancelArgs {
    /// Which order.
    pub(crate) order_id: OrderId,
    /// Who asks.
    #[arg(long, value_name = "NAME")]
    pub(crate) actor: ActorId,
    #[command(flatten)]
    pub(crate) act: ActArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SettleArgs {
    /// Which order.
    pub(crate) order_id: OrderId,
    /// Who says so.
    #[arg(long, value_name = "NAME")]
    pub(crate) actor: ActorId,
    /// The evidence; kept in the journal.
    #[arg(long, value_parser = reason)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) act: ActArgs,
}

#[derive(Debug, Args)]
pub(crate) struct AllArgs {
    /// One fund [default: all].
    #[arg(long, value_name = "ID")]
    pub(crate) fund: Option<FundId>,
    /// Who asks.
    #[arg(long, value_name = "NAME")]
    pub(crate) actor: ActorId,
    /// Does not ask.
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) act: ActArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ReconcileArgs {
    /// Shows what differs as it was seen last, and does nothing.
    #[arg(long, conflicts_with = "adopt")]
    pub(crate) dry_run: bool,
    /// Takes what the account holds of this instrument into the books, without cash.
    #[arg(long, value_name = "SYMBOL", requires_all = ["actor", "reason"])]
    pub(crate) adopt: Option<Symbol>,
    /// Books cash that moved outside of orders, positive = in.
    #[arg(long, value_name = "AMOUNT", requires_all = ["actor", "reason"], conflicts_with_all = ["adopt", "dry_run"],
          allow_negative_numbers = true)]
    pub(crate) book_cash: Option<Decimal>,
    /// Why it moved; deposits and withdrawals are neither profit nor loss.
    #[arg(long, requires = "book_cash", default_value = "other")]
    pub(crate) kind: CashKind,
    /// One broker [default: all, or the run's].
    #[arg(long, value_name = "NAME")]
    pub(crate) broker: Option<BrokerName>,
    /// The fund that gets what is adopted [default: the run's].
    #[arg(long, value_name = "ID")]
    pub(crate) fund: Option<FundId>,
    /// Who asks.
    #[arg(long, value_name = "NAME")]
    pub(crate) actor: Option<ActorId>,
    /// Why it is right; kept in the journal.
    #[arg(long, value_parser = reason)]
    pub(crate) reason: Option<String>,
    #[command(flatten)]
    pub(crate) act: ActArgs,
}
