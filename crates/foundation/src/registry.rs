//! Parts by name: factors, sizers and allocators are chosen in configuration and registered by whoever writes them.

use crate::sizing::ComputeError;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Parameters of a part, by name.
pub type Parameters = serde_json::Map<String, serde_json::Value>;

type Build<T> = Arc<dyn Fn(&Parameters) -> Result<Box<T>, ComputeError> + Send + Sync>;

/// Which parts of one kind there are and how they are made. A name is taken once.
pub struct Registry<T: ?Sized> {
    kind: &'static str,
    prefix: &'static str,
    builders: BTreeMap<String, Build<T>>,
}

impl<T: ?Sized> Registry<T> {
    /// An empty registry. `kind` names its parts in messages; every name must start with `prefix`.
    #[must_use]
    pub fn new(kind: &'static str, prefix: &'static str) -> Self {
        Self { kind, prefix, builders: BTreeMap::new() }
    }

    /// Adds a part.
    ///
    /// # Errors
    /// [`ComputeError`] when the name is taken or lacks the prefix.
    pub fn register(
        &mut self,
        name: &str,
        build: impl Fn(&Parameters) -> Result<Box<T>, ComputeError> + Send + Sync + 'static,
    ) -> Result<(), ComputeError> {
        if !name.starts_with(self.prefix) || name.is_empty() {
            let message = format!("the name of a {} starts with {:?}; rename it", self.kind, self.prefix);
            return Err(ComputeError::new(name, message));
        }
        if self.builders.contains_key(name) {
            let message = format!("this {} is registered already; choose another name", self.kind);
            return Err(ComputeError::new(name, message));
        }
        self.builders.insert(name.to_owned(), Arc::new(build));
        Ok(())
    }

    /// Makes a part.
    ///
    /// # Errors
    /// [`ComputeError`] for an unknown name, with the known ones, or for parameters the part does not take.
    pub fn build(&self, name: &str, parameters: &Parameters) -> Result<Box<T>, ComputeError> {
        match self.builders.get(name) {
            Some(build) => build(parameters),
            None => {
                let known: Vec<_> = self.names().collect();
                let message = format!("there is no such {}; use one of {}", self.kind, known.join(", "));
                Err(ComputeError::new(name, message))
            }
        }
    }

    /// All names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.builders.keys().map(String::as_str)
    }
}

impl<T: ?Sized> Clone for Registry<T> {
    fn clone(&self) -> Self {
        Self { kind: self.kind, prefix: self.prefix, builders: self.builders.clone() }
    }
}

impl<T: ?Sized> std::fmt::Debug for Registry<T> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("Registry").field("kind", &self.kind).field("names", &self.builders.keys()).finish()
    }
}

/// Reads the typed parameters of the part `name`.
///
/// # Errors
/// [`ComputeError`] that names the parameter at fault.
pub fn typed<P: DeserializeOwned>(name: &str, parameters: &Parameters) -> Result<P, ComputeError> {
    P::deserialize(serde_json::Value::Object(parameters.clone()))
        .map_err(|error| ComputeError::new(name, format!("parameters: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_once_and_carry_the_prefix() {
        let mut registry: Registry<str> = Registry::new("factor", "f_");
        registry.register("f_one", |_| Ok(Box::from("one"))).unwrap();
        assert_eq!(&*registry.build("f_one", &Parameters::new()).unwrap(), "one");
        assert!(registry.register("f_one", |_| Ok(Box::from("again"))).is_err());
        assert!(registry.register("two", |_| Ok(Box::from("two"))).unwrap_err().message.contains("f_"));
        assert!(
            registry.build("f_two", &Parameters::new()).unwrap_err().message.contains("use one of f_one")
        );
    }
}
