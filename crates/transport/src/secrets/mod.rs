//! Where secrets come from: configuration names them, and only this module reads them.

mod local;
#[cfg(feature = "vault")]
mod vault;
#[cfg(feature = "vault")]
mod vault_config;
#[cfg(feature = "vault")]
mod vault_wire;

#[cfg(feature = "vault")]
pub use vault::Vault;
#[cfg(feature = "vault")]
pub use vault_config::{VaultAuth, VaultConfig, VaultConfigError};

use crate::redact::Redactor;
use mts_foundation::broker::BoxFuture;
use mts_foundation::secret::{SecretRef, SecretSource, SecretUnavailable};
use secrecy::SecretString;
#[cfg(feature = "vault")]
use std::sync::Arc;

/// Reads secrets from this machine and, where one is configured, from a Vault server. Every secret that it hands out is made
/// known to its [`Redactor`].
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    redactor: Redactor,
    #[cfg(feature = "vault")]
    vault: Option<Arc<Vault>>,
}

impl Secrets {
    /// Of this machine alone: `env:`, `file:` and `cred:`.
    #[must_use]
    pub fn new(redactor: Redactor) -> Self {
        Self {
            redactor,
            #[cfg(feature = "vault")]
            vault: None,
        }
    }

    /// The one that knows the secrets which were handed out.
    #[must_use]
    pub const fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// Asks this server for the names that begin with `vault:`.
    #[cfg(feature = "vault")]
    #[must_use]
    pub fn with_vault(self, vault: Arc<Vault>) -> Self {
        Self { vault: Some(vault), ..self }
    }

    /// A secret of this machine, without waiting.
    ///
    /// # Errors
    /// [`SecretUnavailable`] when it is missing, empty, too long, or readable by others than its owner, and for a name of
    /// Vault.
    pub fn local(&self, name: &SecretRef) -> Result<SecretString, SecretUnavailable> {
        let secret = local::read(name)?;
        self.redactor.learn(&secret);
        Ok(secret)
    }

    async fn read(&self, name: &SecretRef) -> Result<SecretString, SecretUnavailable> {
        #[cfg(feature = "vault")]
        if let (SecretRef::Vault { path, field }, Some(vault)) = (name, &self.vault) {
            let secret = vault.read(path, field).await?;
            self.redactor.learn(&secret);
            return Ok(secret);
        }
        self.local(name)
    }
}

impl SecretSource for Secrets {
    fn secret<'a>(&'a self, name: &'a SecretRef) -> BoxFuture<'a, Result<SecretString, SecretUnavailable>> {
        Box::pin(self.read(name))
    }
}
