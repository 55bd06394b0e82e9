//! What is at its bound is guessed, the rest solved exactly, and whatever contradicts the guess changes sides (the primal-dual active
//! set of Hintermüller, Ito and Kunisch 2003). A few systems are enough, or the guesses cycle and another solver has to begin.

use super::{Program, Row, Solved, part, pick};
use crate::linalg::Cholesky;
use ndarray::{Array1, Array2};

/// Guesses before giving up.
const MAX_GUESSES: u32 = 60;

/// What still counts as at the bound, as a part of a weight of 1.
const NEAR: f64 = 1e-13;

/// Where a weight is, or a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Between its bounds.
    Free,
    /// At the lower one.
    Lower,
    /// At the upper one.
    Upper,
    /// Where it was before trading.
    Kept,
    /// Between, and more than it was.
    Bought,
    /// Between, and less than it was.
    Sold,
}

/// One guess solved.
struct Guess {
    weights: Array1<f64>,
    multipliers: Vec<f64>,
    gradient: Array1<f64>,
}

fn start(program: &Program<'_>, row: &Row, place: Option<Place>) -> Place {
    let _ = program;
    if row.minimum >= row.maximum { Place::Lower } else { place.unwrap_or(Place::Free) }
}

/// Solves for a guess: the weights of assets, then of rows, are where `places` says.
fn solve(program: &Program<'_>, places: &[Place]) -> Option<Guess> {
    let count = program.linear.len();
    let (assets, rows) = places.split_at_checked(count)?;
    let mut wanted = program.linear.clone();
    let mut weights = Array1::zeros(count);
    let mut free = Vec::new();
    for (asset, place) in assets.iter().enumerate() {
        let cost = |field: fn(&super::Costs) -> &Array1<f64>| {
            program.costs.as_ref().and_then(|costs| field(costs).get(asset)).copied()
        };
        let fixed = match place {
            Place::Lower => program.lower.get(asset).copied()?,
            Place::Upper => program.upper.get(asset).copied()?,
            Place::Kept => cost(|costs| &costs.from)?,
            Place::Free => {
                free.push(asset);
                continue;
            }
            Place::Bought | Place::Sold => {
                let rate = cost(|costs| &costs.rates)?;
                *wanted.get_mut(asset)? -= if *place == Place::Bought { rate } else { -rate };
                free.push(asset);
                continue;
            }
        };
        if !fixed.is_finite() {
            return None;
        }
        *weights.get_mut(asset)? = fixed;
    }
    let mut pull: Array1<f64> = Array1::zeros(count);
    for (row, weight) in program.quadratic.outer_iter().zip(&weights).filter(|(_, weight)| **weight != 0.0) {
        pull.scaled_add(*weight, &row);
    }
    let active: Vec<(usize, &Row, f64)> = rows
        .iter()
        .zip(&program.rows)
        .enumerate()
        .filter_map(|(number, (place, row))| match place {
            Place::Lower => Some((number, row, row.minimum)),
            Place::Upper => Some((number, row, row.maximum)),
            _ => None,
        })
        .collect();
    let mut multipliers = vec![0.0; program.rows.len()];
    if free.is_empty() {
        if !active.is_empty() {
            return None;
        }
    } else {
        let block = part(program.quadratic, &free);
        let cholesky = Cholesky::of(block.view())?;
        let right = pick((&wanted - &pull).view(), &free);
        // One system for all right sides: what is wanted, and the rows.
        let mut sides = Array2::zeros((free.len(), active.len() + 1));
        sides.column_mut(0).assign(&right);
        for (mut column, (_, row, _)) in sides.columns_mut().into_iter().skip(1).zip(&active) {
            column.assign(&pick(row.coefficients.view(), &free));
        }
        let answers = cholesky.solve_all(sides.view());
        let mut x = answers.column(0).to_owned();
        if !active.is_empty() {
            let slopes = sides.columns().into_iter().skip(1);
            let mut schur = Array2::zeros((active.len(), active.len()));
            for (mut target, side) in schur.outer_iter_mut().zip(slopes.clone()) {
                for (place, answer) in target.iter_mut().zip(answers.columns().into_iter().skip(1)) {
                    *place = side.dot(&answer);
                }
            }
            let missing: Array1<f64> = active
                .iter()
                .zip(slopes)
                .map(|((_, row, goal), side)| goal - row.coefficients.dot(&weights) - side.dot(&x))
                .collect();
            let size: Array1<f64> = schur.diag().mapv(f64::sqrt);
            if size.iter().any(|size| !size.is_normal()) {
                return None;
            }
            let scaled = Array2::from_shape_fn(schur.dim(), |(i, j)| {
                let value = |at: usize| size.get(at).copied().unwrap_or(1.0);
                schur.get((i, j)).copied().unwrap_or_default() / (value(i) * value(j))
            });
            let nu = Cholesky::of(scaled.view())?.solve((&missing / &size).view()) / &size;
            for (((number, ..), answer), nu) in
                active.iter().zip(answers.columns().into_iter().skip(1)).zip(&nu)
            {
                x.scaled_add(*nu, &answer);
                *multipliers.get_mut(*number)? = *nu;
            }
        }
        for (asset, x) in free.iter().zip(&x) {
            *weights.get_mut(*asset)? = *x;
        }
    }
    let mut gradient = program.quadratic.dot(&weights) - &wanted;
    for (row, multiplier) in program.rows.iter().zip(&multipliers) {
        gradient.scaled_add(-multiplier, &row.coefficients);
    }
    gradient.iter().chain(&weights).all(|value| value.is_finite()).then_some(Guess {
        weights,
        multipliers,
        gradient,
    })
}

/// Guesses until nothing contradicts; `None` where that cycles, or a guess has no solution.
pub(crate) fn pivot(program: &Program<'_>, warm: &[Place]) -> Option<Solved> {
    let count = program.linear.len();
    let mut places: Vec<Place> =
        (0..count).map(|asset| warm.get(asset).copied().unwrap_or(Place::Free)).collect();
    for (number, row) in program.rows.iter().enumerate() {
        places.push(start(program, row, warm.get(count + number).copied()));
    }
    for iterations in 1..=MAX_GUESSES {
        let guess = solve(program, &places)?;
        let scale =
            program.linear.iter().chain(&program.quadratic.diag()).fold(0.0_f64, |most, x| most.max(x.abs()));
        let mut changed = false;
        let bounds = program.lower.iter().zip(&program.upper);
        for (((place, weight), gradient), (lower, upper)) in
            places.iter_mut().zip(&guess.weights).zip(&guess.gradient).zip(bounds)
        {
            let next = match place {
                Place::Lower if *gradient < -NEAR * scale && lower < upper => Place::Free,
                Place::Upper if *gradient > NEAR * scale && lower < upper => Place::Free,
                Place::Free if *weight < lower - NEAR => Place::Lower,
                Place::Free if *weight > upper + NEAR => Place::Upper,
                _ => continue,
            };
            *place = next;
            changed = true;
        }
        for ((place, row), multiplier) in
            places.iter_mut().skip(count).zip(&program.rows).zip(&guess.multipliers)
        {
            if row.minimum >= row.maximum {
                continue;
            }
            let value = row.coefficients.dot(&guess.weights);
            let next = match place {
                Place::Lower if *multiplier < -NEAR * scale => Place::Free,
                Place::Upper if *multiplier > NEAR * scale => Place::Free,
                Place::Free if value < row.minimum - NEAR => Place::Lower,
                Place::Free if value > row.maximum + NEAR => Place::Upper,
                _ => continue,
            };
            *place = next;
            changed = true;
        }
        if !changed {
            return Some(finish(program, guess, places, iterations));
        }
    }
    None
}

/// Weights a rounding outside of their bounds are at them.
fn finish(program: &Program<'_>, mut guess: Guess, places: Vec<Place>, iterations: u32) -> Solved {
    let bounds = program.lower.iter().zip(&program.upper);
    for (weight, (lower, upper)) in guess.weights.iter_mut().zip(bounds) {
        *weight = weight.max(*lower).min(*upper);
    }
    Solved { weights: guess.weights, multipliers: guess.multipliers, iterations, places }
}

/// The exact answer near one of an interior point, where it is clear what is at its bound; `None` where it is not.
pub(crate) fn polish(program: &Program<'_>, near: &Solved) -> Option<Solved> {
    const CLOSE: f64 = 1e-6;
    let mut places = Vec::new();
    let bounds = program.lower.iter().zip(&program.upper);
    for (asset, (weight, (lower, upper))) in near.weights.iter().zip(bounds).enumerate() {
        let from = program.costs.as_ref().and_then(|costs| costs.from.get(asset)).copied();
        places.push(match from {
            _ if weight - lower < CLOSE => Place::Lower,
            _ if upper - weight < CLOSE => Place::Upper,
            Some(from) if (weight - from).abs() < CLOSE => Place::Kept,
            Some(from) if *weight > from => Place::Bought,
            Some(_) => Place::Sold,
            None => Place::Free,
        });
    }
    for row in &program.rows {
        let value = row.coefficients.dot(&near.weights);
        places.push(match row {
            row if row.minimum >= row.maximum || value - row.minimum < CLOSE => Place::Lower,
            row if row.maximum - value < CLOSE => Place::Upper,
            _ => Place::Free,
        });
    }
    if program.costs.is_none()
        && let Some(found) = pivot(program, &places)
    {
        return Some(Solved { iterations: found.iterations + near.iterations, ..found });
    }
    let guess = solve(program, &places)?;
    Some(finish(program, guess, places, near.iterations + 1))
}
