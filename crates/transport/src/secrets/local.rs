//! Secrets of this machine: environment variables, files, and what systemd hands over.

use mts_foundation::secret::{SecretRef, SecretUnavailable};
use secrecy::SecretString;
use std::fs::{File, Metadata};
use std::io::Read;
use std::path::Path;

/// Longest secret in bytes; keys in PEM form fit.
pub(super) const MAX_BYTES: u64 = 64 << 10;

/// Reads the secret; white space around it is dropped.
pub(super) fn read(name: &SecretRef) -> Result<SecretString, SecretUnavailable> {
    let text = match name {
        SecretRef::Env(variable) => std::env::var(variable)
            .map_err(|_| refused(name, "it is not set, or no text; export it".to_owned()))?,
        SecretRef::File(path) => of_file(name, path)?,
        SecretRef::Credential(file) => {
            let folder = std::env::var_os("CREDENTIALS_DIRECTORY").ok_or_else(|| {
                let remedy = "CREDENTIALS_DIRECTORY is not set; start under systemd with LoadCredential=";
                refused(name, remedy.to_owned())
            })?;
            of_file(name, &Path::new(&folder).join(file))?
        }
        SecretRef::Vault { .. } => {
            let remedy = if cfg!(feature = "vault") {
                "no Vault server is configured; set VAULT_ADDR and VAULT_TOKEN, or name env:, file: or cred:"
            } else {
                "this program was built without Vault; build it with --features vault, or name env:, file: or cred:"
            };
            return Err(refused(name, remedy.to_owned()));
        }
    };
    not_empty(name, &text)
}

/// A secret, if there is one in the text.
pub(super) fn not_empty(name: &SecretRef, text: &str) -> Result<SecretString, SecretUnavailable> {
    match text.trim() {
        "" => Err(refused(name, "it is empty; put the secret there".to_owned())),
        secret => Ok(SecretString::from(secret.to_owned())),
    }
}

/// Trying again does not help.
pub(super) fn refused(name: &SecretRef, message: String) -> SecretUnavailable {
    SecretUnavailable { name: name.clone(), message, temporary: false }
}

fn of_file(name: &SecretRef, path: &Path) -> Result<String, SecretUnavailable> {
    let unreadable = |error: std::io::Error| {
        refused(name, format!("it cannot be read: {error}; check the path and the permissions"))
    };
    let file = File::open(path).map_err(unreadable)?;
    // Of the open file: the path may lead elsewhere by now.
    let facts = file.metadata().map_err(unreadable)?;
    if let Some(mode) = exposed(&facts) {
        let message = format!("it has mode {mode:o}, others can read it; run: chmod 600 {}", path.display());
        return Err(refused(name, message));
    }
    let mut text = String::new();
    let read = file.take(MAX_BYTES.saturating_add(1)).read_to_string(&mut text).map_err(unreadable)?;
    if u64::try_from(read).is_ok_and(|read| read <= MAX_BYTES) {
        return Ok(text);
    }
    Err(refused(name, format!("it has more than {MAX_BYTES} bytes, which no secret has; check the path")))
}

/// The permission bits, if group or others have any.
#[cfg(unix)]
fn exposed(facts: &Metadata) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    let mode = facts.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

/// Elsewhere there are no such bits.
#[cfg(not(unix))]
fn exposed(_facts: &Metadata) -> Option<u32> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[cfg(unix)]
    #[test]
    fn a_file_is_read_only_if_it_is_its_owners_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        std::fs::write(&path, " hunter2\n").unwrap();
        let name = SecretRef::File(path.clone());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let error = read(&name).unwrap_err().to_string();
        assert!(error.contains("chmod 600") && !error.contains("hunter2"), "{error}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let secret = read(&name).unwrap();
        assert_eq!(secret.expose_secret(), "hunter2");
        assert!(!format!("{secret:?}").contains("hunter2"));
        std::fs::write(&path, "\n").unwrap();
        assert!(read(&name).unwrap_err().message.contains("empty"));
        std::fs::write(&path, "x".repeat(70_000)).unwrap();
        assert!(read(&name).unwrap_err().message.contains("more than 65536 bytes"));
    }

    #[test]
    fn what_is_not_there_is_named_with_what_to_do() {
        for (name, remedy) in [
            ("env:MTS_NO_SUCH_SECRET", "export it"),
            ("file:/no/such/file", "check the path"),
            ("vault:brokers/alpaca#key", "or name env:"),
        ] {
            let error = read(&name.parse().unwrap()).unwrap_err();
            assert!(error.to_string().contains(name) && error.message.contains(remedy), "{error}");
            assert!(!error.temporary);
        }
    }
}
