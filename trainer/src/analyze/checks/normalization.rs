//! H2: do the policy's statistics fit the numbers it is given?

use super::{Evidence, Rule, median};
use crate::analyze::analysis::{Check, Distribution, Finding};
use crate::data::FeatureStatistics as Measured;
use sinew_models::contract::{Mode, Statistics};
use sinew_models::processors::FeatureStatistics;

const FOREIGN: Rule = Rule {
    check: Check::ForeignStatistics,
    number: "largest distance of the policy's statistics from the training episodes', in standard deviations or factors of e",
    side: "above",
    threshold: 1.0,
    reason: "statistics of the same kind of data differ by sampling alone, far less than one standard deviation (or a \
             factor of e in the spread)",
};

const TINY: Rule = Rule {
    check: Check::TinySpread,
    number: "farthest number of a dimension with a spread near zero, in spreads",
    side: "above",
    threshold: 20.0,
    reason: "the training has no number beyond a few spreads, so what the policy makes of twenty is chance",
};
/// A spread is near zero if it is below this part of the vector's median spread.
const TINY_PART: f64 = 0.01;

const UNITS: Rule = Rule {
    check: Check::UnitMismatch,
    number: "ratio of the ranges of a joint as commanded and as reached",
    side: "above",
    threshold: 30.0,
    reason: "a joint's state and its command span the same range; degrees against radians are 57, millimetres against \
             metres 1000",
};

/// Centre and half width of what is mapped to about −1 … 1.
fn centre_and_spread(mode: Mode, statistics: &Statistics) -> Option<(f64, f64)> {
    match (mode, statistics.low, statistics.high) {
        (Mode::MeanStd, ..) => Some((statistics.mean, statistics.std)),
        (Mode::Range, Some(low), Some(high)) => Some((f64::midpoint(low, high), (high - low) / 2.0)),
        _ => None,
    }
}

/// One vector of the policy's, beside the data's.
struct Side<'a> {
    what: &'static str,
    rule: &'a FeatureStatistics,
    /// Of all episodes.
    data: &'a [Distribution],
    /// Of the training episodes.
    train: &'a Measured,
    names: Vec<&'a str>,
    /// Below it training puts another spread in a dimension's place.
    std_floor: f64,
}

fn sides<'a>(evidence: &Evidence<'a>) -> [Side<'a>; 2] {
    [
        Side {
            what: "action",
            rule: evidence.action_rule,
            data: &evidence.data.action,
            train: &evidence.train.action,
            names: evidence.action_names.iter().map(String::as_str).collect(),
            std_floor: evidence.std_floor,
        },
        Side {
            what: "state",
            rule: evidence.state_rule,
            data: &evidence.data.state,
            train: &evidence.train.state,
            names: evidence.state_names.to_vec(),
            std_floor: evidence.std_floor,
        },
    ]
}

impl Side<'_> {
    /// The action's place, for findings; the state's dimensions have none.
    fn place(&self, dimension: usize) -> Option<usize> {
        (self.what == "action").then_some(dimension)
    }

    fn usual_spread(&self) -> f64 {
        let spreads =
            self.rule.dimensions.iter().filter_map(|s| Some(centre_and_spread(self.rule.mode, s)?.1));
        median(spreads.collect())
    }

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

    /// How far the policy's statistics of a dimension are from the training episodes', in standard deviations or
    /// factors of e, with both in words. Absent for one that hardly moves: it has no spread to compare, and training
    /// may have put another in its place.
    fn distance(&self, dimension: usize) -> Option<(f64, String)> {
        let (centre, spread) = centre_and_spread(self.rule.mode, &self.rule.dimensions[dimension])?;
        let usual = median(self.train.std.clone());
        if self.train.std[dimension] <= (TINY_PART * usual).max(self.std_floor) || spread <= 0.0 {
            return None;
        }
        let far = |(own_centre, own_spread): (f64, f64)| {
            let shift = (centre - own_centre).abs() / own_spread.max(f64::MIN_POSITIVE);
            let stretch = (spread / own_spread.max(f64::MIN_POSITIVE)).ln().abs();
            let words = format!("{centre:.4} ± {spread:.4} against {own_centre:.4} ± {own_spread:.4}");
            (shift.max(stretch), words)
        };
        self.own(dimension).into_iter().map(far).min_by(|a, b| a.0.total_cmp(&b.0))
    }
}

/// Are the statistics those of other data?
pub(super) fn foreign_statistics(evidence: &Evidence<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for side in sides(evidence) {
        if side.rule.mode == Mode::Identity {
            continue;
        }
        let distances = (0..side.names.len()).filter_map(|place| Some((place, side.distance(place)?)));
        let worst = distances.max_by(|a, b| a.1.0.total_cmp(&b.1.0));
        let Some((place, (value, words))) = worst else { continue };
        let holds = value > FOREIGN.threshold;
        let measure = format!(
            "largest distance of the policy's statistics from those of the training episodes, in standard deviations \
             or factors of e: {} `{}`, {words}",
            side.what, side.names[place]
        );
        let remedy = || {
            "The policy's statistics are not those of these episodes. Train on with statistics of this dataset (the \
             trainer computes them by itself), or give the right ones: `export --stats`."
                .to_owned()
        };
        findings.push(FOREIGN.finding(None, value, holds, measure).with_remedy(remedy));
    }
    if findings.is_empty() {
        findings.push(FOREIGN.cannot_tell(None, "nothing is normalised".to_owned()));
    }
    findings
}

/// Is a dimension divided by a spread near zero, and are there numbers that it blows up?
pub(super) fn tiny_spread(evidence: &Evidence<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for side in sides(evidence) {
        let usual = side.usual_spread();
        for (dimension, (rule, data)) in side.rule.dimensions.iter().zip(side.data).enumerate() {
            let Some((centre, spread)) = centre_and_spread(side.rule.mode, rule) else { continue };
            if spread > TINY_PART * usual {
                continue;
            }
            let farthest = (data.max - centre).abs().max((data.min - centre).abs());
            let value = farthest / (spread + side.rule.eps);
            let name = side.names[dimension];
            let measure = format!(
                "farthest number of {} `{name}` in spreads ({farthest:.2e} off the centre, spread {spread:.2e})",
                side.what
            );
            let remedy = || {
                format!(
                    "`{name}` is divided by {spread:.1e}. Raise data.std_floor above it, so that it is centred and not \
                     scaled, and train again. An action that is only centred is predicted with noise of a few \
                     hundredths of its unit: leave it out of the {} if nothing has to be said of it.",
                    side.what
                )
            };
            let finding = TINY.finding(side.place(dimension), value, value > TINY.threshold, measure);
            findings.push(finding.with_remedy(remedy));
        }
    }
    if findings.is_empty() {
        findings.push(TINY.finding(None, 0.0, false, "dimensions with a spread near zero".to_owned()));
    }
    findings
}

/// Do state and action of one joint span different ranges?
pub(super) fn unit_mismatch(evidence: &Evidence<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (dimension, state) in evidence.state_of.iter().enumerate() {
        let Some(state) = state else { continue };
        let range = |data: &Distribution| data.quantiles[4] - data.quantiles[0];
        let (commanded, reached) =
            (range(&evidence.data.action[dimension]), range(&evidence.data.state[*state]));
        let usual = evidence.usual_std();
        // The range of what rests is noise.
        if commanded.max(reached) <= TINY_PART * usual || commanded.min(reached) <= f64::EPSILON {
            continue;
        }
        let ratio = (commanded / reached).max(reached / commanded);
        if ratio <= UNITS.threshold {
            continue;
        }
        let measure = format!(
            "ratio of the ranges of `{}` as commanded ({commanded:.4}) and as reached ({reached:.4})",
            evidence.name(dimension)
        );
        let remedy = || "Bring state and action to one unit before training.".to_owned();
        findings.push(UNITS.finding(Some(dimension), ratio, true, measure).with_remedy(remedy));
    }
    if findings.is_empty() {
        let pairs = evidence.state_of.iter().flatten().count();
        findings.push(UNITS.finding(
            None,
            1.0,
            false,
            format!("{pairs} joints have both a state and an action; none differs"),
        ));
    }
    findings
}
