//! H2: are statistics those of the data they are used for?

use super::normalization::{TINY_PART, centre_and_spread};
use super::recorded::Recorded;
use super::{Evidence, Rule, median};
use crate::analyze::analysis::{Check, Finding};
use crate::analyze::certainty::{EpisodeErrors, chance};
use crate::data::FeatureStatistics as Measured;
use sinew_models::contract::Mode;
use sinew_models::processors::FeatureStatistics;

const OWN: Rule = Rule {
    check: Check::OwnStatistics,
    number: "statistics that the dataset keeps of itself and that are not those of its rows",
    side: "above",
    threshold: 0.0,
    reason: "they are compared to a thousandth of the dimension's range or mean; LeRobot computes in float32 and is off \
             by up to four ten-thousandths",
};

const FOREIGN: Rule = Rule {
    check: Check::ForeignStatistics,
    number: "largest distance of the policy's statistics from the training episodes', in standard deviations or factors of e",
    side: "above",
    threshold: 1.0,
    reason: "statistics of the same kind of data differ by sampling alone, far less than one standard deviation (or a \
             factor of e in the spread); how far few episodes can be off by chance is taken from how much they differ \
             among themselves, and the threshold must be exceeded by more than that",
};
/// How often chance may exceed the threshold by as much, over all dimensions together.
const SIGNIFICANCE: f64 = 0.05;

/// Are the statistics that a dataset keeps of itself those of its rows?
pub(super) fn own_statistics(recorded: &Recorded<'_>) -> Vec<Finding> {
    let own = &recorded.data.own_statistics;
    if let Some(reason) = &own.not_compared {
        return vec![OWN.cannot_tell(None, reason.clone())];
    }
    let count = own.differences.len();
    let worst = own.differences.iter().max_by(|a, b| a.part.total_cmp(&b.part));
    let measure = match worst {
        None => "every mean, standard deviation, smallest and largest number is that of the rows".to_owned(),
        Some(worst) => format!(
            "the farthest off: {} of {} `{}` is {:.6}, the dataset says {:.6}",
            worst.statistic, worst.feature, worst.dimension, worst.ours, worst.theirs
        ),
    };
    let remedy = || {
        "What trains with the dataset's own statistics, as LeRobot does, is normalised wrongly: compute them anew \
         (`sinew-trainer stats --output`). Sinew's trainer always computes its own."
            .to_owned()
    };
    vec![OWN.finding(None, count as f64, count > 0, measure).with_remedy(remedy)]
}

/// One vector's statistics, the policy's beside the training episodes'.
struct Side<'a> {
    what: &'static str,
    rule: &'a FeatureStatistics,
    train: &'a Measured,
    errors: Option<&'a [EpisodeErrors]>,
    names: Vec<&'a str>,
    /// Below it training puts another spread in a dimension's place.
    std_floor: f64,
}

fn sides<'a>(evidence: &Evidence<'a>) -> [Side<'a>; 2] {
    let Recorded { action_rule, state_rule, action_names, state_names, .. } = evidence.recorded;
    let errors = evidence.certainty;
    [
        Side {
            what: "action",
            rule: action_rule,
            train: &evidence.train.action,
            errors: errors.map(|errors| errors.action.as_slice()),
            names: action_names.iter().map(String::as_str).collect(),
            std_floor: evidence.std_floor,
        },
        Side {
            what: "state",
            rule: state_rule,
            train: &evidence.train.state,
            errors: errors.map(|errors| errors.state.as_slice()),
            names: state_names.to_vec(),
            std_floor: evidence.std_floor,
        },
    ]
}

/// How far a dimension's statistics are off.
struct Distance {
    dimension: usize,
    /// The larger of a shift in standard deviations and a stretch in factors of e.
    value: f64,
    /// Its standard error; none of one episode.
    error: Option<f64>,
    words: String,
}

impl Side<'_> {
    /// What the training episodes' own statistics would give: centre and spread. Of a range it is not known whether
    /// its ends are the smallest and largest numbers or quantiles.
    fn own(&self, dimension: usize) -> Vec<(f64, f64)> {
        let train = self.train;
        let range = |low: &[f64], high: &[f64]| {
            (f64::midpoint(low[dimension], high[dimension]), (high[dimension] - low[dimension]) / 2.0)
        };
        match self.rule.mode {
            Mode::MeanStd | Mode::Identity => vec![(train.mean[dimension], train.std[dimension])],
            Mode::Range => {
                let [q01, q10, _, q90, q99] = &train.quantiles;
                vec![range(&train.min, &train.max), range(q01, q99), range(q10, q90)]
            }
        }
    }

    /// Absent for a dimension that hardly moves: it has no spread to compare, and training may have put another in its
    /// place. The ends of a range are as sure as mean and standard deviation.
    fn distance(&self, dimension: usize) -> Option<Distance> {
        let (centre, spread) = centre_and_spread(self.rule.mode, &self.rule.dimensions[dimension])?;
        let usual = median(self.train.std.clone());
        if self.train.std[dimension] <= (TINY_PART * usual).max(self.std_floor) || spread <= 0.0 {
            return None;
        }
        let errors = self.errors.map(|errors| errors[dimension]);
        let far = |(own_centre, own_spread): (f64, f64)| {
            let own_spread = own_spread.max(f64::MIN_POSITIVE);
            let shift = (centre - own_centre).abs() / own_spread;
            let stretch = (spread / own_spread).ln().abs();
            let (value, error) = if shift > stretch {
                (shift, errors.map(|errors| errors.mean / own_spread))
            } else {
                (stretch, errors.map(|errors| errors.ln_std))
            };
            let words = format!("{centre:.4} ± {spread:.4} against {own_centre:.4} ± {own_spread:.4}");
            Distance { dimension, value, error, words }
        };
        self.own(dimension).into_iter().map(far).min_by(|a, b| a.value.total_cmp(&b.value))
    }

    /// The probability that these episodes make a distance of the threshold look as large as this one.
    fn chance(&self, distance: &Distance, episode_count: usize) -> f64 {
        distance
            .error
            .map_or(1.0, |error| chance((distance.value - FOREIGN.threshold) / error, episode_count - 1))
    }
}

/// Are the policy's statistics those of other data?
pub(super) fn foreign_statistics(evidence: &Evidence<'_>) -> Vec<Finding> {
    let episode_count = evidence.train_episode_count;
    let mut findings = Vec::new();
    for side in sides(evidence) {
        if side.rule.mode == Mode::Identity {
            continue;
        }
        let distances: Vec<Distance> =
            (0..side.names.len()).filter_map(|dimension| side.distance(dimension)).collect();
        let farthest = distances.iter().max_by(|a, b| a.value.total_cmp(&b.value));
        let Some(farthest) = farthest else { continue };
        // So many looks for something far off, at centres and spreads of action and state, find more by chance than one
        // (Bonferroni).
        let limit = SIGNIFICANCE / (4 * distances.len()) as f64;
        let sure = distances.iter().filter(|distance| {
            distance.value > FOREIGN.threshold && side.chance(distance, episode_count) < limit
        });
        let sure = sure.max_by(|a, b| a.value.total_cmp(&b.value));
        let measure = |distance: &Distance| {
            let error = distance.error.map_or_else(String::new, |error| {
                format!("; standard error {error:.2}, from how {episode_count} training episodes differ")
            });
            format!(
                "largest distance of the policy's statistics from those of the training episodes, in standard \
                 deviations or factors of e: {} `{}`, {}{error}",
                side.what, side.names[distance.dimension], distance.words
            )
        };
        let remedy = || {
            "The policy's statistics are not those of these episodes. Train on with statistics of this dataset (the \
             trainer computes them by itself), or give the right ones: `export --stats`."
                .to_owned()
        };
        findings.push(match sure {
            Some(sure) => FOREIGN.finding(None, sure.value, true, measure(sure)).with_remedy(remedy),
            None if farthest.value <= FOREIGN.threshold => {
                FOREIGN.finding(None, farthest.value, false, measure(farthest))
            }
            None => {
                let reason = match episode_count {
                    1 => "one training episode does not say how much episodes differ".to_owned(),
                    _ => format!("{episode_count} training episodes that differ as these do can be that far off by chance"),
                };
                FOREIGN.cannot_tell(None, format!("{:.2}, but {reason}: {}", farthest.value, measure(farthest)))
            }
        });
    }
    if findings.is_empty() {
        findings.push(FOREIGN.cannot_tell(None, "nothing is normalised".to_owned()));
    }
    findings
}
