#![doc = include_str!("../README.md")]
//!
//! One module a trait: [`gates`] so far; the suite of brokers comes with the adapters. They share [`Report`].

pub mod gates;
mod report;

pub use report::{Case, CaseReport, Figure, Outcome, Report};
