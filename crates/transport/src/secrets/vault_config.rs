//! Where the Vault server is, and how to log in there.

use mts_foundation::secret::SecretRef;
use std::fmt;

/// A Vault server (or OpenBao, which speaks the same).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultConfig {
    /// Such as `https://vault.example:8200`; without TLS it must be of this machine.
    pub address: http::Uri,
    /// The namespace, where the server has such.
    pub namespace: Option<String>,
    /// Where the store of version 2 is mounted; `secret` as a server comes.
    pub mount: String,
    /// How to log in.
    pub auth: VaultAuth,
}

/// How to log in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VaultAuth {
    /// With a token, which is renewed while the server lets it be.
    Token(SecretRef),
    /// As a machine: with a role and its secret. A token that ran out is replaced by logging in again.
    AppRole {
        /// Where the method is mounted; `approle` as a server comes.
        mount: String,
        /// The role's id, which is no secret.
        role_id: String,
        /// The role's secret id.
        secret_id: SecretRef,
    },
}

/// A configuration that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct VaultConfigError {
    /// Which setting.
    pub field: &'static str,
    /// What is wrong with it, and the way out.
    pub message: String,
}

impl VaultConfig {
    /// A server with the usual mount.
    ///
    /// # Errors
    /// [`VaultConfigError`] for an address that is none, or that would carry secrets unencrypted over a network.
    pub fn new(address: &str, auth: VaultAuth) -> Result<Self, VaultConfigError> {
        let config = Self { address: parsed(address)?, namespace: None, mount: "secret".to_owned(), auth };
        config.validate()?;
        Ok(config)
    }

    /// As the environment says: `VAULT_ADDR`, `VAULT_NAMESPACE`, and either `VAULT_ROLE_ID` with `VAULT_SECRET_ID` or
    /// `VAULT_TOKEN`. `None` without `VAULT_ADDR`.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn from_env() -> Result<Option<Self>, VaultConfigError> {
        Self::from_variables(&|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn from_variables(variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<Self>, VaultConfigError> {
        let Some(address) = variable("VAULT_ADDR") else { return Ok(None) };
        let named = |name: &str| SecretRef::Env(name.to_owned());
        let auth = match variable("VAULT_ROLE_ID") {
            Some(role_id) => VaultAuth::AppRole {
                mount: "approle".to_owned(),
                role_id,
                secret_id: named("VAULT_SECRET_ID"),
            },
            None => VaultAuth::Token(named("VAULT_TOKEN")),
        };
        Ok(Some(Self { namespace: variable("VAULT_NAMESPACE"), ..Self::new(&address, auth)? }))
    }

    /// What the types cannot say.
    ///
    /// # Errors
    /// [`VaultConfigError`] with the first fault.
    pub fn validate(&self) -> Result<(), VaultConfigError> {
        let fault = |field, message: String| Err(VaultConfigError { field, message });
        let host = self.address.host().unwrap_or_default();
        let is_here = host == "localhost"
            || host.trim_matches(['[', ']']).parse().is_ok_and(|host: std::net::IpAddr| host.is_loopback());
        match self.address.scheme_str() {
            Some("https") => {}
            Some("http") if is_here => {}
            Some("http") => {
                return fault(
                    "address",
                    format!(
                        "{host} would send secrets unencrypted; write https://, http:// is for this machine"
                    ),
                );
            }
            _ => return fault("address", "it is no web address; write https://host:8200".to_owned()),
        }
        if self.address.authority().is_some_and(|place| place.as_str().contains('@')) {
            return fault(
                "address",
                "it holds a user or password; log in with a token or AppRole".to_owned(),
            );
        }
        let mounts = [("mount", &self.mount)];
        let of_role = match &self.auth {
            VaultAuth::AppRole { mount, .. } => Some(("approle mount", mount)),
            VaultAuth::Token(_) => None,
        };
        for (field, mount) in mounts.into_iter().chain(of_role) {
            if !is_mount(mount) {
                return fault(
                    field,
                    format!(
                        "{mount:?} is no path of a mount; write letters, digits, - and _, parts with / between"
                    ),
                );
            }
        }
        let secret = match &self.auth {
            VaultAuth::Token(secret) | VaultAuth::AppRole { secret_id: secret, .. } => secret,
        };
        if matches!(secret, SecretRef::Vault { .. }) {
            return fault(
                "auth",
                format!("{secret} is kept by the server itself; name env:, file: or cred:"),
            );
        }
        Ok(())
    }
}

impl fmt::Display for VaultConfig {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.address.authority().map_or("no host", |place| place.as_str());
        write!(out, "Vault at {place}, store {}", self.mount)
    }
}

fn parsed(address: &str) -> Result<http::Uri, VaultConfigError> {
    address.trim().parse().map_err(|_| VaultConfigError {
        field: "address",
        message: "it is no web address; write https://host:8200".to_owned(),
    })
}

/// Parts of plain characters.
fn is_mount(mount: &str) -> bool {
    let plain =
        |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    mount.split('/').all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> VaultAuth {
        VaultAuth::Token("env:VAULT_TOKEN".parse().unwrap())
    }

    #[test]
    fn secrets_do_not_travel_in_the_open() {
        for good in
            ["https://vault.example:8200", "http://127.0.0.1:8200", "http://[::1]:8200", "http://localhost"]
        {
            assert!(VaultConfig::new(good, token()).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("http://vault.example:8200", "https://"),
            ("http://10.0.0.1", "https://"),
            ("https://me:pw@vault.example", "token or AppRole"),
            ("vault.example", "https://host:8200"),
            ("", "https://host:8200"),
        ] {
            let error = VaultConfig::new(bad, token()).unwrap_err();
            assert!(error.field == "address" && error.message.contains(why), "{bad}: {error}");
        }
    }

    #[test]
    fn a_path_that_leads_elsewhere_and_a_secret_in_itself_are_refused() {
        let config = VaultConfig::new("https://vault.example", token()).unwrap();
        let elsewhere = VaultConfig { mount: "secret/../sys".to_owned(), ..config.clone() };
        assert_eq!(elsewhere.validate().unwrap_err().field, "mount");
        let itself = VaultAuth::Token("vault:brokers/x#token".parse().unwrap());
        let itself = VaultConfig { auth: itself, ..config };
        assert_eq!(itself.validate().unwrap_err().field, "auth");
    }

    #[test]
    fn the_environment_says_where_and_how() {
        let of = |variables: &'static [(&'static str, &'static str)]| {
            VaultConfig::from_variables(&|name| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            })
        };
        assert_eq!(of(&[]).unwrap(), None);
        let by_token = of(&[("VAULT_ADDR", "https://v:8200"), ("VAULT_NAMESPACE", "desk")]).unwrap().unwrap();
        assert_eq!((by_token.auth.clone(), by_token.namespace.as_deref()), (token(), Some("desk")));
        let by_role = of(&[("VAULT_ADDR", "https://v:8200"), ("VAULT_ROLE_ID", "r")]).unwrap().unwrap();
        assert!(matches!(by_role.auth, VaultAuth::AppRole { role_id, .. } if role_id == "r"));
    }
}
