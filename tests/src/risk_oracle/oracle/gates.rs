//! The gates of decision R3 in their order, with the exemptions of R4, as docs/risk.md tells them.

mod exposure;
mod price;

use super::{Counts, Deviation, Fund, Oracle, Question, Sent, rises};
use mts_foundation::risk::{HaltMode, RateBucket, RejectCode, SessionPhase};
use mts_foundation::{Decimal, Instrument, OrderType, Side, TimeInForce, Timestamp};

pub(super) type Verdict = Result<(), RejectCode>;

/// What the gates look at.
struct Look<'a> {
    oracle: &'a Oracle,
    question: &'a Question<'a>,
    fund: &'a Fund,
    place: usize,
    /// Whether the instrument is in the table.
    known: bool,
    instrument: &'a Instrument,
    /// Reserved orders of others counted as working.
    counts: Counts,
    reducing: bool,
    closing: bool,
}

fn refuse_if(bad: bool, code: RejectCode) -> Verdict {
    if bad { Err(code) } else { Ok(()) }
}

/// All gates; the first that objects wins.
pub(super) fn verdict(oracle: &Oracle, question: &Question<'_>) -> Verdict {
    let order = question.order;
    let (fund, place) = (oracle.fund(&order.fund_id), oracle.instrument(&order.symbol));
    let Some(fund) = fund else {
        oracle.kill_switch(question.closing)?;
        oracle.halted(question, false, question.closing)?;
        return Err(RejectCode::FundNotAuthorised);
    };
    let fund = &oracle.funds[fund];
    // Of an unknown instrument nothing is held; which one stands in for it makes no difference.
    let (known, place) = (place.is_some(), place.unwrap_or(0));
    let counts = oracle.count_reserved(fund, &order.order_id);
    let open = match order.side {
        _ if !known => Decimal::ZERO,
        Side::Sell => counts.held[place] - counts.down[place],
        Side::Cover => -counts.held[place] - counts.up[place],
        Side::Buy | Side::Short => Decimal::ZERO,
    };
    let closes = matches!(order.side, Side::Sell | Side::Cover);
    let look = Look {
        oracle,
        question,
        fund,
        place,
        known,
        instrument: &oracle.instruments[place],
        counts,
        reducing: closes && order.quantity <= open,
        closing: closes && question.closing,
    };
    look.ask(open)
}

impl Oracle {
    fn kill_switch(&self, closing: bool) -> Verdict {
        refuse_if(self.killed.is_some() && !closing, RejectCode::KillSwitch)
    }

    /// Gate 2: the widest halt, a full one before one that lets reducing orders pass.
    fn halted(&self, question: &Question<'_>, reducing: bool, closing: bool) -> Verdict {
        if closing {
            return Ok(());
        }
        let mut refusing: Vec<_> = self
            .halts
            .iter()
            .filter(|halt| halt.concerns(question.order))
            .filter(|halt| halt.mode == HaltMode::Full || !reducing)
            .collect();
        refusing.sort_by_key(|halt| (halt.mode != HaltMode::Full, std::cmp::Reverse(halt.width())));
        refusing.first().map_or(Ok(()), |halt| Err(halt.code()))
    }
}

impl Look<'_> {
    fn ask(&self, open: Decimal) -> Verdict {
        let getting_out = self.reducing || self.closing;
        self.oracle.kill_switch(self.closing)?;
        self.oracle.halted(self.question, self.reducing, self.closing)?;
        refuse_if(!self.fund.setup.config.active && !getting_out, RejectCode::FundNotAuthorised)?;
        if !self.closing {
            self.authorised()?;
            self.assets()?;
        }
        self.session()?;
        refuse_if(!self.known, RejectCode::UnknownInstrument)?;
        self.ticks_and_lots(open)?;
        if !self.closing {
            self.duplicate()?;
            self.rate()?;
        }
        if !getting_out {
            self.repeated()?;
        }
        self.reference_price()?;
        if !getting_out {
            self.quantity()?;
            self.notional()?;
        }
        self.collar()?;
        if !getting_out {
            self.open_orders()?;
        }
        self.self_cross()?;
        if !getting_out {
            self.position()?;
            self.exposure()?;
            self.concentration()?;
            self.number_of_positions()?;
            self.short_side()?;
            self.buying_power()?;
            self.losses()?;
        }
        Ok(())
    }

    fn authorised(&self) -> Verdict {
        let (order, setup) = (self.question.order, &self.fund.setup);
        let strategies = &setup.config.strategies;
        let actors = &setup.limits.allowed_actors;
        refuse_if(
            !strategies.is_empty() && !strategies.contains(&order.strategy_id),
            RejectCode::StrategyNotAuthorised,
        )?;
        refuse_if(!actors.is_empty() && !actors.contains(&order.actor), RejectCode::ActorNotAuthorised)?;
        let Some(envelope) = &setup.envelope else { return Ok(()) };
        refuse_if(!envelope.allowed_brokers.contains(&order.broker), RejectCode::BrokerNotAllowed)?;
        refuse_if(!envelope.allowed_order_types.contains(&order.order_type), RejectCode::OrderTypeNotAllowed)
    }

    fn assets(&self) -> Verdict {
        let (symbol, setup) = (&self.question.order.symbol, &self.fund.setup);
        let class = self.instrument.asset_class;
        refuse_if(setup.limits.blocked_assets.contains(symbol), RejectCode::AssetBlocked)?;
        let allowed = &setup.limits.allowed_assets;
        refuse_if(!allowed.is_empty() && !allowed.contains(symbol), RejectCode::AssetNotAllowed)?;
        if !self.known {
            return Ok(());
        }
        let of_envelope = setup.envelope.as_ref();
        let denied = of_envelope.is_some_and(|envelope| !envelope.allowed_asset_classes.contains(&class));
        let of_fund = &setup.config.asset_classes;
        refuse_if(
            denied || (!of_fund.is_empty() && !of_fund.contains(&class)),
            RejectCode::AssetClassNotAllowed,
        )
    }

    fn session(&self) -> Verdict {
        let order = self.question.order;
        let closed = self.question.phase == SessionPhase::Closed;
        let extended = self.question.phase == SessionPhase::Extended;
        if (!closed && !extended) || order.tif == TimeInForce::Opg {
            return Ok(());
        }
        refuse_if(closed || !order.extended_hours, RejectCode::MarketClosed)?;
        let unlimited = matches!(order.order_type, OrderType::Market | OrderType::Stop);
        refuse_if(unlimited, RejectCode::MarketOrderOutsideHours)
    }

    fn ticks_and_lots(&self, open: Decimal) -> Verdict {
        let (order, held) = (self.question.order, self.counts.held[self.place]);
        let prices = [order.limit_price, order.stop_price];
        let off_tick = prices.into_iter().flatten().any(|price| !(price % self.instrument.tick).is_zero());
        refuse_if(off_tick, RejectCode::TickSize)?;
        let odd = !(order.quantity % self.instrument.lot).is_zero();
        refuse_if(odd && !self.closing && order.quantity != open, RejectCode::LotSize)?;
        let crosses = match order.side {
            Side::Sell | Side::Cover => order.quantity > open.max(Decimal::ZERO),
            Side::Buy => held < Decimal::ZERO,
            Side::Short => held > Decimal::ZERO,
        };
        refuse_if(crosses, RejectCode::SideCrossesZero)
    }

    /// Orders of the fund that were accepted less than `window` milliseconds ago.
    fn lately(&self, window: u64) -> impl Iterator<Item = &Sent> {
        let now = self.question.now;
        self.fund.sent.iter().filter(move |sent| now.since(sent.time).as_millis() < u128::from(window))
    }

    fn duplicate(&self) -> Verdict {
        let Some(window) = self.fund.setup.limits.dedup_window_ms else { return Ok(()) };
        let order = self.question.order;
        let same = self.lately(window).any(|sent| {
            let other = &sent.order;
            (&other.symbol, other.side, other.order_type, other.quantity)
                == (&order.symbol, order.side, order.order_type, order.quantity)
                && (other.limit_price, other.stop_price) == (order.limit_price, order.stop_price)
        });
        refuse_if(same, RejectCode::DuplicateContent)
    }

    fn rate(&self) -> Verdict {
        let (limits, order) = (&self.fund.setup.limits, self.question.order);
        if let Some(most) = limits.max_orders_per_minute {
            refuse_if(more_than(self.lately(60_000).count() + 1, most), RejectCode::OrderRate)?;
        }
        let strategy = |sent: &Sent| sent.order.strategy_id == order.strategy_id;
        let symbol = |sent: &Sent| sent.order.symbol == order.symbol;
        let fund = |sent: &Sent| sent.order.fund_id == order.fund_id;
        let broker = |sent: &Sent| sent.order.broker == order.broker;
        let empty = self.is_empty(limits.strategy_rate, |limits| limits.strategy_rate, strategy)
            || self.is_empty(limits.symbol_rate, |limits| limits.symbol_rate, symbol)
            || self.is_empty(limits.fund_rate, |limits| limits.fund_rate, fund)
            || self.is_empty(limits.broker_rate, |limits| limits.broker_rate, broker);
        refuse_if(empty, RejectCode::OrderRate)
    }

    /// Whether a token bucket has no token, told as the backlog of a leaky one: every order adds a token to it, time takes
    /// `per_minute` of them away, and it holds `burst`.
    fn is_empty(
        &self,
        rate: Option<RateBucket>,
        configured: impl Fn(&mts_foundation::GateLimits) -> Option<RateBucket>,
        takes: impl Fn(&Sent) -> bool,
    ) -> bool {
        let Some(rate) = rate else { return false };
        // Buckets of strategies, instruments and brokers are the same for all funds.
        let funds = self.oracle.funds.iter().filter(|fund| configured(&fund.setup.limits).is_some());
        let mut times: Vec<_> =
            funds.flat_map(|fund| &fund.sent).filter(|sent| takes(sent)).map(|sent| sent.time).collect();
        times.sort();
        // In nanoseconds of a minute, so that nothing is rounded.
        let (now, token) = (self.question.now, 60_000_000_000);
        let full = u128::from(rate.burst) * token;
        let drained =
            |from: Timestamp, to: Timestamp| to.since(from).as_nanos() * u128::from(rate.per_minute);
        let (mut backlog, mut last) = (0_u128, now);
        for time in times {
            // A close is sent even when the bucket is empty, and owes nothing for it.
            backlog = (backlog.saturating_sub(drained(last, time)) + token).min(full);
            last = time;
        }
        backlog.saturating_sub(drained(last, now)) + token > full
    }

    fn repeated(&self) -> Verdict {
        let limits = &self.fund.setup.limits;
        let (Some(most), Some(window)) =
            (limits.max_repeated_executions, limits.repeated_execution_window_ms)
        else {
            return Ok(());
        };
        let order = self.question.order;
        let same = self.lately(window).filter(|sent| {
            let other = &sent.order;
            (&other.symbol, other.side, &other.strategy_id) == (&order.symbol, order.side, &order.strategy_id)
        });
        refuse_if(more_than(same.count() + 1, most), RejectCode::RepeatedExecution)
    }

    fn open_orders(&self) -> Verdict {
        let Some(most) = self.fund.setup.limits.max_open_orders else { return Ok(()) };
        let own = &self.question.order.order_id;
        let reserved = self.fund.reserved.iter().filter(|live| live.order.order_id != *own);
        let open = self.fund.working.len() + reserved.count() + 1;
        refuse_if(more_than(open, most), RejectCode::MaxOpenOrders)
    }

    /// No order that could trade against a working one of the same account (O9).
    fn self_cross(&self) -> Verdict {
        let order = self.question.order;
        let account =
            |fund: &Fund| (fund.setup.config.broker.clone(), fund.setup.config.broker_account_id.clone());
        let limit = match order.order_type {
            OrderType::Limit | OrderType::MarketableLimit => order.limit_price,
            OrderType::Market | OrderType::Stop | OrderType::StopLimit => None,
        };
        let quoted_stops = self.oracle.deviates(Deviation::StopsAreQuoted);
        let funds = self.oracle.funds.iter().filter(|fund| account(fund) == account(self.fund));
        let crossed = funds.flat_map(|fund| &fund.working).any(|live| {
            let other = &live.order;
            let whatever = match other.order_type {
                OrderType::Market => true,
                OrderType::Stop => !quoted_stops,
                OrderType::Limit | OrderType::StopLimit | OrderType::MarketableLimit => false,
            };
            let meets = limit.is_none_or(|limit| {
                whatever || if rises(order.side) { limit >= live.cost } else { limit <= live.cost }
            });
            live.instrument == self.place && rises(other.side) != rises(order.side) && meets
        });
        refuse_if(crossed, RejectCode::SelfCross)
    }

    fn short_side(&self) -> Verdict {
        let order = self.question.order;
        let Some(envelope) = self.fund.setup.envelope.as_ref().filter(|_| order.side == Side::Short) else {
            return Ok(());
        };
        refuse_if(!envelope.enable_shorting, RejectCode::ShortingDisabled)?;
        let terms = self.fund.setup.borrow.get(&order.symbol);
        let located = terms.is_some_and(|terms| terms.located);
        refuse_if(envelope.require_borrow_locate && !located, RejectCode::NoLocate)?;
        match terms {
            Some(terms) => {
                let most = super::written(envelope.max_short_fee_bps);
                refuse_if(terms.fee_bps > most, RejectCode::BorrowFeeTooHigh)
            }
            None => refuse_if(!self.oracle.deviates(Deviation::NoTermsPass), RejectCode::BorrowFeeUnknown),
        }
    }

    fn losses(&self) -> Verdict {
        let nav = self.counts.nav;
        match self.oracle.tripped(self.fund, nav) {
            None => Err(RejectCode::NoLossBaseline),
            Some(tripped) => tripped.first().map_or(Ok(()), |code| Err(*code)),
        }
    }
}

/// Whether a count is more than a limit.
fn more_than(count: usize, most: u32) -> bool {
    count > usize::try_from(most).unwrap_or(usize::MAX)
}
