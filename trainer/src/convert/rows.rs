//! What was gathered from a log, as an episode's rows. Pure.

use super::gather::{Gathered, Seen};
use super::grid::{Grid, Hole};
use super::plan::{ActionDimension, Plan};
use crate::Error;
use sinew_models::embodiment::GroupKind;
use sinew_proto::Stamp;
use std::collections::BTreeSet;
use std::path::Path;

/// What one episode brings to a dataset.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rows {
    /// One a row.
    pub(super) tasks: Vec<String>,
    /// `[row_count, state_dim]`
    pub(super) state: Vec<f32>,
    /// `[row_count, action_dim]`
    pub(super) action: Vec<f32>,
    /// A camera's pictures, one a row, as places in the log.
    pub(super) pictures: Vec<Vec<u64>>,
    pub(super) remarks: Remarks,
}

/// What to know of an episode besides its rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Remarks {
    /// Seconds between the log's beginning and the first row.
    pub before_s: f64,
    /// Seconds between the last row and the log's end.
    pub behind_s: f64,
    /// Groups that nobody commanded: their action is their posture, or zero for a base.
    pub uncommanded: Vec<String>,
    /// Groups whose first command came after the first row, and how many rows have their posture instead.
    pub commanded_late: Vec<(String, usize)>,
    /// Messages that a policy would not have been shown either: input, what was wrong, how many.
    pub faults: Vec<(String, String, u64)>,
}

/// How a log becomes rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule<'a> {
    pub(super) path: &'a Path,
    pub(super) started_at: Stamp,
    pub(super) fps: u32,
    /// Farthest that an observation may be from its row.
    pub(super) max_gap_ns: i64,
    /// The task where the log does not say.
    pub(super) instruction: Option<&'a str>,
}

impl Rule<'_> {
    /// # Errors
    /// If there is no observation, or none where one should be, or nobody says what the task is.
    pub(super) fn rows(self, plan: &Plan, gathered: &Gathered) -> Result<Rows, Error> {
        let seen = self.with_words(gathered)?;
        let times: Vec<Stamp> = seen.iter().map(|seen| seen.captured_at).collect();
        let grid = Grid::through(&times, self.fps);
        let chosen = grid.rows(&times, self.max_gap_ns).map_err(|hole| self.gap(grid, hole, gathered))?;
        let mut rows = Rows {
            tasks: Vec::with_capacity(chosen.len()),
            state: Vec::with_capacity(chosen.len() * plan.state_dim),
            action: Vec::with_capacity(chosen.len() * plan.action.len()),
            pictures: vec![Vec::with_capacity(chosen.len()); plan.cameras.len()],
            remarks: self.remarks(plan, gathered, grid, chosen.len()),
        };
        for (row, index) in chosen.iter().enumerate() {
            let (numbers, span) = (&seen[*index].numbers, (grid.time(row), grid.time(row + 1)));
            let (state, posture) = numbers.split_at(plan.state_dim);
            rows.state.extend_from_slice(state);
            for dimension in &plan.action {
                let number = action(dimension, gathered, posture, span).ok_or_else(|| {
                    let group = &plan.embodiment.groups[dimension.command.group].name;
                    self.lacks(format!("group {group} was not commanded, and it reports nothing"))
                })?;
                rows.action.push(number);
            }
            for (camera, picture) in rows.pictures.iter_mut().zip(&seen[*index].pictures) {
                camera.push(*picture);
            }
            rows.tasks.push(self.task(gathered, grid, grid.time(row).max(seen[*index].captured_at))?);
        }
        Ok(rows)
    }

    /// Observations from the first words on: before them a policy would have waited.
    fn with_words(self, gathered: &Gathered) -> Result<&[Seen], Error> {
        let words_at =
            match (gathered.instructions.iter().find(|(_, words)| !words.is_empty()), self.instruction) {
                (_, Some(_)) => None,
                (Some((at, _)), None) => Some(*at),
                (None, None) => {
                    return Err(
                        self.lacks("no instruction in it: --instruction says what the task was".to_owned())
                    );
                }
            };
        let first = gathered.seen.partition_point(|seen| words_at.is_some_and(|at| seen.captured_at < at));
        match &gathered.seen[first..] {
            [] => {
                let why = gathered
                    .unseen
                    .last()
                    .map_or_else(|| "no pictures".to_owned(), |(_, why)| why.to_string());
                Err(self.lacks(format!("not one observation in it: {why}")))
            }
            seen => Ok(seen),
        }
    }

    /// The newest words at a time.
    fn task(self, gathered: &Gathered, grid: Grid, at: Stamp) -> Result<String, Error> {
        let known = gathered.instructions.partition_point(|(said_at, _)| *said_at <= at);
        let newest = gathered.instructions[..known].last();
        let newest = newest.map(|(_, words)| words.as_str()).filter(|words| !words.is_empty());
        match newest.or(self.instruction) {
            Some(words) => Ok(words.to_owned()),
            None => {
                Err(self
                    .lacks(format!("no instruction from {:.3} s on", at.ns_since(grid.start) as f64 * 1e-9)))
            }
        }
    }

    fn gap(self, grid: Grid, hole: Hole, gathered: &Gathered) -> Error {
        let mut within = gathered.unseen.iter().filter(|(at, _)| (hole.before..=hole.behind).contains(at));
        let nothing = || "no frame of the reference camera".to_owned();
        Error::Gap {
            path: self.path.to_owned(),
            at_s: hole.at.ns_since(grid.start) as f64 * 1e-9,
            max_gap_ms: self.max_gap_ns as f64 * 1e-6,
            silent_ms: hole.behind.ns_since(hole.before) as f64 * 1e-6,
            reason: within.next_back().map_or_else(nothing, |(_, why)| why.to_string()),
        }
    }

    fn lacks(self, message: String) -> Error {
        Error::Log { path: self.path.to_owned(), message }
    }

    fn remarks(self, plan: &Plan, gathered: &Gathered, grid: Grid, row_count: usize) -> Remarks {
        let groups: BTreeSet<usize> = plan.action.iter().map(|dimension| dimension.command.group).collect();
        let mut remarks = Remarks {
            // A sensor's time may lie before that of the first message.
            before_s: (grid.start.ns_since(self.started_at) as f64 * 1e-9).max(0.0),
            behind_s: gathered.ended_at.ns_since(grid.time(row_count.saturating_sub(1))) as f64 * 1e-9,
            ..Remarks::default()
        };
        for group in groups {
            let (described, track) = (&plan.embodiment.groups[group], &gathered.commands[group]);
            let is_before = |row: &usize| track.action(grid.time(*row), grid.time(row + 1)).is_none();
            if track.is_empty() {
                remarks.uncommanded.push(described.name.clone());
            } else if described.kind == GroupKind::Position && is_before(&0) {
                let count = (0..row_count).take_while(is_before).count();
                remarks.commanded_late.push((described.name.clone(), count));
            }
        }
        let faults = gathered.faults.iter();
        remarks.faults = faults.map(|((input, fault), n)| (input.clone(), (*fault).to_owned(), *n)).collect();
        remarks
    }
}

/// A number of a row's action, in the layout's unit: what its joint was commanded; without a command where it stands, and
/// zero for a base.
fn action(
    dimension: &ActionDimension,
    gathered: &Gathered,
    posture: &[f32],
    (from, until): (Stamp, Stamp),
) -> Option<f32> {
    let command = dimension.command;
    let track = &gathered.commands[command.group];
    let in_layout = |wire: f64| command.to_wire.invert(wire) as f32;
    match dimension.kind {
        GroupKind::Velocity => {
            let velocity = track.velocity(from, until).map_or(0.0, |given| given.values[command.joint]);
            Some(in_layout(velocity))
        }
        GroupKind::Position => match track.action(from, until) {
            Some(given) => Some(in_layout(given.values[command.joint])),
            None => dimension.posture.map(|place| posture[place]),
        },
    }
}
