//! How a run is doing: a bar on a terminal, and averages for the log.

use crate::train::run::StepReport;
use crate::train::setup::Setup;
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant;

/// The progress bar; silent where stderr is no terminal.
#[derive(Debug)]
pub struct Display {
    bar: ProgressBar,
    /// Samples a second and loss by group, as the last line of the log had them.
    last_line: String,
}

impl Display {
    /// For a run of this many steps that has come to `step`.
    pub fn new(step_count: u64, step: u64) -> Self {
        let bar = ProgressBar::new(step_count).with_position(step);
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {eta} {msg}");
        if let Ok(style) = style {
            bar.set_style(style);
        }
        bar.reset_eta();
        Self { bar, last_line: String::new() }
    }

    /// Moves the bar.
    pub fn show(&self, step: u64, taken: &StepReport) {
        self.bar.set_position(step);
        self.bar.set_message(format!("loss {:.4}{}", taken.loss, self.last_line));
    }

    /// Writes a line of the log above the bar, which repeats what is in it until the next.
    pub fn tell(&mut self, text: String, line: &LogLine) {
        self.last_line = format!("; {:.1} samples/s, {}", line.samples_per_s, line.groups());
        self.say(&text);
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

impl LogLine {
    /// The groups that are learned worst, and their losses.
    fn groups(&self) -> String {
        let mut groups: Vec<(&String, &f64)> = self.loss_by_group.iter().collect();
        groups.sort_by(|a, b| b.1.total_cmp(a.1));
        let shown: Vec<String> =
            groups.iter().take(SHOWN_GROUPS).map(|(group, loss)| format!("{group} {loss:.3}")).collect();
        let more = if groups.len() > SHOWN_GROUPS { ", …" } else { "" };
        shown.join(", ") + more
    }
}

impl fmt::Display for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "loss {:.4} ({}), {:.1} samples/s", self.loss, self.groups(), self.samples_per_s)
    }
}

/// Sums since the last line of the log. A checkpoint keeps them, so that no line shows where a run was resumed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSums {
    step_count: usize,
    loss: f64,
    gradient_norm: f64,
    /// Sum and count of squared errors by group.
    errors: BTreeMap<String, (f64, usize)>,
}

/// Makes the lines of the log.
#[derive(Debug)]
pub struct Log {
    groups: Vec<String>,
    learning_rate: f64,
    started: Instant,
    sample_count: usize,
}

impl Log {
    /// From now on.
    pub fn new(setup: &Setup) -> Self {
        Self {
            groups: setup.corpus.action_names().iter().map(|name| group_of(name)).collect(),
            learning_rate: 0.0,
            started: Instant::now(),
            sample_count: 0,
        }
    }

    /// Takes in a step.
    pub fn add(&mut self, sums: &mut LogSums, taken: &StepReport, sample_count: usize) {
        self.learning_rate = taken.learning_rate;
        self.sample_count += sample_count;
        sums.step_count += 1;
        sums.loss += taken.loss;
        sums.gradient_norm += taken.gradient_norm;
        let rows = taken.squared_errors.chunks_exact(self.groups.len());
        for (row, _) in rows.zip(&taken.counts).filter(|(_, counts)| **counts) {
            for (group, error) in self.groups.iter().zip(row) {
                let (sum, count) = sums.errors.entry(group.clone()).or_default();
                *sum += f64::from(*error);
                *count += 1;
            }
        }
    }

    /// The line of these steps, whose sums begin anew.
    pub fn line(&mut self, sums: &mut LogSums, epoch: u64) -> LogLine {
        let LogSums { step_count, loss, gradient_norm, errors } = std::mem::take(sums);
        let steps = step_count.max(1) as f64;
        let by_group = errors.into_iter().map(|(group, (sum, count))| (group, sum / count.max(1) as f64));
        let line = LogLine {
            epoch,
            loss: loss / steps,
            loss_by_group: by_group.collect(),
            gradient_norm: gradient_norm / steps,
            learning_rate: self.learning_rate,
            samples_per_s: self.sample_count as f64 / self.started.elapsed().as_secs_f64(),
        };
        (self.sample_count, self.started) = (0, Instant::now());
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
