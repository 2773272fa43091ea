//! What an onlooker makes of the messages on the network. Pure.

use crate::clock::ms;
use crate::error::Error;
use serde::Serialize;
use sinew_proto::msg::sinew_msgs::ActionChunk;
use sinew_proto::msg::trajectory_msgs::{JointTrajectory, JointTrajectoryPoint};
use sinew_proto::{Message, Stamp};
use std::collections::{BTreeMap, VecDeque};

/// Chunks remembered, so that their trajectories can be told their number.
const REMEMBERED: usize = 16;

/// One message seen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sighting {
    /// `chunk` for an `ActionChunk`, else the group of the trajectory.
    pub group: String,
    /// The chunk's number; none for a trajectory whose chunk was not seen.
    pub sequence: Option<u64>,
    /// When the observation was made.
    pub captured_at_ns: i64,
    /// From the observation to publication, as far as it is known.
    pub latency_ms: Option<f64>,
    /// From the observation until it was seen.
    pub age_ms: f64,
    /// Steps.
    pub step_count: usize,
    /// Names of the numbers.
    pub names: Vec<String>,
    /// The first step: positions, of a base velocities.
    pub first: Vec<f64>,
    /// The last step.
    pub last: Vec<f64>,
}

/// Keeps count of chunks.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// Stamp, number and latency of the newest chunks.
    recent: VecDeque<(Stamp, u64, f64)>,
    /// The number expected next.
    next: Option<u64>,
    /// Chunks seen.
    pub chunk_count: u64,
    /// Chunks whose numbers were skipped.
    pub lost_chunk_count: u64,
    /// Trajectories seen, by group.
    pub trajectory_counts: BTreeMap<String, u64>,
}

impl Ledger {
    /// Takes in an `ActionChunk`.
    ///
    /// # Errors
    /// If it is damaged or contradicts itself.
    pub fn chunk(&mut self, message: &[u8], now: Stamp) -> Result<Sighting, Error> {
        let chunk = ActionChunk::from_cdr(message)?;
        chunk.validate()?;
        let captured_at = Stamp::try_from(chunk.header.stamp)?;
        let latency_ms = ms(Stamp::try_from(chunk.published_at)?.ns_since(captured_at));
        self.chunk_count += 1;
        // A number lower than the last means that the runtime started anew.
        self.lost_chunk_count += self.next.map_or(0, |next| chunk.sequence.saturating_sub(next));
        self.next = Some(chunk.sequence + 1);
        if self.recent.len() == REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back((captured_at, chunk.sequence, latency_ms));
        let step = |index: u32| {
            let values = chunk.step(index as usize).unwrap_or_default();
            values.iter().map(|value| f64::from(*value)).collect()
        };
        Ok(Sighting {
            group: "chunk".to_owned(),
            sequence: Some(chunk.sequence),
            captured_at_ns: captured_at.ns(),
            latency_ms: Some(latency_ms),
            age_ms: ms(now.ns_since(captured_at)),
            step_count: chunk.step_count as usize,
            first: step(0),
            last: step(chunk.step_count - 1),
            names: chunk.names,
        })
    }

    /// Takes in a group's trajectory and returns it with what is to be said of it.
    ///
    /// # Errors
    /// If it is damaged.
    pub fn trajectory(
        &mut self,
        group: &str,
        message: &[u8],
        now: Stamp,
    ) -> Result<(Sighting, JointTrajectory), Error> {
        let trajectory = JointTrajectory::from_cdr(message)?;
        let captured_at = Stamp::try_from(trajectory.header.stamp)?;
        let chunk = self.recent.iter().find(|(stamp, ..)| *stamp == captured_at);
        *self.trajectory_counts.entry(group.to_owned()).or_default() += 1;
        let sighting = Sighting {
            group: group.to_owned(),
            sequence: chunk.map(|(_, sequence, _)| *sequence),
            captured_at_ns: captured_at.ns(),
            latency_ms: chunk.map(|(.., latency_ms)| *latency_ms),
            age_ms: ms(now.ns_since(captured_at)),
            step_count: trajectory.points.len(),
            names: trajectory.joint_names.clone(),
            first: trajectory.points.first().map(numbers).unwrap_or_default(),
            last: trajectory.points.last().map(numbers).unwrap_or_default(),
        };
        Ok((sighting, trajectory))
    }
}

/// What a point commands.
pub(crate) fn numbers(point: &JointTrajectoryPoint) -> Vec<f64> {
    if point.positions.is_empty() { point.velocities.clone() } else { point.positions.clone() }
}

impl std::fmt::Display for Sighting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sequence = self.sequence.map_or_else(|| "?".to_owned(), |sequence| sequence.to_string());
        let latency = self.latency_ms.map_or_else(|| "?".to_owned(), |latency| format!("{latency:.1}"));
        let list = |numbers: &[f64]| {
            numbers.iter().map(|number| format!("{number:.3}")).collect::<Vec<_>>().join(" ")
        };
        write!(
            f,
            "{:<14} seq {sequence:>5}  latency {latency:>8} ms  age {:>8.1} ms  {} steps  first [{}]  last [{}]",
            self.group,
            self.age_ms,
            self.step_count,
            list(&self.first),
            list(&self.last)
        )
    }
}
