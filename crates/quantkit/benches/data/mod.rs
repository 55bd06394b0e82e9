//! Returns of ten factors and what is each asset's own, as `../shared/bench/quant_bench.py` makes them: the same sizes and
//! scales, from another generator.

use ndarray::Array2;

/// Numbers of assets that are measured.
pub(crate) const SIZES: [usize; 5] = [50, 200, 500, 1000, 2000];

/// Rows.
const ROWS: usize = 1000;

/// SplitMix64 and the method of Box and Muller.
struct Noise(u64);

impl Noise {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let (length, angle) = (self.uniform().max(1e-300), self.uniform());
        (-2.0 * length.ln()).sqrt() * (std::f64::consts::TAU * angle).cos()
    }
}

/// Shape (1000, assets), seed 7.
pub(crate) fn returns(assets: usize) -> Array2<f64> {
    let mut noise = Noise(7);
    let loadings = Array2::from_shape_fn((10, assets), |(factor, _)| {
        if factor == 0 { 0.01 * (0.6 + 0.8 * noise.uniform()) } else { 0.004 * noise.normal() }
    });
    let factors = Array2::from_shape_fn((ROWS, 10), |_| noise.normal());
    let scales: Vec<f64> = (0..assets).map(|_| 0.008 + 0.015 * noise.uniform()).collect();
    let drifts: Vec<f64> = (0..assets).map(|_| 0.0006 * noise.normal()).collect();
    let mut out = factors.dot(&loadings);
    for mut row in out.outer_iter_mut() {
        for ((place, scale), drift) in row.iter_mut().zip(&scales).zip(&drifts) {
            *place += scale * noise.normal() + drift;
        }
    }
    out
}
