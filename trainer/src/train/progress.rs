//! How a run is doing: a bar on a terminal, and averages for the log.

use crate::train::run::StepReport;
use crate::train::setup::Setup;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant;

/// The progress bar; silent where stderr is no terminal.
#[derive(Debug)]
pub struct Display {
    bar: ProgressBar,
}

impl Display {
    /// For a run of this many steps that has come to `step`.
    pub fn new(step_count: u64, step: u64) -> Self {
        let bar = ProgressBar::new(step_count).with_position(step);
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {eta} {per_sec} {msg}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.reset_eta();
        Self { bar }
    }

    /// Moves the bar.
    pub fn show(&self, step: u64, taken: &StepReport) {
        self.bar.set_position(step);
        self.bar.set_message(format!("loss {:.4}", taken.loss));
    }

    /// Writes a line above the bar.
    pub fn say(&self, line: &str) {
        self.bar.suspend(|| tracing::info!("{line}"));
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// A line of the log: averages since the line before.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LogLine {
    /// The epoch.
    pub epoch: u64,
    /// Mean loss.
    pub loss: f64,
    /// Mean squared error by group of action dimensions, unweighted.
    pub loss_by_group: BTreeMap<String, f64>,
    /// Mean gradient norm before clipping.
    pub gradient_norm: f64,
    /// Of the last step.
    pub learning_rate: f64,
    /// Samples a second.
    pub samples_per_s: f64,
}

/// Groups that a line for people names; the log has all.
const SHOWN_GROUPS: usize = 6;

impl fmt::Display for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "loss {:.4}", self.loss)?;
        let mut groups: Vec<(&String, &f64)> = self.loss_by_group.iter().collect();
        groups.sort_by(|a, b| b.1.total_cmp(a.1));
        let shown: Vec<String> =
            groups.iter().take(SHOWN_GROUPS).map(|(group, loss)| format!("{group} {loss:.3}")).collect();
        let more = if groups.len() > SHOWN_GROUPS { ", …" } else { "" };
        write!(f, " ({}{more}), {:.1} samples/s", shown.join(", "), self.samples_per_s)
    }
}

/// Sums since the last line of the log.
#[derive(Debug)]
pub struct Window {
    groups: Vec<String>,
    started: Instant,
    step_count: usize,
    sample_count: usize,
    loss: f64,
    gradient_norm: f64,
    learning_rate: f64,
    group_sums: BTreeMap<String, (f64, usize)>,
}

impl Window {
    /// Nothing yet.
    pub fn new(setup: &Setup) -> Self {
        Self {
            groups: setup.corpus.action_names().iter().map(|name| group_of(name)).collect(),
            started: Instant::now(),
            step_count: 0,
            sample_count: 0,
            loss: 0.0,
            gradient_norm: 0.0,
            learning_rate: 0.0,
            group_sums: BTreeMap::new(),
        }
    }

    /// Takes in a step.
    pub fn add(&mut self, taken: &StepReport, sample_count: usize) {
        self.step_count += 1;
        self.sample_count += sample_count;
        self.loss += taken.loss;
        self.gradient_norm += taken.gradient_norm;
        self.learning_rate = taken.learning_rate;
        let rows = taken.squared_errors.chunks_exact(self.groups.len());
        for (row, _) in rows.zip(&taken.counts).filter(|(_, counts)| **counts) {
            for (group, error) in self.groups.iter().zip(row) {
                let (sum, count) = self.group_sums.entry(group.clone()).or_default();
                *sum += f64::from(*error);
                *count += 1;
            }
        }
    }

    /// The line of these steps, and begins anew.
    pub fn take(&mut self, epoch: u64) -> LogLine {
        let steps = self.step_count.max(1) as f64;
        let groups = std::mem::take(&mut self.group_sums).into_iter();
        let line = LogLine {
            epoch,
            loss: self.loss / steps,
            loss_by_group: groups.map(|(group, (sum, count))| (group, sum / count.max(1) as f64)).collect(),
            gradient_norm: self.gradient_norm / steps,
            learning_rate: self.learning_rate,
            samples_per_s: self.sample_count as f64 / self.started.elapsed().as_secs_f64(),
        };
        (self.step_count, self.sample_count) = (0, 0);
        (self.loss, self.gradient_norm) = (0.0, 0.0);
        self.started = Instant::now();
        line
    }
}

/// `left_arm_joint3.pos` and `left_arm_3` belong to `left_arm`: the name without what counts the joint.
fn group_of(name: &str) -> String {
    let stem = name.split('.').next().unwrap_or(name);
    let stem = stem.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('_');
    let stem = stem.strip_suffix("joint").unwrap_or(stem).trim_end_matches('_');
    if stem.is_empty() { "action".to_owned() } else { stem.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::group_of;

    #[test]
    fn joints_are_grouped_by_what_stands_before_their_number() {
        let groups = ["left_arm_joint3.pos", "right_arm_joint7.pos", "base.vx", "left_gripper.pos", "4"];
        assert_eq!(groups.map(group_of), ["left_arm", "right_arm", "base", "left_gripper", "action"]);
    }
}
