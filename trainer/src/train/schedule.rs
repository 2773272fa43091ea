//! The learning rate over the steps.

use serde::{Deserialize, Serialize};

/// How the learning rate changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScheduleKind {
    /// LeRobot's cosine with warm-up: shrunk to the run's length if that is shorter, and counted from step 0, not
    /// from the end of the warm-up.
    #[default]
    Lerobot,
    /// Linear warm-up, then a cosine from its end to the run's end.
    Cosine,
    /// Linear warm-up, then the peak.
    Constant,
}

/// A learning rate for every step.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// Its kind.
    pub kind: ScheduleKind,
    /// Highest rate.
    pub peak: f64,
    /// Rate at the end of the decay.
    pub end: f64,
    /// Steps of the warm-up.
    pub warmup_steps: u64,
    /// Steps of LeRobot's decay.
    pub decay_steps: u64,
    /// Steps of the run.
    pub total_steps: u64,
}

impl Schedule {
    /// The rate of a step, counted from 0.
    pub fn rate(&self, step: u64) -> f64 {
        match self.kind {
            ScheduleKind::Lerobot => self.lerobot(step),
            ScheduleKind::Cosine if step >= self.warmup_steps => {
                let span = self.total_steps.saturating_sub(self.warmup_steps).max(1);
                let progress = (step - self.warmup_steps) as f64 / span as f64;
                self.end + (self.peak - self.end) * half_cosine(progress)
            }
            ScheduleKind::Cosine | ScheduleKind::Constant => {
                self.peak * ((step + 1) as f64 / (self.warmup_steps + 1) as f64).min(1.0)
            }
        }
    }

    fn lerobot(&self, step: u64) -> f64 {
        let (mut warmup, mut decay) = (self.warmup_steps, self.decay_steps);
        if self.total_steps < decay {
            warmup = (warmup as f64 * (self.total_steps as f64 / decay as f64)) as u64;
            decay = self.total_steps;
        }
        if step < warmup {
            let first = 1.0 / (warmup + 1) as f64;
            let left = 1.0 - step as f64 / warmup as f64;
            return self.peak * ((first - 1.0) * left + 1.0);
        }
        let alpha = self.end / self.peak;
        let progress = step as f64 / decay.max(1) as f64;
        self.peak * ((1.0 - alpha) * half_cosine(progress) + alpha)
    }
}

/// From 1 to 0 over `progress` 0 … 1, then 0.
fn half_cosine(progress: f64) -> f64 {
    0.5 * (1.0 + (std::f64::consts::PI * progress.min(1.0)).cos())
}
