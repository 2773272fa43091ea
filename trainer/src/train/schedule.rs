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

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(kind: ScheduleKind, steps: &[u64]) -> Vec<f64> {
        let schedule =
            Schedule { kind, peak: 1.0, end: 0.2, warmup_steps: 4, decay_steps: 1000, total_steps: 24 };
        steps.iter().map(|step| schedule.rate(*step)).collect()
    }

    fn assert_close(found: &[f64], expected: &[f64]) {
        let is_close = found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-12);
        assert!(is_close && found.len() == expected.len(), "{found:?}, expected {expected:?}");
    }

    // LeRobot's own is compared with what LeRobot recorded, in the workspace's tests.

    #[test]
    fn a_plain_cosine_falls_from_the_end_of_the_warm_up_to_the_end_of_the_run() {
        // A quarter of the way is cos 45° of half the span below the middle of 0.6.
        let quarter = 0.6 + 0.4 * 0.5_f64.sqrt();
        assert_close(
            &rates(ScheduleKind::Cosine, &[0, 3, 4, 9, 14, 24, 100]),
            &[0.2, 0.8, 1.0, quarter, 0.6, 0.2, 0.2],
        );
    }

    #[test]
    fn a_constant_rate_stays_at_its_peak() {
        assert_close(
            &rates(ScheduleKind::Constant, &[0, 1, 3, 4, 24, 1000]),
            &[0.2, 0.4, 0.8, 1.0, 1.0, 1.0],
        );
    }
}
