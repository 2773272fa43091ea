//! One episode: what is asked, and what came of it.

use super::rig::State;
use super::statistics::quantile;
use super::verdict::{Cause, Items, cause};
use crate::motion::JointAxis;
use crate::safety::LimitHits;
use crate::telemetry::{Percentiles, SeamReport};
use serde::Serialize;
use std::collections::BTreeMap;

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// The thing that has to end well.
    pub task: String,
    /// What the policy is told.
    pub words: String,
    /// Which scene.
    pub seed: u64,
    /// Seed of the policy's noise.
    pub noise_seed: u64,
}

/// A picture of an episode.
#[derive(Clone, Debug, PartialEq)]
pub struct Shot {
    /// When, seconds after the policy took over.
    pub at_s: f64,
    /// As the first camera sent it.
    pub jpeg: Vec<u8>,
}

/// What came of it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Episode {
    /// The thing that had to end well.
    pub task: String,
    /// Which scene.
    pub seed: u64,
    /// Whether it did, for long enough.
    pub success: bool,
    /// Why not.
    pub cause: Option<Cause>,
    /// How long the policy drove, seconds of the robot's time.
    pub seconds: f64,
    /// When the success began that lasted.
    pub seconds_to_success: Option<f64>,
    /// Every thing at the end.
    pub items: Items,
    /// How everything stood at the end, in the rig's own words: it can be put back to there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scene: Option<serde_json::Value>,
    /// How the robot moved.
    #[serde(flatten)]
    pub motion: MotionAccount,
    /// How long things took, where there was a clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timing: Option<Timing>,
    /// Pictures over time.
    #[serde(skip)]
    pub shots: Vec<Shot>,
}

impl Episode {
    /// Takes every thing's end down, and what it says of a failure that has no cause yet.
    pub(super) fn ended(&mut self, State { items, scene, .. }: State) {
        (self.items, self.scene) = (items, scene);
        if !self.success && self.cause.is_none() {
            self.cause = Some(cause(&self.task, &self.items));
        }
    }
}

/// How the robot moved.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct MotionAccount {
    /// Chunks that were played.
    pub chunk_count: usize,
    /// Of these, how many had joints beyond their limits of position.
    pub clamped_chunk_count: usize,
    /// Jumps between consecutive chunks.
    pub seams: Seams,
    /// Control ticks in which a limit kept a joint from what was wanted, by joint.
    pub limit_hits: BTreeMap<String, LimitHits>,
    /// How often the robot held, by reason.
    pub holds: BTreeMap<String, usize>,
}

impl MotionAccount {
    /// Takes over how often limits were hit, one entry a joint.
    pub fn hit(&mut self, axes: &[JointAxis], hits: &[LimitHits]) {
        let hit = axes.iter().zip(hits).filter(|(_, hits)| **hits != LimitHits::default());
        self.limit_hits = hit.map(|(axis, hits)| (axis.name.clone(), *hits)).collect();
    }

    /// Adds another's numbers to these.
    pub fn add(&mut self, other: &Self) {
        self.chunk_count += other.chunk_count;
        self.clamped_chunk_count += other.clamped_chunk_count;
        for (group, jumps) in &other.seams.jumps {
            self.seams.jumps.entry(group.clone()).or_default().extend(jumps);
        }
        for (joint, hits) in &other.limit_hits {
            let sum = self.limit_hits.entry(joint.clone()).or_default();
            sum.position += hits.position;
            sum.velocity += hits.velocity;
            sum.acceleration += hits.acceleration;
            sum.lead += hits.lead;
        }
        for (reason, count) in &other.holds {
            *self.holds.entry(reason.clone()).or_default() += count;
        }
    }
}

/// By how much each chunk contradicts the one before: what it offered, and what of that was left after merging.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seams {
    jumps: BTreeMap<String, Vec<[f64; 2]>>,
}

impl Seams {
    /// Takes one chunk's.
    pub fn add(&mut self, seam: &SeamReport) {
        for (group, offered, executed) in seam.jumps() {
            self.jumps.entry(group.to_owned()).or_default().push([offered, executed]);
        }
    }

    /// By group.
    #[must_use]
    pub fn summary(&self) -> BTreeMap<&str, SeamSummary> {
        let summary = |jumps: &Vec<[f64; 2]>| {
            let column = |index: usize| jumps.iter().map(|jump| jump[index]).collect::<Vec<f64>>();
            let at = |index, share| quantile(&column(index), share).unwrap_or(0.0);
            SeamSummary {
                largest_offered: at(0, 1.0),
                median_offered: at(0, 0.5),
                largest_executed: at(1, 1.0),
                median_executed: at(1, 0.5),
            }
        };
        self.jumps.iter().map(|(group, jumps)| (group.as_str(), summary(jumps))).collect()
    }
}

impl Serialize for Seams {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.summary().serialize(serializer)
    }
}

/// Jumps of a group's joints, in its unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct SeamSummary {
    /// The largest that a chunk offered.
    pub largest_offered: f64,
    /// The median of what chunks offered.
    pub median_offered: f64,
    /// The largest that was left after merging.
    pub largest_executed: f64,
    /// The median of what was left.
    pub median_executed: f64,
}

/// How long things took, where there was a clock.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Timing {
    /// From an observation to its chunk's publication.
    pub observation_to_publish: Percentiles,
    /// How long the robot stood for want of chunks.
    pub idle_ms: f64,
    /// What became of chunks.
    pub chunk_ends: BTreeMap<&'static str, u64>,
    /// Control ticks that were late or left out.
    pub late_tick_count: u64,
}

/// Keeps so many shots, spread over time, the first and the last among them.
#[must_use]
pub fn thin(shots: Vec<Shot>, count: usize) -> Vec<Shot> {
    let last = shots.len().saturating_sub(1);
    if shots.len() <= count || count < 2 {
        return shots;
    }
    let kept: Vec<usize> = (0..count).map(|index| (index * last + (count - 1) / 2) / (count - 1)).collect();
    shots.into_iter().enumerate().filter(|(index, _)| kept.contains(index)).map(|(_, shot)| shot).collect()
}
