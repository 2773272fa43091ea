//! The exponential function, vectorisable.

/// Below it the result is not a normal number and counts as 0; above its opposite the result stays where it is.
const LIMIT: f32 = 87.0;

/// Adding it rounds to the nearest integer, which then stands in the lowest bits: the spacing of float32 there is 1.
const ROUNDER: f32 = 12_582_912.0;

/// ln 2 in two parts; the product of the first with any exponent is exact.
const LN_2: [f32; 2] = [355.0 / 512.0, -2.121_944_4e-4];

/// eˣ to a relative error of 3e-7: 2ⁿ eʳ with n the nearest integer of x / ln 2, and the Taylor polynomial of degree 7
/// for |r| ≤ ½ ln 2, where its error is below 6e-9.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    let bounded = x.clamp(-LIMIT, LIMIT);
    let rounded = bounded.mul_add(std::f32::consts::LOG2_E, ROUNDER);
    let n = rounded - ROUNDER;
    let r = n.mul_add(-LN_2[1], n.mul_add(-LN_2[0], bounded));
    let mut polynomial = 1.0 / 5040.0;
    for coefficient in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        polynomial = r.mul_add(polynomial, coefficient);
    }
    let power = f32::from_bits(rounded.to_bits().wrapping_add(127) << 23);
    if x < -LIMIT { 0.0 } else { polynomial * power }
}

#[cfg(test)]
mod tests {
    use super::exp;

    #[test]
    fn is_the_exponential_function() {
        let mut x = -86.9_f32;
        while x < 86.9 {
            let expected = f64::from(x).exp();
            let error = (f64::from(exp(x)) - expected).abs() / expected;
            assert!(error < 3e-7, "exp({x}) is off by {error:e}");
            x += 0.000_97;
        }
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(f32::MIN), 0.0);
        assert_eq!(exp(-100.0), 0.0);
        assert!(exp(f32::MAX).is_finite());
        assert!(exp(f32::NAN).is_nan());
    }
}
