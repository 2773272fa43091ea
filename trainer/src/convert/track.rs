//! What a group of joints was commanded when. Pure.

use sinew_proto::Stamp;

/// How long a velocity stays in force: behind it a base that hears nothing stands, as ros2_control's drive controllers have
/// it (`cmd_vel_timeout`).
pub const VELOCITY_HOLD_NS: i64 = 500_000_000;

/// The commands of one group, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Track {
    times: Vec<Stamp>,
    commands: Vec<Vec<f64>>,
}

/// A command and when it came.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Command<'a> {
    /// When it came.
    pub at: Stamp,
    /// One number a joint, in the robot's unit.
    pub values: &'a [f64],
}

impl Track {
    /// Adds a command. One that seems to come before those that are in comes with the last of them.
    pub fn push(&mut self, at: Stamp, values: Vec<f64>) {
        let at = self.times.last().map_or(at, |last| at.max(*last));
        self.times.push(at);
        self.commands.push(values);
    }

    /// Whether there was none at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// The action of a row that lasts from `from` until before `until`: the first command within, which is what was decided on
    /// the row's observation; if nothing came then, the last one before, which is still in force. `None` before the first
    /// command.
    #[must_use]
    pub fn action(&self, from: Stamp, until: Stamp) -> Option<Command<'_>> {
        let next = self.times.partition_point(|time| *time < from);
        let is_within = self.times.get(next).is_some_and(|time| *time < until);
        let index = if is_within { next } else { next.checked_sub(1)? };
        Some(Command { at: self.times[index], values: &self.commands[index] })
    }

    /// The same for velocities, which end by themselves.
    #[must_use]
    pub fn velocity(&self, from: Stamp, until: Stamp) -> Option<Command<'_>> {
        self.action(from, until).filter(|command| from.ns_since(command.at) <= VELOCITY_HOLD_NS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn track(times_ns: &[i64]) -> Track {
        let mut track = Track::default();
        for ns in times_ns {
            track.push(Stamp::from_ns(*ns), vec![*ns as f64]);
        }
        track
    }

    fn action(track: &Track, from: i64, until: i64) -> Option<f64> {
        track.action(Stamp::from_ns(from), Stamp::from_ns(until)).map(|command| command.values[0])
    }

    #[test]
    fn the_first_command_within_the_row_is_its_action_else_the_one_in_force() {
        let track = track(&[100, 120, 200, 400]);
        assert_eq!(action(&track, 0, 100), None);
        assert_eq!(action(&track, 0, 101), Some(100.0));
        assert_eq!(action(&track, 100, 200), Some(100.0));
        assert_eq!(action(&track, 101, 200), Some(120.0));
        assert_eq!(action(&track, 121, 200), Some(120.0));
        assert_eq!(action(&track, 300, 400), Some(200.0));
        assert_eq!(action(&track, 500, 600), Some(400.0));
    }

    #[test]
    fn velocities_end_by_themselves() {
        let track = track(&[0]);
        let velocity = |from| track.velocity(Stamp::from_ns(from), Stamp::from_ns(from + 1)).is_some();
        assert!(velocity(0) && velocity(VELOCITY_HOLD_NS) && !velocity(VELOCITY_HOLD_NS + 1));
    }

    proptest! {
        #[test]
        fn an_action_is_never_of_the_next_row(
            mut times in prop::collection::vec(0..1000_i64, 1..40),
            from in 0..1000_i64,
            length in 1..100_i64,
        ) {
            times.sort_unstable();
            let found = action(&track(&times), from, from + length);
            let within = times.iter().find(|time| (from..from + length).contains(*time));
            let before = times.iter().rev().find(|time| **time < from);
            prop_assert_eq!(found, within.or(before).map(|time| *time as f64));
        }
    }
}
