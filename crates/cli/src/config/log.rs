//! Section `[log]`; like `[alerts]` no part of what a journal belongs to.

use crate::log::{LogFormat, LogLevel};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Section `[log]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct LogSection {
    /// The file, relative to the working folder; `None` = no file.
    pub file: Option<PathBuf>,
    /// What it gets.
    pub level: LogLevel,
    /// How its lines look.
    pub format: LogFormat,
    /// Size at which it is put aside, in bytes.
    #[schemars(range(min = 4096))]
    pub max_bytes: u64,
    /// Files put aside that are kept.
    #[schemars(range(max = 1000))]
    pub keep: u32,
}

impl Default for LogSection {
    fn default() -> Self {
        let (level, format) = (LogLevel::default(), LogFormat::default());
        Self { file: None, level, format, max_bytes: 10 << 20, keep: 5 }
    }
}

impl LogSection {
    /// What the types cannot say.
    pub(super) fn check(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.max_bytes < 4096 {
            faults.push(format!("log.max_bytes is {}; it must be at least 4096", self.max_bytes));
        }
        if self.keep > 1000 {
            faults.push(format!("log.keep is {}; it must be at most 1000", self.keep));
        }
        faults
    }
}
