//! Moments and other measures of spread.

/// Whether a moment is of the sample itself or an estimate of its population's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Bias {
    /// Of the sample (scipy's default).
    #[default]
    Biased,
    /// Corrected for the sample's size (pandas; Joanes & Gill 1998, G₁ and G₂).
    Unbiased,
}

/// Arithmetic mean; NaN of nothing.
#[must_use]
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Mean of (x − mean)^`power`.
#[must_use]
pub fn central_moment(values: &[f64], power: i32) -> f64 {
    let centre = mean(values);
    values.iter().map(|value| (value - centre).powi(power)).sum::<f64>() / values.len() as f64
}

/// Squared deviations over `n − ddof`; NaN where that is not positive.
#[must_use]
pub fn variance(values: &[f64], ddof: usize) -> f64 {
    if values.len() <= ddof {
        return f64::NAN;
    }
    let centre = mean(values);
    let squares: f64 = values.iter().map(|value| (value - centre) * (value - centre)).sum();
    squares / (values.len() - ddof) as f64
}

/// Root of [`variance`].
#[must_use]
pub fn standard_deviation(values: &[f64], ddof: usize) -> f64 {
    variance(values, ddof).sqrt()
}

/// Third moment over the cube of the deviation.
#[must_use]
pub fn skewness(values: &[f64], bias: Bias) -> f64 {
    let count = values.len() as f64;
    let biased = central_moment(values, 3) / variance(values, 0).powf(1.5);
    match bias {
        Bias::Biased => biased,
        Bias::Unbiased if count > 2.0 => biased * (count * (count - 1.0)).sqrt() / (count - 2.0),
        Bias::Unbiased => f64::NAN,
    }
}

/// Fourth moment over the squared variance, less 3.
#[must_use]
pub fn excess_kurtosis(values: &[f64], bias: Bias) -> f64 {
    let count = values.len() as f64;
    let biased = central_moment(values, 4) / variance(values, 0).powi(2) - 3.0;
    match bias {
        Bias::Biased => biased,
        Bias::Unbiased if count > 3.0 => {
            (count - 1.0) / ((count - 2.0) * (count - 3.0)) * ((count + 1.0) * biased + 6.0)
        }
        Bias::Unbiased => f64::NAN,
    }
}

/// Mean distance from the mean.
#[must_use]
pub fn mean_absolute_deviation(values: &[f64]) -> f64 {
    let centre = mean(values);
    values.iter().map(|value| (value - centre).abs()).sum::<f64>() / values.len() as f64
}

/// Mean of max(`threshold` − x, 0)^`power`.
#[must_use]
pub fn lower_partial_moment(values: &[f64], threshold: f64, power: i32) -> f64 {
    values.iter().map(|value| (threshold - value).max(0.0).powi(power)).sum::<f64>() / values.len() as f64
}

/// Root of the squared shortfalls below `threshold` over `n − ddof`.
#[must_use]
pub fn semi_deviation(values: &[f64], threshold: f64, ddof: usize) -> f64 {
    let count = values.len() as f64;
    (lower_partial_moment(values, threshold, 2) * count / (count - ddof as f64)).sqrt()
}

/// Mean distance between two different values, by order statistics in O(n log n).
#[must_use]
pub fn gini_mean_difference(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let count = sorted.len() as f64;
    let weighted: f64 =
        sorted.iter().enumerate().map(|(place, value)| (2.0 * place as f64 + 1.0 - count) * value).sum();
    2.0 * weighted / (count * (count - 1.0))
}
