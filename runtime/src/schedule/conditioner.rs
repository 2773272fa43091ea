//! What a new chunk goes on from: the chunk being played, as the network said it.

use super::{Brief, left_over};
use crate::clock::Moment;
use sinew_models::Error;
use sinew_models::flow::{CleanPrefix, Conditioning, Guidance, GuidanceOptions, PrefixSchedule};
use std::collections::VecDeque;

/// Chunks that are remembered: the one being played, and those on their way or dropped since.
const REMEMBERED: usize = 8;

/// How chunks are made to go on from each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Continuation {
    /// Not at all.
    None,
    /// By guidance, in full for the committed steps. A horizon that does not reach beyond them would leave the seam to
    /// chance, so it is counted from there.
    Guided {
        /// How the pull fades.
        schedule: PrefixSchedule,
        /// The strongest pull.
        max_weight: f32,
        /// Steps behind the committed ones over which it fades.
        fade_steps: usize,
    },
    /// With a clean prefix of at most so many steps, as the policy was trained.
    Clean {
        /// Most steps.
        max_steps: usize,
    },
}

/// Remembers chunks in the network's own terms.
#[derive(Clone, Debug)]
pub struct Conditioner {
    continuation: Continuation,
    action_dim: usize,
    chunk: usize,
    width: usize,
    remembered: VecDeque<(u64, Vec<f32>)>,
}

impl Conditioner {
    /// For chunks `[chunk, width]` of which `action_dim` columns are real.
    #[must_use]
    pub fn new(continuation: Continuation, action_dim: usize, (chunk, width): (usize, usize)) -> Self {
        Self { continuation, action_dim, chunk, width, remembered: VecDeque::with_capacity(REMEMBERED) }
    }

    /// Remembers a chunk.
    ///
    /// # Shapes
    /// `normalized` is `[chunk, width]`.
    pub fn remember(&mut self, sequence: u64, normalized: Vec<f32>) {
        if self.continuation == Continuation::None {
            return;
        }
        if self.remembered.len() == REMEMBERED {
            self.remembered.pop_front();
        }
        self.remembered.push_back((sequence, normalized));
    }

    /// What a chunk computed from an observation has to go on from.
    ///
    /// # Errors
    /// If what is remembered is no chunk.
    pub fn condition(&self, brief: &Brief, captured_at: Moment) -> Result<Conditioning, Error> {
        let Some(overlap) = brief.overlap(captured_at) else { return Ok(Conditioning::Free) };
        let before = self.remembered.iter().find(|(sequence, _)| *sequence == overlap.sequence);
        let Some((_, before)) = before else { return Ok(Conditioning::Free) };
        let rest = left_over(before, self.width, self.action_dim, overlap.offset);
        if rest.is_empty() {
            return Ok(Conditioning::Free);
        }
        let (committed, shape) = (overlap.committed_row_count, (self.chunk, self.width));
        match self.continuation {
            Continuation::None => Ok(Conditioning::Free),
            Continuation::Guided { schedule, max_weight, fade_steps } => {
                let execution_horizon = committed + fade_steps;
                let options = GuidanceOptions { schedule, max_weight, execution_horizon };
                Guidance::new(&options, &rest, self.action_dim, committed, shape).map(Conditioning::Guided)
            }
            Continuation::Clean { max_steps } => {
                let count = committed.min(max_steps).min(rest.len() / self.action_dim);
                if count == 0 {
                    return Ok(Conditioning::Free);
                }
                CleanPrefix::new(&rest[..count * self.action_dim], self.action_dim, shape)
                    .map(Conditioning::Clean)
            }
        }
    }
}
