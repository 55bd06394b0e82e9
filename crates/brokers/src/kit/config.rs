//! Settings.

/// A time that cannot be meant: the venue would be asked without a pause, or given up at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} is 0; write the milliseconds, 1 or more")]
pub struct ZeroTime {
    /// The setting.
    pub field: &'static str,
}

/// Checks times in milliseconds, by their settings.
///
/// # Errors
/// [`ZeroTime`] of the first that is nothing.
pub fn above_zero<const N: usize>(times: [(&'static str, u64); N]) -> Result<(), ZeroTime> {
    match times.into_iter().find(|(_, millis)| *millis == 0) {
        Some((field, _)) => Err(ZeroTime { field }),
        None => Ok(()),
    }
}
