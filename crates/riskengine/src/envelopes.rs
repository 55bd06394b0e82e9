//! Versions of envelopes: what makes one looser than another.

use mts_foundation::Decimal;
use mts_foundation::risk::RiskEnvelope;

/// Whether any limit of `new` permits what `old` does not.
pub(crate) fn loosens(old: &RiskEnvelope, new: &RiskEnvelope) -> bool {
    let grows = [
        (old.max_gross_exposure_pct, new.max_gross_exposure_pct),
        (old.max_net_exposure_pct, new.max_net_exposure_pct),
        (old.max_position_pct, new.max_position_pct),
        (old.max_sector_pct, new.max_sector_pct),
        (old.max_asset_class_pct, new.max_asset_class_pct),
        (old.max_country_pct, new.max_country_pct),
        (old.daily_loss_halt_pct, new.daily_loss_halt_pct),
        (old.weekly_loss_halt_pct, new.weekly_loss_halt_pct),
        (old.monthly_loss_halt_pct, new.monthly_loss_halt_pct),
        (old.max_short_fee_bps, new.max_short_fee_bps),
        (old.synthetic_stop_pct, new.synthetic_stop_pct),
        // A veto counts from this confidence on, and not at all without an answer in time.
        (old.cro_veto_confidence_threshold, new.cro_veto_confidence_threshold),
        (new.cro_veto_timeout_s, old.cro_veto_timeout_s),
    ];
    let lifted = |old: Option<Decimal>, new: Option<Decimal>| match (old, new) {
        (Some(old), Some(new)) => new > old,
        (Some(_), None) => true,
        (None, _) => false,
    };
    grows.iter().any(|(old, new)| new > old)
        || new.max_order_notional_usd > old.max_order_notional_usd
        || lifted(old.max_position_usd, new.max_position_usd)
        || lifted(old.max_order_qty, new.max_order_qty)
        || new.allowed_brokers.iter().any(|broker| !old.allowed_brokers.contains(broker))
        || new.allowed_order_types.iter().any(|kind| !old.allowed_order_types.contains(kind))
        || new.allowed_asset_classes.iter().any(|class| !old.allowed_asset_classes.contains(class))
        || (new.enable_shorting && !old.enable_shorting)
        || (!new.require_borrow_locate && old.require_borrow_locate)
        || (!new.enable_synthetic_stop && old.enable_synthetic_stop)
        || (!new.cro_veto_enabled && old.cro_veto_enabled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use mts_foundation::{AssetClass, OrderType, Timestamp};

    /// Each change makes an envelope looser, and taking it back makes it stricter.
    type Change = fn(&mut RiskEnvelope);

    const LOOSER: &[(&str, Change)] = &[
        ("gross", |envelope| envelope.max_gross_exposure_pct += 0.1),
        ("net", |envelope| envelope.max_net_exposure_pct += 0.1),
        ("position", |envelope| envelope.max_position_pct += 0.1),
        ("sector", |envelope| envelope.max_sector_pct += 0.1),
        ("class", |envelope| envelope.max_asset_class_pct += 0.1),
        ("country", |envelope| envelope.max_country_pct += 0.1),
        ("daily loss", |envelope| envelope.daily_loss_halt_pct += 0.01),
        ("weekly loss", |envelope| envelope.weekly_loss_halt_pct += 0.01),
        ("monthly loss", |envelope| envelope.monthly_loss_halt_pct += 0.01),
        ("short fee", |envelope| envelope.max_short_fee_bps += 1.0),
        ("stop", |envelope| envelope.synthetic_stop_pct += 0.1),
        ("confidence", |envelope| envelope.cro_veto_confidence_threshold += 0.1),
        ("patience", |envelope| envelope.cro_veto_timeout_s -= 1.0),
        ("notional", |envelope| envelope.max_order_notional_usd += Decimal::ONE),
        ("position money", |envelope| envelope.max_position_usd = Some(Decimal::from(101))),
        ("no position money", |envelope| envelope.max_position_usd = None),
        ("quantity", |envelope| envelope.max_order_qty = Some(Decimal::from(11))),
        ("no quantity", |envelope| envelope.max_order_qty = None),
        ("broker", |envelope| envelope.allowed_brokers.push("other".parse().unwrap())),
        ("order type", |envelope| envelope.allowed_order_types.push(OrderType::Stop)),
        ("asset class", |envelope| envelope.allowed_asset_classes.push(AssetClass::Crypto)),
        ("shorting", |envelope| envelope.enable_shorting = true),
        ("locate", |envelope| envelope.require_borrow_locate = false),
        ("no stop", |envelope| envelope.enable_synthetic_stop = false),
        ("no veto", |envelope| envelope.cro_veto_enabled = false),
    ];

    #[test]
    fn every_limit_that_grows_loosens_and_none_that_shrinks() {
        let mut old = RiskEnvelope::with_defaults(
            "e".parse().unwrap(),
            "f".parse().unwrap(),
            Decimal::from(1_000),
            Timestamp::EPOCH,
        );
        (old.max_asset_class_pct, old.max_country_pct) = (0.5, 0.5);
        (old.max_position_usd, old.max_order_qty) = (Some(Decimal::from(100)), Some(Decimal::TEN));
        (old.require_borrow_locate, old.cro_veto_enabled) = (true, true);
        assert!(!loosens(&old, &old), "the same is not looser");
        for (name, change) in LOOSER {
            let mut new = old.clone();
            change(&mut new);
            assert!(loosens(&old, &new), "{name}");
            assert!(!loosens(&new, &old), "{name} taken back");
        }
    }
}
