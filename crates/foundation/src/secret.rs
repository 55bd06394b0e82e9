//! Secrets by name: configuration says where a secret is kept, never what it is.

use crate::broker::BoxFuture;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Longest name of a secret in bytes.
const MAX_NAME_BYTES: usize = 1024;

/// The name of a secret, never the secret: `env:NAME`, `file:/path`, `cred:NAME` for systemd's `LoadCredential=`, or
/// `vault:PATH#FIELD` for an entry of a Vault server's key-value store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "String", extend("pattern" = "^\\s*(env|file|cred|vault):")))]
#[serde(try_from = "String", into = "String")]
pub enum SecretRef {
    /// An environment variable.
    Env(String),
    /// A file that only its owner can read.
    File(PathBuf),
    /// A file below `$CREDENTIALS_DIRECTORY`.
    Credential(String),
    /// A field of an entry in Vault.
    Vault {
        /// The entry below the store's mount, such as `brokers/alpaca/paper`.
        path: String,
        /// The field of the entry.
        field: String,
    },
}

/// A text that names no place where secrets are kept. The text is not repeated: it may be the secret itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "a secret is named by env:NAME, file:/path, cred:NAME or vault:path#field, and this is none of them; move the secret there"
)]
pub struct NotASecretName;

/// A secret that cannot be had. Never holds a part of it.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {message}")]
pub struct SecretUnavailable {
    /// Which.
    pub name: SecretRef,
    /// Why, and the way out.
    pub message: String,
    /// Whether trying again can help: a server that does not answer, as opposed to a name that is wrong.
    pub temporary: bool,
}

/// Reads secrets. An adapter asks each time it connects, so that a secret that was changed is taken without a restart.
pub trait SecretSource: Send + Sync {
    /// The secret behind a name, white space around it dropped.
    fn secret<'a>(&'a self, name: &'a SecretRef) -> BoxFuture<'a, Result<SecretString, SecretUnavailable>>;
}

impl fmt::Display for SecretRef {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(out, "env:{name}"),
            Self::File(path) => write!(out, "file:{}", path.display()),
            Self::Credential(name) => write!(out, "cred:{name}"),
            Self::Vault { path, field } => write!(out, "vault:{path}#{field}"),
        }
    }
}

impl FromStr for SecretRef {
    type Err = NotASecretName;

    fn from_str(text: &str) -> Result<Self, NotASecretName> {
        let text = text.trim();
        if text.len() > MAX_NAME_BYTES || text.contains(char::is_control) {
            return Err(NotASecretName);
        }
        match text.split_once(':') {
            Some(("env", name)) if !name.is_empty() && !name.contains('=') => Ok(Self::Env(name.to_owned())),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(PathBuf::from(path))),
            // A plain name: `cred:../x` would leave the folder.
            Some(("cred", name)) if !name.is_empty() && !name.contains(['/', '\\']) && name != ".." => {
                Ok(Self::Credential(name.to_owned()))
            }
            Some(("vault", place)) => match place.split_once('#') {
                Some((path, field)) if is_vault_path(path) && is_vault_field(field) => {
                    Ok(Self::Vault { path: path.to_owned(), field: field.to_owned() })
                }
                _ => Err(NotASecretName),
            },
            _ => Err(NotASecretName),
        }
    }
}

/// Segments of plain characters: nothing that a URL would read as something else, and no way out of the mount.
fn is_vault_path(path: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty()
            && !part.chars().all(|c| c == '.')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    };
    path.split('/').all(plain)
}

fn is_vault_field(field: &str) -> bool {
    !field.is_empty() && field.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

impl TryFrom<String> for SecretRef {
    type Error = NotASecretName;
    fn try_from(text: String) -> Result<Self, NotASecretName> {
        text.parse()
    }
}

impl From<SecretRef> for String {
    fn from(name: SecretRef) -> String {
        name.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_secrets_are_refused_as_names() {
        for name in ["env:MTS_URL", "file:/etc/mts/url", "cred:url", "vault:brokers/alpaca/paper#key_id"] {
            assert_eq!(name.parse::<SecretRef>().unwrap().to_string(), name);
        }
        let wrong = [
            "",
            "env:",
            "cred:../x",
            "hunter2",
            "https://hooks.example/T0/hunter2",
            "vault:brokers/alpaca",
            "vault:brokers/../sys#key",
            "vault:/brokers#key",
            "vault:brokers?version=1#key",
            "vault:brokers#",
        ];
        for wrong in wrong {
            let error = wrong.parse::<SecretRef>().unwrap_err().to_string();
            assert!(error.contains("env:NAME") && !error.contains("hunter2"), "{wrong}: {error}");
        }
    }
}
