//! Secrets by the names in a configuration: of this machine, and of the Vault server that the environment names.

use crate::error::{CliError, ExitKind, OrExit};
use mts_foundation::secret::{SecretRef, SecretSource as _};
use mts_transport::{Redactor, Secrets};
use secrecy::SecretString;

/// One secret, waited for.
pub(crate) fn read(name: &SecretRef) -> Result<SecretString, CliError> {
    let secrets = of_environment().or_exit(ExitKind::Config)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.or_exit(ExitKind::Internal)?.block_on(secrets.secret(name)).or_exit(ExitKind::Config)
}

/// `VAULT_ADDR` and its companions say where the server is, `VAULT_CACERT` whom to trust for it.
#[cfg(feature = "vault")]
pub(crate) fn of_environment() -> Result<Secrets, String> {
    use mts_transport::{ReqwestClient, Tls, Vault, VaultConfig};
    use std::sync::Arc;
    let redactor = Redactor::default();
    let secrets = Secrets::new(redactor.clone());
    let Some(config) = VaultConfig::from_env().map_err(|error| format!("VAULT_ADDR: {error}"))? else {
        return Ok(secrets);
    };
    let more = match std::env::var_os("VAULT_CACERT") {
        Some(path) => std::fs::read(&path)
            .map_err(|error| format!("VAULT_CACERT: {}: {error}; check the path", path.display()))?,
        None => Vec::new(),
    };
    let client =
        Tls::new(&more).and_then(|tls| ReqwestClient::with_tls(&tls)).map_err(|error| error.to_string())?;
    let vault = Vault::new(config, Arc::new(client), redactor).map_err(|error| error.to_string())?;
    Ok(secrets.with_vault(Arc::new(vault)))
}

/// This program cannot ask a server.
#[cfg(not(feature = "vault"))]
pub(crate) fn of_environment() -> Result<Secrets, String> {
    Ok(Secrets::new(Redactor::default()))
}
