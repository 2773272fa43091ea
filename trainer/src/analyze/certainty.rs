//! How sure the statistics of a few episodes are. The rows of an episode are alike, so episodes are what counts. Pure.

use crate::analyze::episodes::{Track, Tracks};
use std::f64::consts::FRAC_2_PI;

/// By how much one dimension's statistics would differ with other episodes of the same kind: standard errors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EpisodeErrors {
    /// Of the mean, in the dimension's unit.
    pub mean: f64,
    /// Of the standard deviation's logarithm.
    pub ln_std: f64,
}

/// Of every dimension.
#[derive(Clone, Debug, PartialEq)]
pub struct Certainty {
    /// Of the action.
    pub action: Vec<EpisodeErrors>,
    /// Of the state.
    pub state: Vec<EpisodeErrors>,
}

impl Certainty {
    /// Of the first `episode_count` episodes; absent for less than two, which say nothing about how episodes differ.
    #[must_use]
    pub fn of(tracks: &Tracks, episode_count: usize) -> Option<Self> {
        let tracks = &tracks.tracks[..episode_count.min(tracks.tracks.len())];
        if tracks.len() < 2 {
            return None;
        }
        let errors = |columns: fn(&Track) -> &Vec<Vec<f32>>| -> Vec<EpisodeErrors> {
            (0..columns(&tracks[0]).len())
                .map(|dimension| {
                    jackknife(
                        &tracks.iter().map(|track| Sums::of(&columns(track)[dimension])).collect::<Vec<_>>(),
                    )
                })
                .collect()
        };
        Some(Self { action: errors(|track| &track.action), state: errors(|track| &track.state) })
    }
}

/// Rows, mean, and squared distances from it: of one episode, or of several.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Sums {
    fn of(values: &[f32]) -> Self {
        let count = values.len() as f64;
        let mean = values.iter().map(|value| f64::from(*value)).sum::<f64>() / count.max(1.0);
        let squares = values.iter().map(|value| (f64::from(*value) - mean).powi(2)).sum();
        Self { count, mean, squares }
    }

    /// Together with others (Chan, Golub and LeVeque, 1979).
    fn with(self, other: &Self) -> Self {
        let count = self.count + other.count;
        if count <= 0.0 {
            return self;
        }
        let apart = other.mean - self.mean;
        Self {
            count,
            mean: self.mean + apart * other.count / count,
            squares: self.squares + other.squares + apart * apart * self.count * other.count / count,
        }
    }

    fn ln_std(&self) -> f64 {
        0.5 * (self.squares / self.count.max(1.0)).max(f64::MIN_POSITIVE).ln()
    }
}

/// Leaves out one episode after another, and sees how far the statistics get from those of all (Efron and Tibshirani, An
/// Introduction to the Bootstrap, 1993, chapter 11). Around those of all and not around the mean of what is left, which
/// is the same for a mean: two episodes of one spread at two places would else be sure of it.
fn jackknife(episodes: &[Sums]) -> EpisodeErrors {
    let without: Vec<Sums> = (0..episodes.len())
        .map(|left_out| {
            let others = episodes.iter().enumerate().filter(|(place, _)| *place != left_out);
            others.fold(Sums::default(), |sums, (_, episode)| sums.with(episode))
        })
        .collect();
    let all = episodes.iter().fold(Sums::default(), |sums, episode| sums.with(episode));
    let error = |statistic: fn(&Sums) -> f64| {
        let count = without.len() as f64;
        let centre = statistic(&all);
        let squares: f64 = without.iter().map(|sums| (statistic(sums) - centre).powi(2)).sum();
        (squares * (count - 1.0) / count).sqrt()
    };
    EpisodeErrors { mean: error(|sums| sums.mean), ln_std: error(Sums::ln_std) }
}

/// The probability that Student's t with so many degrees of freedom is above `t`: the finite series for whole degrees
/// (Abramowitz and Stegun, Handbook of Mathematical Functions, 26.7.3 and 26.7.4).
#[must_use]
pub(crate) fn chance(t: f64, degrees: usize) -> f64 {
    if degrees == 0 || t.is_nan() {
        return 1.0;
    }
    let angle = (t / (degrees as f64).sqrt()).atan();
    let square = angle.cos().powi(2);
    // Terms of 1, cos², cos⁴ …, each from the one before.
    let is_odd = degrees % 2 == 1;
    let first = if is_odd { angle.cos() } else { 1.0 };
    let term_count = if is_odd { (degrees - 1) / 2 } else { degrees / 2 };
    let (mut term, mut sum) = (first, 0.0);
    for place in 1..=term_count {
        sum += term;
        let (above, below) = if is_odd { (2 * place, 2 * place + 1) } else { (2 * place - 1, 2 * place) };
        term *= square * above as f64 / below as f64;
    }
    let within = if is_odd { FRAC_2_PI * (angle + angle.sin() * sum) } else { angle.sin() * sum };
    (1.0 - within) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.t.sf`.
    #[test]
    fn chances_are_scipys() {
        for (t, degrees, expected) in [
            (1.0, 1, 0.25),
            (12.706_204_736_432_095, 1, 0.024_999_999_999_499_565),
            (2.0, 2, 0.091_751_709_536_136_98),
            (4.302_652_729_696_142, 2, 0.025_000_000_000_573_94),
            (3.0, 3, 0.028_834_442_811_218_65),
            (2.5, 18, 0.011_154_010_116_011_116),
            (-1.0, 5, 0.818_391_266_175_438_6),
            (0.0, 7, 0.5),
        ] {
            let found = chance(t, degrees);
            assert!((found - expected).abs() < 1e-12, "{t} {degrees}: {found} for {expected}");
        }
    }

    /// Of a mean over episodes of equal length the jackknife is the standard error of their means.
    #[test]
    fn a_means_error_is_the_usual_one() {
        let episodes = [[1.0, 3.0], [4.0, 6.0], [2.0, 10.0]].map(|values: [f32; 2]| Sums::of(&values));
        let found = jackknife(&episodes);
        // Means 2, 5, 6: standard deviation 2.0817, over √3.
        assert!((found.mean - 1.201_850_425).abs() < 1e-9, "{found:?}");
    }

    #[test]
    fn two_episodes_at_two_places_are_not_sure_of_their_spread() {
        let episodes = [[0.0, 1.0], [8.0, 9.0]].map(|values: [f32; 2]| Sums::of(&values));
        // Of all 4.03, of either alone 0.5.
        let found = jackknife(&episodes);
        assert!((found.ln_std - (4.031_128_874_f64 / 0.5).ln()).abs() < 1e-6, "{found:?}");
    }

    #[test]
    fn together_is_as_all_at_once() {
        let (a, b) = (Sums::of(&[1.0, 2.0, 5.0]), Sums::of(&[100.0, 101.0]));
        let (both, all) = (a.with(&b), Sums::of(&[1.0, 2.0, 5.0, 100.0, 101.0]));
        assert!((both.mean - all.mean).abs() < 1e-9 && (both.squares - all.squares).abs() < 1e-6);
    }
}
