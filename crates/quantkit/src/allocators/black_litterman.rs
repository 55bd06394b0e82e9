//! Black and Litterman: what the market expects, moved by views of one's own.
//!
//! π = δΣw_market; μ = π + τΣPᵀ(PτΣPᵀ + Ω)⁻¹(Q − Pπ); Σ of the returns = Σ + τΣ − τΣPᵀ(PτΣPᵀ + Ω)⁻¹PτΣ (He and Litterman 1999). Ω is
//! never inverted, so a view may be certain.

use super::quadratic::check_square;
use super::{Allocation, AllocationError, Certificate, Measure};
use crate::linalg::{Cholesky, product};
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis};
use serde::Deserialize;

/// What the expectation of a view is a return of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Returns {
    /// Above the risk-free rate, as π is.
    #[default]
    Excess,
    /// Before the risk-free rate of the period is subtracted: a view loses as much of it as its weights sum to.
    Total {
        /// The rate, per period.
        rate: f64,
    },
}

/// One view: the portfolio with these weights will earn `expected`. Weights that sum to 1 are an absolute view, to 0 a relative one.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct View {
    /// Places of the assets.
    pub assets: Vec<usize>,
    /// A weight for each.
    pub weights: Vec<f64>,
    /// What the portfolio earns, per period.
    pub expected: f64,
    /// From 0, which changes nothing, to 1, which is certain (Idzorek 2005, in the closed form of Walters: ω = τ (1 − c)/c · pΣpᵀ). None is
    /// He and Litterman's ω = τ · pΣpᵀ, which is a confidence of ½.
    #[serde(default)]
    pub confidence: Option<f64>,
}

/// Parameters of the model.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BlackLitterman {
    /// δ: the market's price of variance.
    pub risk_aversion: f64,
    /// How uncertain π is, as a part of Σ. With ω in proportion to it, μ does not depend on it; Σ does.
    pub tau: f64,
    /// What views are returns of.
    pub returns: Returns,
}

impl Default for BlackLitterman {
    fn default() -> Self {
        Self { risk_aversion: 2.5, tau: 0.05, returns: Returns::Excess }
    }
}

/// What is expected after the views.
#[derive(Debug, Clone, PartialEq)]
pub struct Posterior {
    /// π: what the market's weights say, above the risk-free rate, shape (A).
    pub prior: Array1<f64>,
    /// μ: expected returns above the risk-free rate, shape (A).
    pub expected: Array1<f64>,
    /// Covariance of returns, with the uncertainty of μ, shape (A, A).
    pub covariance: Array2<f64>,
    /// Ω, the diagonal, one number per view; ∞ for a view without confidence.
    pub uncertainty: Vec<f64>,
    /// (δΣ)⁻¹μ: what an investor of that risk aversion holds; the rest is cash. Shape (A).
    pub weights: Array1<f64>,
    /// The same, divided by their sum; none where the sum is 0 or less.
    pub normalised: Option<Array1<f64>>,
}

impl BlackLitterman {
    /// π = δΣw of the market's capitalisations, shape (A), which need not sum to 1.
    ///
    /// # Errors
    /// [`AllocationError::Input`] for shapes that differ, capitalisations below 0 or without a sum.
    pub fn prior(
        &self,
        covariance: ArrayView2<'_, f64>,
        capitalisations: ArrayView1<'_, f64>,
    ) -> Result<Array1<f64>, AllocationError> {
        check_square("covariance", covariance, capitalisations.len())?;
        let total = capitalisations.sum();
        if !total.is_normal() || capitalisations.iter().any(|value| *value < 0.0) {
            let problem = format!("their sum is {total}; none may be below 0 and one must be above");
            return Err(AllocationError::input("market capitalisations", problem));
        }
        if !self.risk_aversion.is_normal() || self.risk_aversion < 0.0 {
            let problem = format!("{}; it must be above 0", self.risk_aversion);
            return Err(AllocationError::input("risk_aversion", problem));
        }
        Ok(covariance.dot(&capitalisations) * (self.risk_aversion / total))
    }

    /// Moves the market's expectations by views.
    ///
    /// # Errors
    /// [`AllocationError::Input`]: as [`Self::prior`]; a view with lengths that differ, an unknown asset or a confidence outside of 0 to
    /// 1; certain views that contradict or repeat each other; a singular covariance.
    pub fn posterior(
        &self,
        covariance: ArrayView2<'_, f64>,
        capitalisations: ArrayView1<'_, f64>,
        views: &[View],
    ) -> Result<Posterior, AllocationError> {
        if !self.tau.is_normal() || self.tau < 0.0 {
            return Err(AllocationError::input("tau", format!("{}; it must be above 0", self.tau)));
        }
        let prior = self.prior(covariance, capitalisations)?;
        let count = prior.len();
        let mut uncertainty = Vec::with_capacity(views.len());
        let mut kept = Vec::new();
        for (number, view) in views.iter().enumerate() {
            let (row, expected) = self.row(number, view, count)?;
            let own = row.dot(&covariance.dot(&row)) * self.tau;
            let confidence = view.confidence.unwrap_or(0.5);
            if !(0.0..=1.0).contains(&confidence) {
                let problem = format!("that of view {number} is {confidence}; give 0 to 1");
                return Err(AllocationError::input("confidence", problem));
            }
            if confidence > 0.0 {
                let omega = own * ((1.0 - confidence) / confidence);
                uncertainty.push(omega);
                kept.push((row, expected, omega));
            } else {
                uncertainty.push(f64::INFINITY);
            }
        }
        let mut expected = prior.clone();
        let mut posterior = &covariance * (1.0 + self.tau);
        if !kept.is_empty() {
            let mut p = Array2::zeros((kept.len(), count));
            for (mut target, (row, ..)) in p.outer_iter_mut().zip(&kept) {
                target.assign(row);
            }
            // PτΣ, and PτΣPᵀ + Ω.
            let spread = product(p.view(), covariance) * self.tau;
            let mut middle = product(spread.view(), p.t());
            for (place, (.., omega)) in middle.diag_mut().iter_mut().zip(&kept) {
                *place += omega;
            }
            // A view that others imply leaves nothing but rounding of itself in the factor.
            let sizes = middle.diag().to_owned();
            let own = |factor: &Cholesky| {
                factor.lower().diag().iter().zip(&sizes).all(|(left, size)| left * left > 1e-12 * size)
            };
            let middle = Cholesky::of(middle.view()).filter(own).ok_or_else(|| {
                let problem = "certain views repeat or contradict each other; lower the confidence of one";
                AllocationError::input("views", problem)
            })?;
            let surprise: Array1<f64> =
                kept.iter().map(|(row, expected, _)| expected - row.dot(&prior)).collect();
            expected += &spread.t().dot(&middle.solve(surprise.view()));
            posterior -= &product(spread.t(), middle.solve_all(spread.view()).view());
            // Rounding leaves the two triangles a digit apart.
            posterior = (&posterior + &posterior.t()) * 0.5;
        }
        let cholesky = Cholesky::of(posterior.view())
            .ok_or_else(|| AllocationError::input("covariance", "it is singular; shrink it"))?;
        let weights = cholesky.solve(expected.view()) / self.risk_aversion;
        let total = weights.sum();
        let normalised = (total > 0.0 && total.is_normal()).then(|| &weights / total);
        Ok(Posterior { prior, expected, covariance: posterior, uncertainty, weights, normalised })
    }

    fn row(&self, number: usize, view: &View, count: usize) -> Result<(Array1<f64>, f64), AllocationError> {
        let refuse =
            |problem: String| Err(AllocationError::input("views", format!("view {number} {problem}")));
        if view.assets.len() != view.weights.len() || view.assets.is_empty() {
            let (assets, weights) = (view.assets.len(), view.weights.len());
            return refuse(format!("has {assets} assets and {weights} weights; give one weight for each"));
        }
        let mut row: Array1<f64> = Array1::zeros(count);
        for (asset, weight) in view.assets.iter().zip(&view.weights) {
            match row.get_mut(*asset) {
                Some(place) => *place += weight,
                None => return refuse(format!("has the asset {asset} of {count}")),
            }
        }
        let rate = match view.returns_rate(self.returns) {
            rate if rate.is_finite() => rate,
            rate => return refuse(format!("has the rate {rate}; give a finite one")),
        };
        let expected: f64 = view.expected - rate * row.sum();
        if !expected.is_finite()
            || row.iter().all(|weight| *weight == 0.0)
            || row.iter().any(|x| !x.is_finite())
        {
            return refuse("has no finite expectation or no weight".to_owned());
        }
        Ok((row, expected))
    }
}

impl View {
    fn returns_rate(&self, returns: Returns) -> f64 {
        match returns {
            Returns::Excess => 0.0,
            Returns::Total { rate } => rate,
        }
    }
}

/// Weights that sum to 1 from past returns, shape (T, A), the market's capitalisations and views, as the documents have it. The covariance
/// is the sample's (n − 1), per period of the returns; so are the views.
///
/// # Errors
/// As [`BlackLitterman::posterior`]; weights that sum to nothing.
pub fn black_litterman(
    returns: ArrayView2<'_, f64>,
    capitalisations: ArrayView1<'_, f64>,
    views: &[View],
    parameters: BlackLitterman,
) -> Result<Allocation, AllocationError> {
    let covariance = super::sample_covariance(returns)?;
    let posterior = parameters.posterior(covariance.view(), capitalisations, views)?;
    let weights = posterior.normalised.ok_or_else(|| {
        AllocationError::input(
            "views",
            "they leave no money in the market: the weights sum to 0 or less; soften them",
        )
    })?;
    let objective = weights.dot(&posterior.covariance.dot(&weights));
    let certificate = Certificate { measure: Measure::ClosedForm, residual: 0.0, objective, iterations: 0 };
    debug_assert_eq!(weights.len(), returns.len_of(Axis(1)));
    Ok(Allocation { weights, certificate })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    fn view(confidence: Option<f64>) -> View {
        View { assets: vec![0, 1], weights: vec![1.0, -1.0], expected: 0.05, confidence }
    }

    #[test]
    fn confidence_runs_from_nothing_to_certainty() {
        let covariance = array![[0.04, 0.01, 0.0], [0.01, 0.09, 0.02], [0.0, 0.02, 0.16]];
        let market = array![2.0, 1.0, 1.0];
        let model = BlackLitterman::default();
        let of = |views: &[View]| model.posterior(covariance.view(), market.view(), views).unwrap();
        let none = of(&[]);
        assert_eq!(of(&[view(Some(0.0))]).expected, none.prior);
        // Without views the market is held, less what the uncertainty of π takes.
        for (weight, wanted) in none.weights.iter().zip([0.5, 0.25, 0.25]) {
            assert!((weight - wanted / 1.05).abs() < 1e-12);
        }
        let certain = of(&[view(Some(1.0))]);
        assert!((certain.expected[0] - certain.expected[1] - 0.05).abs() < 1e-14);
        let half = of(&[view(Some(0.5))]);
        assert_eq!(half, of(&[view(None)]));
        let middle = (certain.expected - &none.expected) * 0.5 + &none.expected;
        assert!((half.expected - middle).iter().all(|off| off.abs() < 1e-14));
    }

    #[test]
    fn total_returns_lose_the_rate_and_wrong_views_are_told() {
        let covariance = array![[0.04, 0.01], [0.01, 0.09]];
        let market = array![1.0, 1.0];
        let one = |expected| View { assets: vec![0], weights: vec![1.0], expected, confidence: Some(0.7) };
        let total = BlackLitterman { returns: Returns::Total { rate: 0.02 }, ..BlackLitterman::default() };
        let excess = BlackLitterman::default();
        let left = total.posterior(covariance.view(), market.view(), &[one(0.07)]).unwrap();
        let right = excess.posterior(covariance.view(), market.view(), &[one(0.05)]).unwrap();
        assert!((left.expected - right.expected).iter().all(|off| off.abs() < 1e-15));
        let relative = total.posterior(covariance.view(), market.view(), &[view(None)]).unwrap();
        let same = excess.posterior(covariance.view(), market.view(), &[view(None)]).unwrap();
        assert_eq!(relative, same, "a relative view has no rate in it");
        for (views, words) in [
            (vec![view(Some(1.5))], "confidence: that of view 0 is 1.5"),
            (vec![View { assets: vec![7, 1], ..view(None) }], "view 0 has the asset 7 of 2"),
            (vec![View { assets: vec![1], ..view(None) }], "view 0 has 1 assets and 2 weights"),
            (vec![view(Some(1.0)), view(Some(1.0))], "repeat or contradict"),
        ] {
            let error = excess.posterior(covariance.view(), market.view(), &views).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }
}
