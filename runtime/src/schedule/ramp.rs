//! Slow moves in a straight line of joint space: to the posture where the policy takes over, and back at the end.
//!
//! All joints start and arrive together, along the quintic `10u³ − 15u⁴ + 6u⁵` with no velocity and no acceleration at both
//! ends. Its steepest slope is 15/8, in the middle, which decides how long the move takes.

use crate::clock::Moment;

/// Steepest slope of the quintic.
const PEAK_SLOPE: f64 = 15.0 / 8.0;

/// Why a robot is not moved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RampRefusal {
    /// Nobody knows where a joint is.
    NoFeedback {
        /// The joint.
        joint: usize,
    },
    /// A joint would move farther than allowed.
    TooFar {
        /// The joint.
        joint: usize,
        /// How far, in its unit.
        distance: f64,
    },
}

/// A slow move.
#[derive(Clone, Debug, PartialEq)]
pub struct Ramp {
    from: Box<[f64]>,
    to: Box<[f64]>,
    started_at: Moment,
    duration_ns: i64,
}

impl Ramp {
    /// From where the robot is, starting now, no joint faster than its `max_speed` a second.
    ///
    /// # Shapes
    /// One number a joint each. Joints whose `to` is not finite stay as they are; `from` is not asked for them.
    ///
    /// # Errors
    /// If a joint that is to move has no feedback, or would move farther than its `max_distance`.
    pub fn new(
        from: &[f64],
        to: &[f64],
        max_speed: &[f64],
        max_distance: &[f64],
        now: Moment,
    ) -> Result<Self, RampRefusal> {
        let mut seconds: f64 = 0.0;
        for (joint, (from, to)) in from.iter().zip(to).enumerate().filter(|(_, (_, to))| to.is_finite()) {
            if !from.is_finite() {
                return Err(RampRefusal::NoFeedback { joint });
            }
            let distance = (to - from).abs();
            if distance > max_distance[joint] {
                return Err(RampRefusal::TooFar { joint, distance });
            }
            seconds = seconds.max(PEAK_SLOPE * distance / max_speed[joint]);
        }
        Ok(Self {
            from: from.into(),
            to: to.into(),
            started_at: now,
            duration_ns: (seconds * 1e9).ceil() as i64,
        })
    }

    /// Writes the set-point now, of the joints that move. Returns whether the move is over.
    ///
    /// # Shapes
    /// One number a joint.
    pub fn write(&self, now: Moment, setpoint: &mut [f64]) -> bool {
        let gone_ns = now.ns_since(self.started_at);
        let is_over = gone_ns >= self.duration_ns;
        let u = if is_over { 1.0 } else { (gone_ns.max(0) as f64) / self.duration_ns as f64 };
        let part = u * u * u * (10.0 - u * (15.0 - 6.0 * u));
        for ((value, from), to) in setpoint.iter_mut().zip(&self.from).zip(&self.to) {
            if to.is_finite() {
                *value = if is_over { *to } else { from + part * (to - from) };
            }
        }
        is_over
    }

    /// How long the whole move takes.
    #[must_use]
    pub fn duration_ns(&self) -> i64 {
        self.duration_ns
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(ns: i64) -> Moment {
        Moment::from_ns(ns)
    }

    proptest! {
        #[test]
        fn no_joint_is_too_fast_and_all_arrive_together(
            from in prop::collection::vec(-3.0_f64..3.0, 3),
            to in prop::collection::vec(-3.0_f64..3.0, 3),
            speed in prop::collection::vec(0.05_f64..2.0, 3),
        ) {
            let ramp = Ramp::new(&from, &to, &speed, &[10.0; 3], at(0)).unwrap();
            let (mut last, mut setpoint) = (from.clone(), vec![0.0; 3]);
            let tick_ns = 10_000_000;
            for tick in 1.. {
                let is_over = ramp.write(at(tick * tick_ns), &mut setpoint);
                for joint in 0..3 {
                    let moved = (setpoint[joint] - last[joint]).abs();
                    prop_assert!(moved <= speed[joint] * 0.01 * (1.0 + 1e-9), "{moved} at {}", speed[joint]);
                    let (low, high) = (from[joint].min(to[joint]), from[joint].max(to[joint]));
                    prop_assert!((low - 1e-12..=high + 1e-12).contains(&setpoint[joint]));
                }
                last.copy_from_slice(&setpoint);
                if is_over {
                    break;
                }
            }
            prop_assert_eq!(setpoint, to);
        }
    }

    #[test]
    fn what_is_unknown_or_far_is_not_moved() {
        let start =
            |from: f64, to: f64| Ramp::new(&[0.0, from], &[f64::NAN, to], &[1.0; 2], &[0.5; 2], at(0));
        assert_eq!(start(f64::NAN, 0.1), Err(RampRefusal::NoFeedback { joint: 1 }));
        assert_eq!(start(0.0, 0.6), Err(RampRefusal::TooFar { joint: 1, distance: 0.6 }));
        let mut setpoint = [7.0, 7.0];
        assert!(start(0.25, 0.25).unwrap().write(at(0), &mut setpoint));
        assert_eq!(setpoint, [7.0, 0.25]);
    }
}
