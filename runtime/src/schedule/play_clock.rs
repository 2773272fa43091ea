//! The schedule's own time: steps, counted only while they are played.
//!
//! While the robot holds because there is nothing to play, this clock stands still. So a chunk whose observation was
//! taken while the robot stood begins with its first row, however long it took to compute; one taken while the robot
//! moved begins where the robot will be by then. Nothing is skipped that was not done, and nothing done twice.

use crate::clock::Moment;

/// Starts and stops that are remembered: more than can happen within the age of an observation.
const MARK_COUNT: usize = 32;

/// From this moment on, the clock goes or stands.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Mark {
    at: Moment,
    step: u64,
    goes: bool,
}

/// Moments to positions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PlayClock {
    period_ns: i64,
    /// The newest first; there is always one.
    marks: [Mark; MARK_COUNT],
}

impl PlayClock {
    /// Standing at step 0. `period_ns` is the time between two steps.
    #[must_use]
    pub fn new(period_ns: i64) -> Self {
        let standing = Mark { at: Moment::from_ns(i64::MIN), step: 0, goes: false };
        Self { period_ns: period_ns.max(1), marks: [standing; MARK_COUNT] }
    }

    /// Lets the clock go from a step on.
    pub fn start(&mut self, at: Moment, step: u64) {
        self.mark(Mark { at, step, goes: true });
    }

    /// Makes the clock stand at a step.
    pub fn stop(&mut self, at: Moment, step: u64) {
        self.mark(Mark { at, step, goes: false });
    }

    fn mark(&mut self, mark: Mark) {
        self.marks.rotate_right(1);
        self.marks[0] = mark;
    }

    /// Whether it goes.
    #[must_use]
    pub fn goes(&self) -> bool {
        self.marks[0].goes
    }

    /// When a step comes, if the clock goes on.
    #[must_use]
    pub fn due(&self, step: u64) -> Moment {
        let Mark { at, step: from, .. } = self.marks[0];
        at.plus_ns(self.period_ns.saturating_mul(step as i64 - from as i64))
    }

    /// The position at a moment: where it stands, or how far it has come between two steps.
    #[must_use]
    pub fn position(&self, moment: Moment) -> f64 {
        for mark in self.marks {
            if mark.at <= moment {
                let gone_ns = if mark.goes { moment.ns_since(mark.at) } else { 0 };
                return mark.step as f64 + gone_ns as f64 / self.period_ns as f64;
            }
        }
        // Older than anything remembered.
        self.marks[MARK_COUNT - 1].step as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ns: i64) -> Moment {
        Moment::from_ns(ns)
    }

    #[test]
    fn it_counts_only_what_is_played() {
        let mut clock = PlayClock::new(10);
        assert_eq!((clock.position(at(-5)), clock.goes()), (0.0, false));
        clock.start(at(100), 0);
        assert_eq!(
            [clock.position(at(99)), clock.position(at(100)), clock.position(at(125))],
            [0.0, 0.0, 2.5]
        );
        assert_eq!(clock.due(4), at(140));
        clock.stop(at(140), 4);
        assert_eq!([clock.position(at(139)), clock.position(at(500))], [3.9, 4.0]);
        clock.start(at(203), 4);
        assert_eq!(
            [clock.position(at(125)), clock.position(at(202)), clock.position(at(208))],
            [2.5, 4.0, 4.5]
        );
        assert_eq!((clock.due(5), clock.goes()), (at(213), true));
    }

    #[test]
    fn what_is_older_than_its_memory_is_where_that_begins() {
        let mut clock = PlayClock::new(10);
        for turn in 0..MARK_COUNT as i64 {
            clock.start(at(turn * 20), turn as u64);
            clock.stop(at(turn * 20 + 10), turn as u64 + 1);
        }
        let turns = MARK_COUNT as i64;
        assert_eq!(clock.position(at((turns - 1) * 20 + 5)), turns as f64 - 0.5);
        assert_eq!(clock.position(at(0)), turns as f64 / 2.0);
    }
}
