//! Polygon (also Massive). The folder begins with how it names instruments; its requests and streams come later.

pub mod symbols;

pub use symbols::SYMBOLS;
