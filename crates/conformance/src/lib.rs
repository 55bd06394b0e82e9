#![doc = include_str!("../README.md")]
//!
//! One module a trait: [`gates`] and [`broker`]. They share [`Report`].

pub mod broker;
pub mod gates;
mod report;

pub use report::{Case, CaseReport, Figure, Outcome, Report};
