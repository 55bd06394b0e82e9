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
