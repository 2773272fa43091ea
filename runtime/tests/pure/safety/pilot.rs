//! Chunks to commands, by way of the core.

use super::robot::{Rig, config};
use crate::drive::one_after_the_other;
use sinew_models::embodiment::{Embodiment, GroupKind};
use sinew_runtime::control::{Heard, Pilot};
use sinew_runtime::drive::{Drive, SlowMoves};
use sinew_runtime::safety::State;
use sinew_runtime::schedule::{RobotChunk, Schedule};

/// An R1 Pro that is where it is, and a policy that wants it there.
struct Station {
    rig: Rig,
    pilot: Pilot,
    chunk_count: u64,
}

impl Station {
    fn new() -> Self {
        let robot = Embodiment::built_in("r1pro").unwrap();
        let mut position = vec![0.0; 23];
        (position[8], position[16]) = (0.3, -0.3);
        let rig = Rig::new(&robot, position);
        let kinds: Vec<GroupKind> = rig.joints.axes().iter().map(|axis| axis.kind).collect();
        let moves = SlowMoves {
            joints: kinds.iter().map(|kind| *kind == GroupKind::Position).collect(),
            start: vec![f64::NAN; kinds.len()].into(),
            max_speed: vec![1.0; kinds.len()].into(),
            max_distance: vec![1.0; kinds.len()].into(),
            goes_back: false,
        };
        let drive = Drive::new(Schedule::new(one_after_the_other(), &kinds), moves);
        let pilot = Pilot::new(drive, rig.safety(&robot, &config(false)), &rig.joints);
        Self { rig, pilot, chunk_count: 0 }
    }

    fn tick(&mut self) -> (State, &'static str) {
        self.rig.advance(0.01);
        self.rig.hear();
        let heard = Heard {
            measured: &self.rig.measured,
            others: &self.rig.others,
            wall: self.rig.wall,
            operator: self.rig.operator,
            robot: self.rig.status,
            is_ending: false,
        };
        let told = self.pilot.tick(self.rig.now, &heard);
        (told.state, told.reason.map_or("", |reason| reason.kind()))
    }

    /// What ticks come to, without repetitions.
    fn run(&mut self, tick_count: usize) -> Vec<(State, &'static str)> {
        let mut found: Vec<_> = (0..tick_count).map(|_| self.tick()).collect();
        found.dedup();
        found
    }

    fn accept(&mut self) {
        let now = self.rig.now;
        let values = self.rig.position.repeat(one_after_the_other().chunk);
        let chunk = RobotChunk { sequence: self.chunk_count, captured_at: now, values: &values };
        self.chunk_count += 1;
        // One that comes while the robot holds is dropped, and shows all the same that the policy is alive.
        let _ = self.pilot.accept(chunk, now);
    }
}

#[test]
fn a_policy_that_gives_nothing_new_is_no_reason_to_go_on_until_it_does() {
    let mut station = Station::new();
    station.run(10);
    station.accept();
    let silent = station.run(1_500);
    assert_eq!(silent, [(State::Running, ""), (State::Holding, "stale_inference")]);
    station.accept();
    let resumed = station.run(100);
    assert_eq!(resumed, [(State::Holding, "stale_inference"), (State::Running, "")]);
}
