//! When to start the next inference, and what it has to go on from.

use super::{COMMITTED_STEPS, PlayClock};
use crate::clock::Moment;

/// When the next inference may start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// When everything is played, from an observation of the robot at rest.
    WhenDone,
    /// So many steps after the observation before, or earlier where the chunk would not last otherwise.
    After {
        /// Steps from one observation to the next; 0: as often as possible.
        steps: usize,
    },
}

/// The newest chunk that was taken in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct NewestChunk {
    pub(super) sequence: u64,
    pub(super) position: f64,
    pub(super) end: u64,
}

/// What inference has to know of the schedule: a copy, so that neither waits for the other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Brief {
    pub(super) clock: PlayClock,
    pub(super) newest: Option<NewestChunk>,
    pub(super) last_seen: Option<u64>,
    pub(super) delay_steps: usize,
    pub(super) chunk: usize,
    pub(super) pace: Pace,
}

/// How a new chunk lies over the one before.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Overlap {
    /// The number of the chunk before.
    pub sequence: u64,
    /// Where in it the new chunk's first row is, in rows.
    pub offset: f64,
    /// How many of the new chunk's rows will be over or committed when it arrives.
    pub committed_row_count: usize,
}

impl Brief {
    /// Whether to compute a chunk from an observation.
    #[must_use]
    pub fn may_start(&self, captured_at: Moment) -> bool {
        let Some(newest) = self.newest else { return true };
        let position = self.clock.position(captured_at);
        match self.pace {
            Pace::WhenDone => position >= newest.end as f64,
            Pace::After { steps } => {
                let latest = self.chunk.saturating_sub(self.delay_steps + COMMITTED_STEPS);
                // Cameras are not exact to a fraction of their period.
                (position - newest.position).round() >= steps.min(latest) as f64
            }
        }
    }

    /// How a chunk computed from an observation would lie over the newest, if that reaches so far.
    #[must_use]
    pub fn overlap(&self, captured_at: Moment) -> Option<Overlap> {
        let newest = self.newest?;
        let position = self.clock.position(captured_at);
        let is_left = position < newest.end as f64;
        is_left.then_some(Overlap {
            sequence: newest.sequence,
            offset: (position - newest.position).max(0.0),
            committed_row_count: self.delay_steps + COMMITTED_STEPS,
        })
    }

    /// The number of the newest chunk that arrived, taken in or not.
    #[must_use]
    pub fn last_seen(&self) -> Option<u64> {
        self.last_seen
    }

    /// How many steps a new chunk is expected to take from its observation to its arrival.
    #[must_use]
    pub fn delay_steps(&self) -> usize {
        self.delay_steps
    }
}

/// What the chunk before says for a new chunk's rows, from the new one's first on.
///
/// # Shapes
/// `normalized` is `[chunk, padded width]`; the result `[rows left, width]`.
#[must_use]
pub fn left_over(normalized: &[f32], padded_width: usize, width: usize, offset: f64) -> Vec<f32> {
    let rows: Vec<&[f32]> = normalized.chunks_exact(padded_width).map(|row| &row[..width]).collect();
    let mut values = Vec::new();
    let (first, rest) = (offset.floor() as usize, offset.fract() as f32);
    for index in first..rows.len() {
        let this = rows[index];
        match rows.get(index + 1) {
            Some(next) => values.extend(this.iter().zip(*next).map(|(a, b)| a + rest * (b - a))),
            None if rest == 0.0 => values.extend_from_slice(this),
            None => {}
        }
    }
    values
}
