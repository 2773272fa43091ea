//! One joint's command where its jerk is limited too.
//!
//! The command is then a path with a continuous acceleration, of which ticks take samples: finite differences of samples
//! are averages of its derivatives, so they keep to whatever the path keeps to, however long the ticks are.
//!
//! From any motion there is one quickest way to standstill: jerk against the motion until the braking is strong enough or as
//! strong as it may be, hold it, and let go. A tick may lead to another motion only if the way to standstill from there is
//! within all limits; else it goes on along the way that was found to be so before.

use super::limiter::{Kept, Motion, Target, stopping_velocity};
use super::limits::JointLimits;

/// Rounding that is let pass, as a share of a limit.
const ROUNDING: f64 = 1e-12;
/// How often the difference between what is wanted and braking is halved in search of what is allowed.
const HALVINGS: usize = 6;
/// Share of the acceleration that approaches are planned with: the rest is for changing it.
const PLANNED: f64 = 0.5;
/// Ticks in which small gaps and small changes of velocity shrink to a third. Faster, the one would chase the other.
const CLOSING_TICKS: f64 = 12.0;
const CHANGING_TICKS: f64 = 3.0;

/// The quickest way to standstill: three stretches of constant jerk.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Braking {
    from: Motion,
    /// Jerk and length of each stretch.
    stretches: [(f64, f64); 3],
}

impl Braking {
    pub(super) fn new(from: Motion, limits: &JointLimits) -> Self {
        let JointLimits { acceleration: most, jerk, .. } = *limits;
        let Motion { velocity, acceleration, .. } = from;
        // The velocity that is left when the acceleration has been let go: it says which way to brake.
        let left = velocity + acceleration * acceleration.abs() / (2.0 * jerk);
        let side = if left < 0.0 { -1.0 } else { 1.0 };
        let (v, a) = (side * velocity, side * acceleration);
        let peak = (jerk * v + a * a / 2.0).max(0.0).sqrt();
        let (peak, held_s) =
            if peak <= most { (peak, 0.0) } else { (most, (v + (a * a / 2.0 - most * most) / jerk) / most) };
        let onset_s = ((a + peak) / jerk).max(0.0);
        Self { from, stretches: [(-side * jerk, onset_s), (0.0, held_s), (side * jerk, peak / jerk)] }
    }

    pub(super) fn time_s(&self) -> f64 {
        self.stretches.iter().map(|(_, length_s)| length_s).sum()
    }

    /// The motion after so long.
    pub(super) fn after(&self, time_s: f64) -> Motion {
        let mut motion = self.from;
        let mut left_s = time_s;
        for (jerk, length_s) in self.stretches {
            motion = motion.with_jerk(jerk, length_s.min(left_s));
            left_s -= length_s;
            if left_s <= 0.0 {
                return motion;
            }
        }
        Motion::at_rest(motion.position)
    }

    /// Whether it keeps to position and velocity; to acceleration and jerk it does by the way it is made. A joint that is
    /// outside its margin must not get farther out.
    fn is_within(&self, limits: &JointLimits, inside: (f64, f64)) -> bool {
        let Motion { velocity, acceleration, .. } = self.from;
        let peak = velocity + acceleration * acceleration.abs() / (2.0 * limits.jerk);
        if velocity.abs().max(peak.abs()) > limits.velocity * (1.0 + ROUNDING) {
            return false;
        }
        let slack = ROUNDING * (inside.1 - inside.0);
        let reached = [self.from.position, self.turn().position, self.after(self.time_s()).position];
        reached.into_iter().all(|position| position >= inside.0 - slack && position <= inside.1 + slack)
    }

    /// Where the joint turns, if it first goes on the other way; else where it starts.
    fn turn(&self) -> Motion {
        let Motion { velocity, acceleration, .. } = self.from;
        if velocity * acceleration >= 0.0 {
            return self.from;
        }
        let (jerk, onset_s) = self.stretches[0];
        let side = -jerk.signum();
        let (v, a) = (side * velocity, side * acceleration);
        if v >= 0.0 {
            return self.from;
        }
        let turn_s = (a - (a * a + 2.0 * jerk.abs() * v).max(0.0).sqrt()) / jerk.abs();
        self.from.with_jerk(jerk, turn_s.clamp(0.0, onset_s))
    }
}

impl Motion {
    fn with_jerk(self, jerk: f64, time_s: f64) -> Self {
        let Self { position, velocity, acceleration } = self;
        Self {
            position: position + time_s * (velocity + time_s * (acceleration / 2.0 + time_s * jerk / 6.0)),
            velocity: velocity + time_s * (acceleration + time_s * jerk / 2.0),
            acceleration: acceleration + time_s * jerk,
        }
    }

    /// One tick towards the target.
    pub(super) fn follow_smoothly(self, target: Target, limits: &JointLimits, tick_s: f64) -> (Self, Kept) {
        let JointLimits { lower, upper, velocity: fastest, acceleration: most, jerk, lead, .. } = *limits;
        let allowed =
            |wanted: f64| wanted.clamp(target.measured - lead, target.measured + lead).clamp(lower, upper);
        let (wanted, wanted_before) = (allowed(target.wanted), allowed(target.wanted_before));
        let gap = wanted - self.position;
        let along = ((wanted - wanted_before) / tick_s).clamp(-fastest, fastest);
        let closing =
            stopping_velocity(gap.abs(), PLANNED * most, tick_s).min(gap.abs() / (CLOSING_TICKS * tick_s));
        let change = (along + closing.copysign(gap)).clamp(-fastest, fastest) - self.velocity;
        let towards = stopping_velocity(change.abs(), PLANNED * jerk, tick_s).min(most);
        let towards = towards.min(change.abs() / (CHANGING_TICKS * tick_s)).copysign(change);
        let desired = ((towards - self.acceleration) / tick_s).clamp(-jerk, jerk);

        let inside = (lower.min(self.position), upper.max(self.position));
        let braking = Braking::new(self, limits);
        let hardest = braking.stretches[0].0;
        let mut share = 1.0;
        for _ in 0..HALVINGS {
            let tried_jerk = hardest + share * (desired - hardest);
            let tried = self.with_jerk(tried_jerk, tick_s);
            let may = tried.acceleration.abs() <= most
                && self.peak_velocity(tried, tried_jerk) <= fastest * (1.0 + ROUNDING)
                && Braking::new(tried, limits).is_within(limits, inside);
            if may {
                let kept = Kept { acceleration: share < 1.0, ..self.kept(target, limits) };
                return (tried, kept);
            }
            share /= 2.0;
        }
        (braking.after(tick_s), Kept { acceleration: true, ..self.kept(target, limits) })
    }

    /// The largest speed on the way to another motion at a constant jerk, if it is within the way.
    fn peak_velocity(self, other: Self, jerk: f64) -> f64 {
        if self.acceleration * other.acceleration < 0.0 {
            (self.velocity - self.acceleration * self.acceleration / (2.0 * jerk)).abs()
        } else {
            0.0
        }
    }

    fn kept(self, target: Target, limits: &JointLimits) -> Kept {
        Kept {
            position: target.wanted < limits.lower || target.wanted > limits.upper,
            velocity: self.velocity.abs() >= limits.velocity * (1.0 - 1e-6),
            lead: (target.wanted - target.measured).abs() > limits.lead,
            ..Kept::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: JointLimits = JointLimits {
        lower: -1.0,
        upper: 1.0,
        hard_lower: -1.1,
        hard_upper: 1.1,
        velocity: 1.5,
        acceleration: 6.0,
        jerk: 80.0,
        lead: 10.0,
    };

    #[test]
    fn braking_ends_at_rest_whatever_the_motion() {
        for velocity in [-1.5, -0.2, 0.0, 0.01, 1.5] {
            for acceleration in [-6.0, -1.0, 0.0, 0.5, 6.0] {
                let from = Motion { position: 0.3, velocity, acceleration };
                let braking = Braking::new(from, &LIMITS);
                let before = braking.after(braking.time_s() * (1.0 - 1e-9));
                assert!(
                    before.velocity.abs() < 1e-6 && before.acceleration.abs() < 1e-5,
                    "{from:?}: {before:?}"
                );
                // Half the way, braking anew, is the same way.
                let half = braking.after(braking.time_s() / 2.0);
                let again = Braking::new(half, &LIMITS);
                let end = |braking: &Braking| braking.after(braking.time_s()).position;
                assert!((end(&again) - end(&braking)).abs() < 1e-9, "{from:?}");
            }
        }
    }

    #[test]
    fn a_target_is_reached_and_kept() {
        for wanted in [0.6, 5.0] {
            let mut motion = Motion::at_rest(-0.5);
            for _ in 0..400 {
                let target = Target { wanted, wanted_before: wanted, measured: motion.position };
                motion = motion.follow_smoothly(target, &LIMITS, 0.01).0;
                assert!(motion.position <= 1.0 + 1e-9);
            }
            let end: f64 = if wanted > 1.0 { 1.0 } else { wanted };
            assert!((motion.position - end).abs() < 2e-3, "{motion:?}");
            assert!(motion.velocity.abs() < 2e-2, "{motion:?}");
        }
    }
}
