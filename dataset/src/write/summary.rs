//! Statistics of one episode, as LeRobot 0.4 keeps them.

use std::collections::BTreeMap;

use crate::numbers::Numbers;

/// LeRobot's `DEFAULT_QUANTILES`.
pub(crate) const QUANTILES: [(&str, f64); 5] =
    [("q01", 0.01), ("q10", 0.10), ("q50", 0.50), ("q90", 0.90), ("q99", 0.99)];

/// All names, in the order in which LeRobot writes them.
pub(crate) const NAMES: [&str; 10] =
    ["min", "max", "mean", "std", "count", "q01", "q10", "q50", "q90", "q99"];

/// LeRobot's `num_quantile_bins`.
const BIN_COUNT: usize = 5000;
/// What the outermost bins reach beyond the values.
const BIN_MARGIN: f64 = 1e-10;

/// One feature's statistics by name, one number a dimension each.
pub(crate) type Summary = BTreeMap<String, Vec<f64>>;

/// Statistics of a column of `width` numbers a row.
pub(crate) fn of_numbers(numbers: &Numbers, width: usize) -> Summary {
    let values = numbers.to_f64();
    let row_count = values.len() / width;
    let dimensions = (0..width).map(|place| {
        let mut column: Vec<(f64, u64)> =
            values.iter().skip(place).step_by(width).map(|value| (*value, 1)).collect();
        column.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        Dimension::of(&column)
    });
    summary(&dimensions.collect::<Vec<_>>(), row_count)
}

/// Statistics of sampled pictures by colour, 0 to 1.
pub(crate) struct Pictures {
    /// Pixels of each value, by colour.
    counts: [[u64; 256]; 3],
    picture_count: usize,
}

impl Pictures {
    pub(crate) fn new() -> Self {
        Self { counts: [[0; 256]; 3], picture_count: 0 }
    }

    /// Adds a picture, shape `[height, width, 3]`, thinned as LeRobot's `auto_downsample_height_width` does.
    pub(crate) fn add(&mut self, rgb: &[u8], (width, height): (usize, usize)) {
        let longer = width.max(height);
        let every = if longer < 300 { 1 } else { longer / 150 };
        for row in rgb.chunks_exact(width * 3).step_by(every) {
            for pixel in row.chunks_exact(3).step_by(every) {
                for (counts, value) in self.counts.iter_mut().zip(pixel) {
                    counts[usize::from(*value)] += 1;
                }
            }
        }
        self.picture_count += 1;
    }

    pub(crate) fn finish(&self) -> Summary {
        let dimensions = self.counts.iter().map(|counts| {
            let levels = (0_u8..=255).zip(counts).filter(|(_, count)| **count > 0);
            let levels: Vec<(f64, u64)> = levels.map(|(value, count)| (f64::from(value), *count)).collect();
            Dimension::of(&levels).scaled(1.0 / 255.0)
        });
        summary(&dimensions.collect::<Vec<_>>(), self.picture_count)
    }
}

/// The rows whose pictures are sampled: LeRobot's `sample_indices`.
pub(crate) fn sampled_rows(row_count: usize) -> Vec<usize> {
    let wanted = ((row_count as f64).powf(0.75) as usize).min(10_000);
    let sample_count = wanted.max(row_count.min(100));
    if sample_count == 1 {
        return vec![0];
    }
    let step = (row_count - 1) as f64 / (sample_count - 1) as f64;
    (0..sample_count).map(|place| (place as f64 * step).round_ties_even() as usize).collect()
}

fn summary(dimensions: &[Dimension], count: usize) -> Summary {
    let named = |name: &str, of: &dyn Fn(&Dimension) -> f64| {
        (name.to_owned(), dimensions.iter().map(of).collect::<Vec<f64>>())
    };
    let quantiles =
        QUANTILES.iter().enumerate().map(|(place, (name, _))| named(name, &|d| d.quantiles[place]));
    [
        named("min", &|d| d.min),
        named("max", &|d| d.max),
        named("mean", &|d| d.mean),
        named("std", &|d| d.std),
        ("count".to_owned(), vec![count as f64]),
    ]
    .into_iter()
    .chain(quantiles)
    .collect()
}

/// Statistics of one dimension.
struct Dimension {
    min: f64,
    max: f64,
    mean: f64,
    std: f64,
    quantiles: [f64; 5],
}

impl Dimension {
    /// Of values with how often each occurs, ascending, at least one.
    fn of(levels: &[(f64, u64)]) -> Self {
        let count = levels.iter().map(|(_, count)| *count).sum::<u64>();
        let mean = |of: &dyn Fn(f64) -> f64| {
            levels.iter().map(|(value, count)| of(*value) * *count as f64).sum::<f64>() / count as f64
        };
        let (min, max) = (levels[0].0, levels[levels.len() - 1].0);
        let average = mean(&|value| value);
        // Rounding must not carry the mean of equal values past them.
        let average = average.clamp(min, max);
        let variance = mean(&|value| (value - average) * (value - average));
        let quantiles = if count < 2 { [average; 5] } else { quantiles(levels, count) };
        Self { min, max, mean: average, std: variance.sqrt(), quantiles }
    }

    fn scaled(self, factor: f64) -> Self {
        Self {
            min: self.min * factor,
            max: self.max * factor,
            mean: self.mean * factor,
            std: self.std * factor,
            quantiles: self.quantiles.map(|quantile| quantile * factor),
        }
    }
}

/// Quantiles from a histogram of equal bins, linear within a bin: LeRobot's `RunningQuantileStats`.
fn quantiles(levels: &[(f64, u64)], count: u64) -> [f64; 5] {
    let low = levels[0].0 - BIN_MARGIN;
    let high = levels[levels.len() - 1].0 + BIN_MARGIN;
    let step = (high - low) / BIN_COUNT as f64;
    let edge = |bin: usize| if bin == BIN_COUNT { high } else { low + bin as f64 * step };
    QUANTILES.map(|(_, fraction)| {
        let target = fraction * count as f64;
        let mut before = 0.0;
        let mut rest = levels.iter().peekable();
        for bin in 0..BIN_COUNT {
            let mut within = 0.0;
            while let Some((_, n)) = rest.next_if(|(value, _)| bin == BIN_COUNT - 1 || *value < edge(bin + 1))
            {
                within += *n as f64;
            }
            if before + within >= target {
                return match bin {
                    0 => edge(0),
                    _ => edge(bin) + (target - before) / within * (edge(bin + 1) - edge(bin)),
                };
            }
            before += within;
        }
        high
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `sample_indices` of LeRobot 0.4.4.
    #[test]
    fn pictures_are_sampled_where_lerobot_samples_them() {
        assert_eq!(sampled_rows(1), [0]);
        assert_eq!(sampled_rows(3), [0, 1, 2]);
        let of_150 = sampled_rows(150);
        assert_eq!((of_150.len(), &of_150[..6], of_150[99]), (100, &[0, 2, 3, 5, 6, 8][..], 149));
        assert_eq!(sampled_rows(1000).len(), 177);
    }

    fn assert_close(found: &Summary, name: &str, expected: &[f64]) {
        for (found, expected) in found[name].iter().zip(expected) {
            assert!((found - expected).abs() < 1e-8, "{name}: {found} {expected}");
        }
    }

    /// `get_feature_stats` of LeRobot 0.4.4, of `np.array([3, 1, 4, 1, 5, 9, 2, 6.5])`.
    #[test]
    fn statistics_of_numbers_are_lerobots() {
        let found = of_numbers(&Numbers::Float64(vec![3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.5]), 1);
        let expected = [1.0, 9.0, 3.9375, 2.627_231_19, 8.0, 1.0, 1.0, 3.0016, 8.99872, 8.999_872];
        NAMES.iter().zip(expected).for_each(|(name, expected)| assert_close(&found, name, &[expected]));
    }

    /// The same of two 6 x 4 pictures whose bytes go up by sevens; standard deviations are numpy's.
    #[test]
    fn statistics_of_pictures_are_lerobots() {
        let mut pictures = Pictures::new();
        for picture in 0..2 {
            let value = |pixel: usize, colour: usize| ((picture * 72 + colour * 24 + pixel) * 7 % 256) as u8;
            let rgb: Vec<u8> =
                (0..24).flat_map(|pixel| (0..3).map(move |colour| value(pixel, colour))).collect();
            pictures.add(&rgb, (6, 4));
        }
        let found = pictures.finish();
        assert_close(&found, "mean", &[0.341_830_065_359, 0.519_607_843_137, 0.613_725_490_196]);
        assert_close(&found, "std", &[0.223_660_283_517, 0.348_201_655_915, 0.190_667_161_365]);
        assert_close(&found, "count", &[2.0]);
        assert_close(&found, "q10", &[0.054_959_999_999_6, 0.062_901_960_784, 0.341_178_196_078]);
        assert_close(&found, "q50", &[0.325_599_999_999_9, 0.658_823_529_412, 0.611_869_803_922]);
        assert_close(&found, "q99", &[0.999_904, 0.988_141_176_471, 0.945_034_415_687]);
    }
}
