//! What the episodes are like, whatever policy learns from them. Pure.

use crate::analyze::analysis::{
    Crossing, DataReport, Distribution, Lag, NormalizedReport, Outlier, OwnStatistics, Phase,
};
use crate::analyze::checks::normalized;
use crate::analyze::episodes::{Track, Tracks, state_of};
use crate::analyze::measures::{Moments, correlation, mean};
use sinew_models::processors::FeatureStatistics;

/// Bins of a histogram.
const BIN_COUNT: usize = 32;
/// A dimension rests where it changes by less than this part of its standard deviation from row to row.
const IDLE_PART: f64 = 0.01;
/// The shifts between action and state that are tried: a robot follows its command within a second.
const LAGS: std::ops::RangeInclusive<i64> = -5..=15;
/// A gripper moves where it changes by more than this part of its range from row to row.
const GRIPPER_PART: f64 = 0.05;
/// So many rows around a gripper's movement belong to it: a third of a second at 30 rows a second.
const GRIPPER_MARGIN: usize = 10;
/// An episode is odd from this many robust standard deviations on: one in a thousand of a few hundred normal ones.
const ODD_SCORE: f64 = 6.0;
/// Fewer episodes than this cannot tell what is usual.
const MIN_EPISODES: usize = 6;
/// Most odd episodes that are listed.
const OUTLIER_LIMIT: usize = 20;

/// Names of the stretches of an episode.
pub const PHASES: [&str; 4] = ["start", "middle", "end", "near gripper events"];
/// The place in [`PHASES`] that overlaps the thirds.
pub const NEAR_GRIPPER: usize = 3;

/// Names of action and state.
#[derive(Clone, Debug)]
pub struct Names<'a> {
    /// The action's.
    pub action: &'a [String],
    /// The state's.
    pub state: &'a [&'a str],
}

/// What state and action are normalised with.
#[derive(Clone, Copy, Debug)]
pub struct Rules<'a> {
    /// The state.
    pub state: &'a FeatureStatistics,
    /// The action.
    pub action: &'a FeatureStatistics,
    /// Whether they are a policy's.
    pub are_the_policys: bool,
}

/// What was found of the dataset before its numbers were looked at.
#[derive(Clone, Debug)]
pub struct Found {
    /// What `inspect` found wrong.
    pub faults: Vec<String>,
    /// The statistics that it keeps of itself.
    pub own_statistics: OwnStatistics,
}

/// Looks at every episode.
#[must_use]
pub fn report(tracks: &Tracks, names: &Names<'_>, rules: &Rules<'_>, fps: f64, found: Found) -> DataReport {
    let episodes = &tracks.tracks;
    let grippers = gripper_dimensions(names.action);
    let action: Vec<Distribution> = (0..names.action.len())
        .map(|dimension| {
            distribution(episodes.iter().map(|track| track.action[dimension].as_slice()).collect())
        })
        .collect();
    let state: Vec<Distribution> = (0..names.state.len())
        .map(|dimension| {
            distribution(episodes.iter().map(|track| track.state[dimension].as_slice()).collect())
        })
        .collect();
    let mut row_counts = [0; PHASES.len()];
    for track in episodes {
        let is_near = gripper_rows(track, &grippers, &action);
        for (row, is_near) in is_near.iter().enumerate() {
            row_counts[third(row, track.len())] += 1;
            row_counts[NEAR_GRIPPER] += usize::from(*is_near);
        }
    }
    let phases = PHASES.iter().zip(row_counts);
    let phases = phases.map(|(name, row_count)| Phase { name: (*name).to_owned(), row_count }).collect();
    let lags = if tracks.stride == 1 { lags(episodes, names) } else { Vec::new() };
    DataReport {
        episode_count: episodes.len(),
        row_count: episodes.iter().map(|track| track.id.length).sum(),
        normalized: NormalizedReport {
            is_the_policys: rules.are_the_policys,
            action_mode: rules.action.mode,
            state_mode: rules.state.mode,
            action: normalized(rules.action, &action),
            state: normalized(rules.state, &state),
        },
        crossings: crossings(episodes, names, usual_lag(&lags)),
        lags,
        duplicate_row_count: episodes.iter().map(duplicates).sum(),
        idle_row_count: episodes.iter().map(|track| idle_rows(track, &action)).sum(),
        phases,
        outliers: outliers(tracks, names.action, fps),
        faults: found.faults,
        own_statistics: found.own_statistics,
        action,
        state,
    }
}

/// The third of an episode that a row lies in: a place in [`PHASES`].
#[must_use]
pub fn third(row: usize, row_count: usize) -> usize {
    (3 * row / row_count.max(1)).min(2)
}

/// Dimensions that are grippers by their names.
#[must_use]
pub fn gripper_dimensions(names: &[String]) -> Vec<usize> {
    (0..names.len()).filter(|place| names[*place].contains("gripper")).collect()
}

/// Of each row, whether a gripper moves within the margin.
#[must_use]
pub fn gripper_rows(track: &Track, grippers: &[usize], action: &[Distribution]) -> Vec<bool> {
    let mut is_near = vec![false; track.len()];
    for gripper in grippers {
        let range = action[*gripper].max - action[*gripper].min;
        for (row, pair) in track.action[*gripper].windows(2).enumerate() {
            if range > 0.0 && f64::from((pair[1] - pair[0]).abs()) > GRIPPER_PART * range {
                let last = (row + 1 + GRIPPER_MARGIN).min(track.len() - 1);
                is_near[row.saturating_sub(GRIPPER_MARGIN)..=last].fill(true);
            }
        }
    }
    is_near
}

fn distribution(episodes: Vec<&[f32]>) -> Distribution {
    let values = || episodes.iter().flat_map(|values| values.iter().map(|value| f64::from(*value)));
    let Moments { mean, variance } = Moments::of(values());
    let std = variance.sqrt();
    let mut sorted: Vec<f64> = values().collect();
    sorted.sort_by(f64::total_cmp);
    let (min, max) = (sorted.first().copied().unwrap_or(0.0), sorted.last().copied().unwrap_or(0.0));
    let mut histogram = vec![0_u64; BIN_COUNT];
    for value in &sorted {
        let bin = if max > min { (value - min) / (max - min) * BIN_COUNT as f64 } else { 0.0 };
        histogram[(bin as usize).min(BIN_COUNT - 1)] += 1;
    }
    let (mut idle, mut steps) = (0_usize, 0_usize);
    for pair in episodes.iter().flat_map(|values| values.windows(2)) {
        idle += usize::from(is_idle(pair, std));
        steps += 1;
    }
    Distribution {
        mean,
        std,
        min,
        max,
        quantiles: [0.01, 0.1, 0.5, 0.9, 0.99].map(|share| quantile(&sorted, share)),
        idle_share: idle as f64 / steps.max(1) as f64,
        entropy: entropy(&histogram),
        histogram,
    }
}

fn is_idle(pair: &[f32], std: f64) -> bool {
    f64::from((pair[1] - pair[0]).abs()) <= IDLE_PART * std
}

/// Interpolated between the two values next to it, as numpy does.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    if sorted.is_empty() {
        return 0.0;
    }
    let place = share * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[place as usize], sorted[place.ceil() as usize]);
    below + (above - below) * place.fract()
}

fn entropy(histogram: &[u64]) -> f64 {
    let total: u64 = histogram.iter().sum();
    let shares = histogram.iter().filter(|count| **count > 0).map(|count| *count as f64 / total as f64);
    shares.map(|share| -share * share.ln()).sum::<f64>() / (histogram.len() as f64).ln()
}

fn duplicates(track: &Track) -> usize {
    let same =
        |row: &usize| track.action.iter().chain(&track.state).all(|values| values[*row] == values[*row - 1]);
    (1..track.len()).filter(same).count()
}

fn idle_rows(track: &Track, action: &[Distribution]) -> usize {
    let rests = |row: &usize| {
        let pairs = track.action.iter().map(|values| &values[*row - 1..=*row]);
        pairs.zip(action).all(|(pair, distribution)| is_idle(pair, distribution.std))
    };
    (1..track.len()).filter(rests).count()
}

/// Places of action and state of each joint that has both.
fn joints(names: &Names<'_>) -> Vec<(usize, usize)> {
    let actions = names.action.iter().enumerate();
    actions.filter_map(|(action, name)| Some((action, state_of(name, names.state)?))).collect()
}

/// The shift with the highest correlation between an action and its joint's state.
fn lags(episodes: &[Track], names: &Names<'_>) -> Vec<Lag> {
    let best = |(action, state): (usize, usize)| {
        let at = |rows: i64| Lag {
            action,
            state,
            rows,
            correlation: correlation(&shifted(episodes, action, state, rows)),
        };
        LAGS.map(at).max_by(|a, b| a.correlation.total_cmp(&b.correlation))
    };
    joints(names).into_iter().filter_map(best).filter(|lag| lag.correlation > 0.0).collect()
}

/// The median of the lags: a robot is as late with one joint as with another, whatever the names say. 0 of none.
fn usual_lag(lags: &[Lag]) -> i64 {
    let mut rows: Vec<i64> = lags.iter().map(|lag| lag.rows).collect();
    rows.sort_unstable();
    rows.get(rows.len() / 2).copied().unwrap_or(0)
}

/// Which joint's state each action goes with best besides its own, among joints that move.
fn crossings(episodes: &[Track], names: &Names<'_>, lag_rows: i64) -> Vec<Crossing> {
    let joints = joints(names);
    let with = |action: usize, state: usize| correlation(&shifted(episodes, action, state, lag_rows));
    let crossing = |&(action, own): &(usize, usize)| {
        let others = joints.iter().filter(|(_, other)| *other != own);
        let others = others.map(|(twin, other)| (*twin, *other, with(action, *other)));
        let (twin, other, other_correlation) = others.max_by(|a, b| a.2.total_cmp(&b.2))?;
        Some(Crossing {
            action,
            own,
            own_correlation: with(action, own),
            other,
            other_correlation,
            twins: correlation(&together(episodes, action, twin)),
        })
    };
    joints.iter().filter_map(crossing).collect()
}

/// Pairs of two actions in the same row.
fn together(episodes: &[Track], one: usize, other: usize) -> Vec<(f64, f64)> {
    let pairs = episodes.iter().flat_map(|track| track.action[one].iter().zip(&track.action[other]));
    pairs.map(|(one, other)| (f64::from(*one), f64::from(*other))).collect()
}

/// Pairs of (action at a row, state `rows` later).
fn shifted(episodes: &[Track], action: usize, state: usize, rows: i64) -> Vec<(f64, f64)> {
    let mut pairs = Vec::new();
    for track in episodes {
        for (row, commanded) in track.action[action].iter().enumerate() {
            let later = usize::try_from(row as i64 + rows).ok();
            if let Some(reached) = later.and_then(|later| track.state[state].get(later)) {
                pairs.push((f64::from(*commanded), f64::from(*reached)));
            }
        }
    }
    pairs
}

/// One thing that can be odd about an episode: its value, and the row to look at.
struct Trait {
    what: String,
    /// By episode.
    values: Vec<(f64, usize)>,
}

fn outliers(tracks: &Tracks, action_names: &[String], fps: f64) -> Vec<Outlier> {
    let episodes = &tracks.tracks;
    if episodes.len() < MIN_EPISODES {
        return Vec::new();
    }
    let mut traits = vec![Trait {
        what: "length in rows".to_owned(),
        values: episodes.iter().map(|t| (t.id.length as f64, 0)).collect(),
    }];
    for (dimension, name) in action_names.iter().enumerate() {
        let centre = mean(tracks.action(dimension));
        traits.push(Trait {
            what: format!("mean of `{name}`"),
            values: episodes.iter().map(|track| farthest(&track.action[dimension], centre)).collect(),
        });
        traits.push(Trait {
            what: format!("largest jump of `{name}`"),
            values: episodes.iter().map(|track| largest_jump(&track.action[dimension])).collect(),
        });
    }
    let mut found: Vec<Outlier> = traits.iter().flat_map(|odd| odd_ones(odd, tracks, fps)).collect();
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    found.truncate(OUTLIER_LIMIT);
    found
}

/// The mean, and the row that is farthest from `centre`.
fn farthest(values: &[f32], centre: f64) -> (f64, usize) {
    let distance = |row: &usize| (f64::from(values[*row]) - centre).abs();
    let row = (0..values.len()).max_by(|a, b| distance(a).total_cmp(&distance(b)));
    (mean(values.iter().map(|value| f64::from(*value))), row.unwrap_or(0))
}

/// The largest change from row to row, and the row it leads to.
fn largest_jump(values: &[f32]) -> (f64, usize) {
    let jumps =
        values.windows(2).enumerate().map(|(row, pair)| (f64::from((pair[1] - pair[0]).abs()), row + 1));
    jumps.max_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or((0.0, 0))
}

fn odd_ones(odd: &Trait, tracks: &Tracks, fps: f64) -> Vec<Outlier> {
    let median = |values: &mut Vec<f64>| {
        values.sort_by(f64::total_cmp);
        quantile(values, 0.5)
    };
    let centre = median(&mut odd.values.iter().map(|(value, _)| *value).collect());
    let spread = 1.4826 * median(&mut odd.values.iter().map(|(value, _)| (value - centre).abs()).collect());
    if spread <= f64::EPSILON * centre.abs() {
        return Vec::new();
    }
    let outlier = |(track, (value, row)): (&Track, &(f64, usize))| {
        let score = (value - centre).abs() / spread;
        (score > ODD_SCORE).then(|| Outlier {
            episode_index: track.id.episode_index,
            row: row * tracks.stride,
            time_s: (row * tracks.stride) as f64 / fps,
            link: None,
            reason: format!("{} is {value:.4}, usually {centre:.4} ± {spread:.4}", odd.what),
            score,
        })
    };
    tracks.tracks.iter().zip(&odd.values).filter_map(outlier).collect()
}
