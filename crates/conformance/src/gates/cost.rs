//! What an answer costs.

use super::Suite;
use super::answer::Answer;
use super::purity::Known;
use crate::Figure;
use std::hint::black_box;

/// GATE-14: passing allocates nothing. `None` without the means to count.
#[cfg(feature = "allocations")]
pub(super) fn allocations(suite: &Suite<'_>, known: &[Known<'_>]) -> Option<Vec<String>> {
    let gate = (suite.make)();
    let faults = passing(known).filter_map(|(question, _)| {
        // What a gate makes once, at its first question, is no cost of the others.
        drop(gate.ask(question));
        let counted = allocation_counter::measure(|| drop(black_box(gate.ask(black_box(question)))));
        let (count, bytes) = (counted.count_total, counted.bytes_total);
        (count > 0).then(|| format!("{}: {count} allocations, {bytes} bytes, to pass it", question.name))
    });
    Some(faults.collect())
}

#[cfg(not(feature = "allocations"))]
pub(super) fn allocations(_: &Suite<'_>, _: &[Known<'_>]) -> Option<Vec<String>> {
    None
}

pub(super) fn passing<'k, 'q>(known: &'k [Known<'q>]) -> impl Iterator<Item = &'k Known<'q>> {
    known.iter().filter(|(_, answer)| *answer == Answer::Passed)
}

/// How often each question is asked to measure it.
const ROUNDS: u32 = 20;

/// Nanoseconds an answer, in the middle and at the slowest question, each the average of some rounds.
#[expect(clippy::disallowed_methods, reason = "measuring is told in the report and decides nothing")]
pub(super) fn figures(suite: &Suite<'_>, known: &[Known<'_>]) -> Vec<Figure> {
    let gate = (suite.make)();
    let mut times: Vec<u128> = known
        .iter()
        .map(|(question, _)| {
            let began = std::time::Instant::now();
            for _ in 0..ROUNDS {
                drop(black_box(gate.ask(black_box(question))));
            }
            began.elapsed().as_nanos() / u128::from(ROUNDS)
        })
        .collect();
    times.sort_unstable();
    let figure = |name, nanos: Option<&u128>| {
        let value = f64::from(u32::try_from(*nanos?).unwrap_or(u32::MAX));
        Some(Figure { name, value, unit: "ns" })
    };
    let median = figure("median time of an answer", times.get(times.len() / 2));
    [median, figure("slowest answer", times.last())].into_iter().flatten().collect()
}
