//! The descriptors that are built in.

use super::descriptor::{Descriptor, DescriptorError};

/// A descriptor that is built in.
#[derive(Debug, Clone, Copy)]
pub struct Embedded {
    /// The exchange.
    pub name: &'static str,
    /// The TOML.
    pub text: &'static str,
}

impl Embedded {
    /// What it says.
    ///
    /// # Errors
    /// [`DescriptorError`]; a test reads every one of them.
    pub fn read(&self) -> Result<Descriptor, DescriptorError> {
        Descriptor::read(self.name, self.text)
    }
}

macro_rules! embedded {
    ($($name:literal)*) => {
        /// Every exchange that is built in, by name.
        pub const DESCRIPTORS: &[Embedded] =
            &[$(Embedded { name: $name, text: include_str!(concat!("descriptors/", $name, ".toml")) }),*];
    };
}

/// The exchange of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Embedded> {
    DESCRIPTORS.iter().find(|embedded| embedded.name == name)
}

embedded! {
}
