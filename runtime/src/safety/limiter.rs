//! One joint's command kept inside its limits of position, velocity and acceleration, all at once.
//!
//! A command is a sampled path. Over a tick of length h it moves with a mean velocity v, and neighbouring mean
//! velocities may differ by the acceleration A times the time between the middles of their ticks: that is what anyone
//! who takes finite differences of the commands will find, whatever the lengths of the ticks.
//!
//! To stay inside a limit at distance d, it must be able to stop before it. A line of slope −A through the mean velocity
//! in the middle of the tick has v − A·h/2 left at its end and stops after (v − A·h/2)²/2A more. Later ticks take their
//! mean velocities from that line, so they stop no farther, however long they are. The largest v is therefore where
//!
//! ```text
//!   v·h + max(0, v − A·h/2)² / 2A = d,    that is    v = d/h            if d ≤ A·h²/2
//!                                                    v = √(2A·d) − A·h/2  else
//! ```
//!
//! A joint that kept to this in the last tick always finds a velocity that keeps to everything in the next one.

use super::limits::JointLimits;
use super::smooth::Braking;

/// A path's present end.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Motion {
    /// The last command.
    pub(super) position: f64,
    /// Mean velocity of the last tick; where the jerk is limited, velocity at its end.
    pub(super) velocity: f64,
    /// Acceleration at its end where the jerk is limited, else zero.
    pub(super) acceleration: f64,
}

/// Which limits kept a command from being what was wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) position: bool,
    pub(super) velocity: bool,
    pub(super) acceleration: bool,
    pub(super) lead: bool,
}

/// What a joint shall do in a tick.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    /// Where it is wanted now.
    pub(super) wanted: f64,
    /// Where it was wanted one tick before.
    pub(super) wanted_before: f64,
    /// Where the joint is.
    pub(super) measured: f64,
}

/// Lengths of this tick and of the one before, seconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticks {
    pub(super) this_s: f64,
    pub(super) before_s: f64,
}

impl Ticks {
    /// Time between the middles of the two.
    fn between_s(self) -> f64 {
        (self.this_s + self.before_s) / 2.0
    }
}

impl Motion {
    /// Standing at a position.
    pub(super) fn at_rest(position: f64) -> Self {
        Self { position, ..Self::default() }
    }

    /// One tick towards the target.
    pub(super) fn follow(self, target: Target, limits: &JointLimits, ticks: Ticks) -> (Self, Kept) {
        if limits.jerk.is_finite() {
            return self.follow_smoothly(target, limits, ticks.this_s);
        }
        let JointLimits { lower, upper, velocity: fastest, acceleration, lead, .. } = *limits;
        let stopping = |distance| stopping_velocity(distance, acceleration, ticks.this_s);
        let wanted = target.wanted.clamp(lower, upper);
        let wanted_before = target.wanted_before.clamp(lower, upper);

        // Moving along with the target keeps a gap; closing it must end in the target's own motion.
        let gap = wanted_before - self.position;
        let closing = stopping(gap.abs()).copysign(gap);
        let desired = (wanted - wanted_before) / ticks.this_s + closing;

        let change = acceleration * ticks.between_s();
        let (least, most) = (self.velocity - change, self.velocity + change);
        let room = (-stopping(self.position - lower), stopping(upper - self.position));
        let led = (
            -stopping(self.position - (target.measured - lead)),
            stopping(target.measured + lead - self.position),
        );
        let low = room.0.max(led.0).max(-fastest);
        let high = room.1.min(led.1).min(fastest);
        // A limit that moved towards the joint may be out of reach: then it brakes as hard as it may.
        let velocity = desired.clamp(low.min(high), high).clamp(least, most);

        let is_less = |limit: (f64, f64)| desired < limit.0 - SLACK || desired > limit.1 + SLACK;
        let kept = Kept {
            position: wanted != target.wanted || is_less(room),
            velocity: is_less((-fastest, fastest)),
            acceleration: is_less((least, most)),
            lead: is_less(led),
        };
        (self.moved(velocity, ticks.this_s), kept)
    }

    /// One tick of braking.
    pub(super) fn brake(self, limits: &JointLimits, ticks: Ticks) -> Self {
        if limits.jerk.is_finite() {
            return Braking::new(self, limits).after(ticks.this_s);
        }
        let left = (self.velocity.abs() - limits.acceleration * ticks.between_s()).max(0.0);
        self.moved(left.copysign(self.velocity), ticks.this_s)
    }

    fn moved(self, velocity: f64, tick_s: f64) -> Self {
        Self { position: self.position + velocity * tick_s, velocity, acceleration: 0.0 }
    }

    /// The way to standstill if it brakes from the next tick on.
    pub(super) fn stopping(self, limits: &JointLimits, tick_s: f64) -> Stopping {
        if limits.jerk.is_finite() {
            return Stopping::Smooth(Braking::new(self, limits));
        }
        let left = (self.velocity.abs() - limits.acceleration * tick_s / 2.0).max(0.0);
        let distance = (left * left / (2.0 * limits.acceleration)).copysign(self.velocity);
        Stopping::Even { from: self.position, distance, time_s: left / limits.acceleration }
    }
}

/// A joint's way to standstill.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stopping {
    /// At an even deceleration.
    Even { from: f64, distance: f64, time_s: f64 },
    /// With a limited jerk.
    Smooth(Braking),
}

impl Stopping {
    /// Stands already.
    pub(super) fn at_rest(from: f64) -> Self {
        Self::Even { from, distance: 0.0, time_s: 0.0 }
    }

    /// How long it takes.
    pub(super) fn time_s(&self) -> f64 {
        match self {
            Self::Even { time_s, .. } => *time_s,
            Self::Smooth(braking) => braking.time_s(),
        }
    }

    /// Where the joint is after so long.
    pub(super) fn position(&self, after_s: f64) -> f64 {
        match *self {
            Self::Even { from, distance, time_s } => {
                let left = if after_s < time_s { 1.0 - after_s / time_s } else { 0.0 };
                from + distance * (1.0 - left * left)
            }
            Self::Smooth(braking) => braking.after(after_s).position,
        }
    }
}

/// Smaller differences of velocity are rounding and not worth counting.
const SLACK: f64 = 1e-9;

/// The largest mean velocity of a tick after which one can still stop within `distance`.
pub(super) fn stopping_velocity(distance: f64, acceleration: f64, tick_s: f64) -> f64 {
    let distance = distance.max(0.0);
    if distance <= acceleration * tick_s * tick_s / 2.0 {
        distance / tick_s
    } else {
        (2.0 * acceleration * distance).sqrt() - acceleration * tick_s / 2.0
    }
}

/// One tick of a velocity command.
pub(super) fn follow_velocity(now: f64, wanted: f64, limits: &JointLimits, tick_s: f64) -> (f64, Kept) {
    let change = limits.acceleration * tick_s;
    let capped = wanted.clamp(limits.lower, limits.upper);
    let velocity = capped.clamp(now - change, now + change);
    let kept = Kept {
        velocity: capped != wanted,
        acceleration: (velocity - capped).abs() > SLACK,
        ..Kept::default()
    };
    (velocity, kept)
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
        jerk: f64::INFINITY,
        lead: 10.0,
    };
    const TICKS: Ticks = Ticks { this_s: 0.01, before_s: 0.01 };

    fn path(start: f64, wanted: impl Fn(usize) -> f64, tick_count: usize) -> Vec<f64> {
        let mut motion = Motion::at_rest(start);
        let mut positions = vec![start];
        for tick in 0..tick_count {
            let target = Target {
                wanted: wanted(tick),
                wanted_before: wanted(tick.saturating_sub(1)),
                measured: motion.position,
            };
            motion = motion.follow(target, &LIMITS, TICKS).0;
            positions.push(motion.position);
        }
        positions
    }

    #[test]
    fn what_is_within_the_limits_is_followed_exactly() {
        let wanted = |tick: usize| 0.5 - 0.5 * (2.0 * tick as f64 * 0.01).cos();
        for (tick, position) in path(0.0, wanted, 800).iter().enumerate().skip(1) {
            assert!((position - wanted(tick - 1)).abs() < 1e-12, "tick {tick}");
        }
    }

    #[test]
    fn a_step_is_reached_in_the_shortest_time_without_overshoot() {
        let positions = path(-0.8, |_| 0.7, 200);
        assert!(positions.windows(2).all(|pair| pair[1] >= pair[0] - 1e-12));
        assert!(positions.iter().all(|position| *position <= 0.7 + 1e-12));
        // Up and down at 6 /s², 1.5 /s between: 1.5 / 1.5 + 1.5 / 6 = 1.25 s.
        assert!((positions[130] - 0.7).abs() < 1e-3, "{}", positions[130]);
        assert!((positions[120] - 0.7).abs() > 1e-3, "{}", positions[120]);
    }

    #[test]
    fn a_limit_is_reached_but_not_passed() {
        let positions = path(0.0, |_| 5.0, 300);
        assert!(positions.iter().all(|position| *position <= 1.0 + 1e-12));
        assert!((positions[300] - 1.0).abs() < 1e-6);
    }
}
