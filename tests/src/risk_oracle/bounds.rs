//! No limit is passed: counted after an order was accepted, without asking any gate.

use super::oracle::{Counts, FundSetup, Oracle};
use mts_foundation::{Decimal, Instrument, Order, Side};

fn share(of: f64, nav: Decimal) -> Decimal {
    of.to_string().parse::<Decimal>().unwrap_or_default() * nav
}

/// The limit that an order which opens or grows a position went past, now that it works, if it did: whatever its gates
/// said, what is held and what works must be within the limits that concern the order.
#[must_use]
pub fn passed(
    oracle: &Oracle,
    setup: &FundSetup,
    instruments: &[Instrument],
    order: &Order,
) -> Option<String> {
    let counts = oracle.counts(&setup.config.fund_id)?;
    let place = instruments.iter().position(|instrument| instrument.symbol == order.symbol)?;
    let (limits, nav) = (&setup.limits, counts.nav);
    let unit = |place: usize| {
        oracle.price_of(place).map_or(Decimal::ZERO, |price| price.mark * instruments[place].multiplier)
    };
    let buys = order.side == Side::Buy;
    let units = |counts: &Counts| {
        if buys { counts.held[place] + counts.up[place] } else { counts.down[place] - counts.held[place] }
    };
    let worst = |place: usize| {
        let (held, up, down) = (counts.held[place], counts.up[place], counts.down[place]);
        (held + up).abs().max((held - down).abs()) * unit(place)
    };
    let sum = |some: &dyn Fn(&Instrument) -> bool| -> Decimal {
        (0..instruments.len()).filter(|place| some(&instruments[*place])).map(worst).sum()
    };
    let value = units(&counts) * unit(place);
    let mut found: Vec<(&str, Decimal, Decimal)> = Vec::new();
    let mut at_most = |what, observed: Decimal, limit: Option<Decimal>| {
        found.extend(limit.filter(|limit| observed > *limit).map(|limit| (what, observed, limit)));
    };
    at_most("units of the position", units(&counts), limits.max_position_quantity);
    at_most("value of the position", value, limits.max_position_value);
    at_most("gross exposure", sum(&|_| true), limits.max_total_exposure);
    let working = counts.taken;
    at_most("cash taken", working, limits.buying_power.then_some(counts.cash).filter(|_| buys));
    let used = (0..instruments.len()).filter(|place| !worst(*place).is_zero()).count();
    if counts.held[place].is_zero() {
        at_most("positions", Decimal::from(used), limits.max_positions.map(Decimal::from));
    }
    if let Some(envelope) = oracle.envelope(&setup.config.fund_id) {
        let own = &instruments[place];
        let off = |limit: f64| (limit < 1.0).then(|| share(limit, nav));
        at_most("value of the position", value, envelope.max_position_usd);
        at_most("share of the position", value, Some(share(envelope.max_position_pct, nav)));
        at_most("gross exposure", sum(&|_| true), Some(share(envelope.max_gross_exposure_pct, nav)));
        let net: Decimal = (0..instruments.len())
            .map(|place| {
                let up = (counts.held[place] + counts.up[place]) * unit(place);
                let down = (counts.held[place] - counts.down[place]) * unit(place);
                if buys { up } else { -down }
            })
            .sum();
        at_most("net exposure", net, Some(share(envelope.max_net_exposure_pct, nav)));
        at_most("sector", sum(&|other| other.sector == own.sector), off(envelope.max_sector_pct));
        let class = sum(&|other| other.asset_class == own.asset_class);
        at_most("asset class", class, off(envelope.max_asset_class_pct));
        at_most("country", sum(&|other| other.country == own.country), off(envelope.max_country_pct));
    }
    let (what, observed, limit) = found.first()?;
    Some(format!("{what} is {observed}, its limit {limit}, after {} was accepted", order.order_id))
}
