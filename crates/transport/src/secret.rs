//! Where secrets come from: configuration names them, and only this module reads them.

use secrecy::SecretString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Longest secret in bytes; keys in PEM form fit.
const MAX_BYTES: u64 = 64 << 10;

/// The name of a secret, never the secret: `env:NAME`, `file:/path`, or `cred:NAME` for systemd's `LoadCredential=`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// An environment variable.
    Env(String),
    /// A file that only its owner can read.
    File(PathBuf),
    /// A file below `$CREDENTIALS_DIRECTORY`.
    Credential(String),
}

/// Why a secret cannot be had. Never holds a part of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The text names no source.
    #[error(
        "a secret is named by env:NAME, file:/path or cred:NAME, and this is none of them; move the secret there"
    )]
    NoSource,
    /// It is not there.
    #[error("{name} is not set or empty; {remedy}")]
    Missing {
        /// What was looked for.
        name: SecretRef,
        /// What to do.
        remedy: &'static str,
    },
    /// Others can read the file.
    #[error("{name} has mode {mode:o}, others can read it; run: chmod 600 {}", path.display())]
    Exposed {
        /// The secret.
        name: SecretRef,
        /// Its file.
        path: PathBuf,
        /// The file's permission bits.
        mode: u32,
    },
    /// The file cannot be read.
    #[error("{name} cannot be read: {source}; check the path and the permissions")]
    Unreadable {
        /// The secret.
        name: SecretRef,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no secret.
    #[error("{name} has {bytes} bytes, a secret has at most {MAX_BYTES}; check the path")]
    TooLong {
        /// The secret.
        name: SecretRef,
        /// The file's length.
        bytes: u64,
    },
}

impl fmt::Display for SecretRef {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(out, "env:{name}"),
            Self::File(path) => write!(out, "file:{}", path.display()),
            Self::Credential(name) => write!(out, "cred:{name}"),
        }
    }
}

impl FromStr for SecretRef {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, SecretError> {
        match text.trim().split_once(':') {
            Some(("env", name)) if !name.is_empty() && !name.contains('=') => Ok(Self::Env(name.to_owned())),
            Some(("file", path)) if !path.is_empty() => Ok(Self::File(PathBuf::from(path))),
            // A plain name: `cred:../x` would leave the folder.
            Some(("cred", name)) if !name.is_empty() && !name.contains(['/', '\\']) && name != ".." => {
                Ok(Self::Credential(name.to_owned()))
            }
            _ => Err(SecretError::NoSource),
        }
    }
}

impl SecretRef {
    /// Reads the secret; white space around it is dropped.
    ///
    /// # Errors
    /// [`SecretError`] when it is missing, empty, too long, or readable by others than its owner.
    pub fn resolve(&self) -> Result<SecretString, SecretError> {
        let missing = |remedy| SecretError::Missing { name: self.clone(), remedy };
        let text = match self {
            Self::Env(name) => std::env::var(name).map_err(|_| missing("export it"))?,
            Self::File(path) => self.read(path)?,
            Self::Credential(name) => {
                let folder = std::env::var_os("CREDENTIALS_DIRECTORY")
                    .ok_or_else(|| missing("start under systemd with LoadCredential="))?;
                self.read(&Path::new(&folder).join(name))?
            }
        };
        match text.trim() {
            "" => Err(missing("put the secret there")),
            secret => Ok(SecretString::from(secret.to_owned())),
        }
    }

    fn read(&self, path: &Path) -> Result<String, SecretError> {
        let unreadable = |source| SecretError::Unreadable { name: self.clone(), source };
        let facts = std::fs::metadata(path).map_err(unreadable)?;
        if let Some(mode) = exposed(&facts) {
            return Err(SecretError::Exposed { name: self.clone(), path: path.to_owned(), mode });
        }
        if facts.len() > MAX_BYTES {
            return Err(SecretError::TooLong { name: self.clone(), bytes: facts.len() });
        }
        std::fs::read_to_string(path).map_err(unreadable)
    }
}

/// The permission bits, if group or others have any.
#[cfg(unix)]
fn exposed(facts: &std::fs::Metadata) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    let mode = facts.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

/// Elsewhere there are no such bits.
#[cfg(not(unix))]
fn exposed(_facts: &std::fs::Metadata) -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn names_are_read_and_secrets_are_refused_as_names() {
        for name in ["env:MTS_URL", "file:/etc/mts/url", "cred:url"] {
            assert_eq!(name.parse::<SecretRef>().unwrap().to_string(), name);
        }
        for wrong in ["", "env:", "cred:../x", "hunter2", "https://hooks.example/T0/secret"] {
            let error = wrong.parse::<SecretRef>().unwrap_err().to_string();
            assert!(error.contains("env:NAME") && !error.contains("hunter2"), "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_file_is_read_only_if_it_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, " hunter2\n").unwrap();
        let name = SecretRef::File(path.clone());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = name.resolve().unwrap_err().to_string();
        assert!(error.contains("chmod 600") && !error.contains("hunter2"), "{error}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let secret = name.resolve().unwrap();
        assert_eq!(secret.expose_secret(), "hunter2");
        assert!(!format!("{secret:?}").contains("hunter2"));
        std::fs::write(&path, "\n").unwrap();
        assert!(matches!(name.resolve(), Err(SecretError::Missing { .. })));
    }
}
