//! Factors by name.

use crate::momentum::Momentum;
use mts_foundation::registry::{Registry, typed};
use mts_foundation::sizing::{ComputeError, Factor};

/// Every factor of this crate, by name; names start with `f_`.
///
/// # Errors
/// Never in practice: the names are distinct.
pub fn builtin() -> Result<Registry<dyn Factor>, ComputeError> {
    let mut registry: Registry<dyn Factor> = Registry::new("factor", "f_");
    registry.register(Momentum::NAME, |parameters| {
        Ok(Box::new(typed::<Momentum>(Momentum::NAME, parameters)?))
    })?;
    Ok(registry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors_are_found_by_name_and_their_parameters_are_checked() {
        let registry = builtin().unwrap();
        let parameters = |json: &str| serde_json::from_str(json).unwrap();
        let factor = registry.build("f_momentum_12_1", &parameters(r#"{"h_long": 126}"#)).unwrap();
        assert_eq!(factor.warm_up(), 126 + 21 + 1);
        let error = registry.build("f_momentum_12_1", &parameters(r#"{"h_lon": 126}"#)).err().unwrap();
        assert!(error.message.contains("h_lon"), "{error}");
    }
}
