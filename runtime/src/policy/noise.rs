//! The Gaussian noise that a chunk starts from.

/// SplitMix64 (Steele, Lea, Flood 2014): a 64-bit counter through a mixing function.
struct SplitMix64(u64);

const GOLDEN_GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN_GAMMA);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// In (0, 1]: never 0, whose logarithm the caller takes.
    fn uniform(&mut self) -> f64 {
        ((self.next() >> 11) + 1) as f64 / (1_u64 << 53) as f64
    }
}

/// Fills `noise` with standard normal numbers that depend on seed and sequence only, so that a logged chunk can be
/// computed again without the chunks before it. Box and Muller's transform.
pub fn fill_gaussian(seed: u64, sequence: u64, noise: &mut [f32]) {
    // Mixed twice: neighbouring sequences must not give shifted copies of one stream.
    let stream = SplitMix64(SplitMix64(seed).next() ^ sequence.wrapping_mul(GOLDEN_GAMMA)).next();
    let mut generator = SplitMix64(stream);
    for pair in noise.chunks_mut(2) {
        let radius = (-2.0 * generator.uniform().ln()).sqrt();
        let (sin, cos) = (std::f64::consts::TAU * generator.uniform()).sin_cos();
        for (out, factor) in pair.iter_mut().zip([cos, sin]) {
            *out = (radius * factor) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// First outputs for seed 1234567, published with the reference implementation.
    #[test]
    fn splitmix_gives_the_published_numbers() {
        let mut generator = SplitMix64(1_234_567);
        let expected = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!([generator.next(), generator.next(), generator.next()], expected);
    }

    #[test]
    fn noise_is_standard_normal_and_differs_by_chunk() {
        let mut noise = vec![0.0; 200_001];
        fill_gaussian(3, 5, &mut noise);
        let mean =
            |power: i32| noise.iter().map(|x| f64::from(*x).powi(power)).sum::<f64>() / noise.len() as f64;
        for (power, expected, tolerance) in [(1, 0.0, 0.01), (2, 1.0, 0.02), (3, 0.0, 0.05), (4, 3.0, 0.1)] {
            assert!((mean(power) - expected).abs() < tolerance, "moment {power} is {}", mean(power));
        }
        let within_one = noise.iter().filter(|x| x.abs() < 1.0).count() as f64 / noise.len() as f64;
        assert!((within_one - 0.6827).abs() < 0.01, "{within_one}");
        let (mut again, mut next) = (vec![0.0; 64], vec![0.0; 64]);
        fill_gaussian(3, 5, &mut again);
        fill_gaussian(3, 6, &mut next);
        assert_eq!(again, noise[..64]);
        assert!(next.iter().zip(&noise).all(|(a, b)| a != b));
    }
}
