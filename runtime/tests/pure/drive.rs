//! From standing to the start posture, to the policy, and back.

use sinew_models::embodiment::GroupKind;
use sinew_runtime::clock::Moment;
use sinew_runtime::drive::{Drive, SlowMoves, View};
use sinew_runtime::schedule::{
    DropReason, Merge, Outcome, Pace, RampRefusal, RobotChunk, Schedule, ScheduleOptions,
};

const PERIOD_NS: i64 = 33_333_333;
const TICK_NS: i64 = 10_000_000;
const CHUNK: usize = 50;
/// A joint and an axis of the base.
const KINDS: [GroupKind; 2] = [GroupKind::Position, GroupKind::Velocity];

/// Chunks of 50 at 30 Hz, one after the other.
pub(crate) fn one_after_the_other() -> ScheduleOptions {
    ScheduleOptions {
        period_ns: PERIOD_NS,
        chunk: CHUNK,
        execute_steps: CHUNK,
        merge: Merge::Replace,
        pace: Pace::After { steps: 0 },
        latency_window: 10,
        latency_quantile: 1.0,
    }
}

fn drive(start: f64, goes_back: bool) -> Drive {
    let moves = SlowMoves {
        joints: Box::new([true, false]),
        start: Box::new([start, f64::NAN]),
        max_speed: Box::new([0.5, f64::INFINITY]),
        max_distance: Box::new([1.0, f64::INFINITY]),
        goes_back,
    };
    Drive::new(Schedule::new(one_after_the_other(), &KINDS), moves)
}

/// A robot that is where it was told to be a tick ago.
struct Robot {
    drive: Drive,
    now_ns: i64,
    measured: [f64; 2],
    commanded: [f64; 2],
    may_move: bool,
    is_ending: bool,
}

impl Robot {
    fn new(drive: Drive, at: f64) -> Self {
        let commanded = [f64::NAN; 2];
        Self { drive, now_ns: 0, measured: [at, 0.0], commanded, may_move: true, is_ending: false }
    }

    fn tick(&mut self) -> Result<Option<[f64; 2]>, RampRefusal> {
        self.now_ns += TICK_NS;
        let view = View {
            measured: &self.measured,
            commanded: &self.commanded,
            may_move: self.may_move,
            is_ending: self.is_ending,
        };
        let mut setpoint = [f64::NAN; 2];
        let has_setpoint = self.drive.tick(Moment::from_ns(self.now_ns), view, &mut setpoint)?;
        if has_setpoint {
            (self.measured[0], self.commanded) = (setpoint[0], setpoint);
        }
        Ok(has_setpoint.then_some(setpoint))
    }

    /// Ticks so long; returns the set-points.
    fn run(&mut self, seconds: f64) -> Vec<[f64; 2]> {
        let count = (seconds * 1e9) as i64 / TICK_NS;
        (0..count).filter_map(|_| self.tick().unwrap()).collect()
    }

    fn accept(&mut self, sequence: u64, values: [f64; 2]) -> Result<(), DropReason> {
        let now = Moment::from_ns(self.now_ns);
        let values = values.repeat(CHUNK);
        self.drive.accept(RobotChunk { sequence, captured_at: now, values: &values }, now).map(drop)
    }
}

#[test]
fn the_policy_takes_over_at_the_end_of_a_slow_move() {
    let mut robot = Robot::new(drive(0.4, false), 0.0);
    assert_eq!(robot.accept(0, [0.9, 0.1]), Err(DropReason::Holding));
    // 0.4 rad at 0.5 rad/s, 15/8 of a straight line's time.
    let on_the_way = robot.run(1.55);
    assert!(
        on_the_way.windows(2).all(|pair| pair[1][0] >= pair[0][0] && pair[1][0] - pair[0][0] <= 0.005 + 1e-9)
    );
    assert!(on_the_way.iter().all(|setpoint| setpoint[1] == 0.0 && setpoint[0] <= 0.4));
    assert_eq!(robot.accept(1, [0.9, 0.1]), Ok(()));
    let played = robot.run(0.2);
    assert_eq!((played[0][0], played[19]), (0.4, [0.9, 0.1]));
}

#[test]
fn nobody_moves_before_it_is_known_where_everything_is_and_allowed() {
    let mut robot = Robot::new(drive(0.4, false), 0.0);
    robot.may_move = false;
    assert!(robot.run(0.5).is_empty());
    robot.may_move = true;
    robot.measured[0] = f64::NAN;
    assert_eq!(robot.tick(), Err(RampRefusal::NoFeedback { joint: 0 }));
    let mut robot = Robot::new(drive(0.4, false), -0.7);
    assert!(
        matches!(robot.tick(), Err(RampRefusal::TooFar { joint: 0, distance }) if (distance - 1.1).abs() < 1e-9)
    );
}

#[test]
fn after_a_hold_the_policy_goes_on_from_where_the_robot_stands_and_with_new_chunks_only() {
    let mut robot = Robot::new(drive(0.0, false), 0.0);
    robot.run(0.1);
    robot.accept(0, [0.3, 0.2]).unwrap();
    robot.run(0.5);
    robot.may_move = false;
    assert!(robot.run(0.1).is_empty());
    // It stood still a little off: a hold brakes.
    robot.commanded[0] = 0.31;
    assert_eq!(robot.accept(1, [0.5, 0.2]), Err(DropReason::Holding));
    robot.may_move = true;
    assert_eq!(robot.tick(), Ok(Some([0.31, 0.0])));
    robot.accept(2, [0.5, 0.2]).unwrap();
    let resumed = robot.run(0.2);
    assert_eq!((resumed[0], resumed[19]), ([0.31, 0.0], [0.5, 0.2]));
    let outcomes: Vec<Outcome> =
        std::iter::from_fn(|| robot.drive.next_ending()).map(|ending| ending.outcome).collect();
    assert!(matches!(
        outcomes[..],
        [Outcome::Published { .. }, Outcome::Dropped { reason: DropReason::Holding }]
    ));
}

#[test]
fn at_the_end_the_base_stands_at_once_and_the_arm_goes_back_if_it_shall() {
    for goes_back in [false, true] {
        let mut robot = Robot::new(drive(0.2, goes_back), 0.05);
        robot.run(1.0);
        robot.accept(0, [0.4, 0.3]).unwrap();
        robot.run(0.3);
        assert_eq!(robot.commanded, [0.4, 0.3]);
        robot.is_ending = true;
        let ending = robot.run(3.0);
        assert!(robot.drive.is_done());
        assert!(ending.iter().all(|setpoint| setpoint[1] == 0.0), "{goes_back}");
        // The base goes on with the last velocity it heard of: it has to hear of none, more than once.
        let (rest, at_rest) = (ending.last().unwrap(), ending.iter().rev());
        assert_eq!(rest[0], if goes_back { 0.05 } else { 0.4 });
        assert!(at_rest.take_while(|setpoint| *setpoint == rest).count() >= 20);
    }
}

/// The safety core takes its time over a base, and what it was last told counts.
#[test]
fn a_base_that_runs_out_is_told_to_stand_once_it_does() {
    let mut robot = Robot::new(drive(0.0, false), 0.0);
    robot.run(0.1);
    robot.accept(0, [0.0, 0.3]).unwrap();
    robot.run(0.3);
    robot.is_ending = true;
    for tick in 0..100 {
        assert_eq!(robot.tick(), Ok(Some([0.0, 0.0])));
        robot.commanded[1] = 0.3 - 0.003 * f64::from(tick);
    }
    assert!(!robot.drive.is_done());
    assert!(robot.run(1.0).len() >= 20);
    assert!(robot.drive.is_done());
}

#[test]
fn a_run_that_never_moved_ends_at_once() {
    let mut robot = Robot::new(drive(0.2, true), 0.0);
    robot.may_move = false;
    robot.is_ending = true;
    assert_eq!(robot.tick(), Ok(None));
    assert!(robot.drive.is_done());
}
