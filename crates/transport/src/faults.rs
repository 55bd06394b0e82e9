//! Reasons that one layer tells another, as the source of an error.

/// An answer that was left because of its length. Asking again would not make it shorter.
#[derive(Debug, thiserror::Error)]
#[error("longer than {0} bytes")]
#[cfg_attr(not(feature = "http"), allow(dead_code, reason = "the client says it, layers ask for it"))]
pub(crate) struct TooLong(pub(crate) usize);

/// A request that was kept back by a layer, for a reason that asking again at once does not change.
#[cfg(feature = "layers")]
#[derive(Debug, thiserror::Error)]
#[error("kept back")]
pub(crate) struct KeptBack;
