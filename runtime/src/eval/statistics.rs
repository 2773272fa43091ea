//! What a handful of numbers says. Pure.

/// Standard normal deviate of a two-sided interval of 95 %.
const Z_95: f64 = 1.959_963_984_540_054;

/// The 95 % confidence interval of a success rate (Wilson 1927): unlike the usual one it is of use with few trials, and
/// where all of them or none succeeded.
#[must_use]
pub fn wilson_95(success_count: usize, trial_count: usize) -> [f64; 2] {
    if trial_count == 0 {
        return [0.0, 1.0];
    }
    let (n, z2) = (trial_count as f64, Z_95 * Z_95);
    let rate = success_count as f64 / n;
    let middle = rate + z2 / (2.0 * n);
    let half = Z_95 * (rate * (1.0 - rate) / n + z2 / (4.0 * n * n)).sqrt();
    let scale = 1.0 + z2 / n;
    // Rounding must not leave the range.
    [((middle - half) / scale).max(0.0), ((middle + half) / scale).min(1.0)]
}

/// A quantile of numbers in any order, interpolated linearly between neighbours; none of no numbers.
#[must_use]
pub fn quantile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    let place = share.clamp(0.0, 1.0) * last as f64;
    let below = sorted[place.floor() as usize];
    Some(below + place.fract() * (sorted[place.ceil() as usize] - below))
}
