//! What the loader of configurations is held to, for any bytes. The fuzz target of `fuzz/` runs this too.

#![allow(clippy::unwrap_used, unreachable_pub, missing_docs)]

use mts_cli::ExitKind;
use mts_cli::config::{RunConfig, parse};
use std::path::Path;

/// A checked configuration or a fault that says something; what is accepted means the same when it is read from the form in
/// which a journal keeps it.
pub fn check(bytes: &[u8]) {
    // The file is read as text; what is none is refused before.
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match parse(text, Path::new("some/run.toml")) {
        Ok(loaded) => {
            let kept = serde_json::to_string(&loaded.config).unwrap();
            let again: RunConfig = serde_json::from_str(&kept).unwrap();
            assert_eq!(serde_json::to_string(&again).unwrap(), kept);
        }
        Err(error) => {
            assert_eq!(error.kind, ExitKind::Config);
            let said = error.to_string();
            assert!(said.len() > "some/run.toml: ".len() && said.contains("run.toml"), "{said:?}");
        }
    }
}
