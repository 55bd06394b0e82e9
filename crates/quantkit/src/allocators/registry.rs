//! Allocators by name.

use super::{
    HierarchicalEqualRiskContribution, HierarchicalRiskParity, InverseVariance, MaximumDecorrelation,
    MaximumDiversification, MaximumSharpe, MinimumCvar, MinimumVariance, NestedClusters, RiskBudgeting,
    RiskParity, Uniform,
};
use mts_foundation::registry::{Registry, typed};
use mts_foundation::sizing::{Allocator, ComputeError};
use serde::de::DeserializeOwned;

/// Every allocator of this crate, by name.
///
/// # Errors
/// Never in practice: the names are distinct.
pub fn builtin() -> Result<Registry<dyn Allocator>, ComputeError> {
    let mut registry: Registry<dyn Allocator> = Registry::new("allocator", "");
    add::<Uniform>(&mut registry, Uniform::NAME)?;
    add::<InverseVariance>(&mut registry, InverseVariance::NAME)?;
    add::<HierarchicalRiskParity>(&mut registry, HierarchicalRiskParity::NAME)?;
    add::<HierarchicalEqualRiskContribution>(&mut registry, HierarchicalEqualRiskContribution::NAME)?;
    add::<NestedClusters>(&mut registry, NestedClusters::NAME)?;
    add::<MinimumVariance>(&mut registry, MinimumVariance::NAME)?;
    add::<MaximumSharpe>(&mut registry, MaximumSharpe::NAME)?;
    add::<MaximumDiversification>(&mut registry, MaximumDiversification::NAME)?;
    add::<MaximumDecorrelation>(&mut registry, MaximumDecorrelation::NAME)?;
    add::<MinimumCvar>(&mut registry, MinimumCvar::NAME)?;
    add::<RiskBudgeting>(&mut registry, RiskBudgeting::NAME)?;
    registry.register(RiskParity::NAME, |parameters| {
        typed::<Uniform>(RiskParity::NAME, parameters)?;
        Ok(Box::new(RiskParity))
    })?;
    Ok(registry)
}

fn add<T: Allocator + DeserializeOwned + 'static>(
    registry: &mut Registry<dyn Allocator>,
    name: &'static str,
) -> Result<(), ComputeError> {
    registry.register(name, move |parameters| Ok(Box::new(typed::<T>(name, parameters)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allocators_are_found_by_name_and_their_parameters_are_checked() {
        let registry = builtin().unwrap();
        let returns =
            ndarray::array![[0.01, 0.02, -0.01], [-0.02, 0.0, 0.01], [0.01, -0.03, 0.02], [0.0, 0.01, 0.03]];
        for name in registry.names() {
            let allocator = registry.build(name, &serde_json::Map::new()).unwrap();
            assert_eq!(allocator.name(), name);
            let weights = allocator.allocate(returns.view()).unwrap();
            assert!((weights.sum() - 1.0).abs() < 1e-15, "{name}: {weights}");
        }
        let parameters = |json: &str| serde_json::from_str(json).unwrap();
        let text = r#"{"linkage": "ward", "order": "scipy", "upper": 0.4, "measure": {"cvar": {"level": 0.75}},
            "covariance": {"name": "ledoit_wolf", "target": {"constant_correlation": "ledoit_code"}}}"#;
        let hrp = registry.build("hrp", &parameters(text)).unwrap();
        assert!(hrp.allocate(returns.view()).unwrap().iter().all(|weight| *weight <= 0.4));
        for (name, text) in [
            ("hrp", r#"{"linkag": "ward"}"#),
            ("hrp", r#"{"covariance": {"name": "sample", "ddoff": 1}}"#),
            ("risk_parity", r#"{"budgets": []}"#),
        ] {
            assert!(registry.build(name, &parameters(text)).is_err(), "{name} {text}");
        }
    }
}
