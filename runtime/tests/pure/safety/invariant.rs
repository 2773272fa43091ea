//! A million random ticks with random chunks and faults: what leaves is inside limits and rates, or a hold.

use super::checker::Checker;
use super::robot::{Random, Rig, Wanderer, config};
use rand::Rng;
use sinew_models::embodiment::Embodiment;
use sinew_proto::Stamp;
use sinew_runtime::motion::Setpoint;
use sinew_runtime::safety::State;
use std::collections::HashMap;

const R1PRO: &str = include_str!("../../../../models/embodiments/r1pro.toml");
const SO101: &str = include_str!("../../../../models/embodiments/so101.toml");
const TICKS_PER_EPISODE: usize = 2000;

/// A robot described in a file that was changed.
fn described(file: &str, from: &str, to: &str) -> Embodiment {
    assert!(file.contains(from), "{from}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("robot.toml");
    std::fs::write(&path, file.replace(from, to)).unwrap();
    Embodiment::open(&path).unwrap()
}

/// A posture the robot may start in: hands in front, or near it.
fn start(robot: &Embodiment, rng: &mut Random) -> Vec<f64> {
    let home = |name: &str| match name {
        "torso_joint1" => 0.65,
        "torso_joint2" => -1.2,
        "torso_joint3" => -0.65,
        "left_arm_joint1" | "right_arm_joint1" => 0.3,
        "left_arm_joint2" => 0.3,
        "right_arm_joint2" => -0.3,
        "left_arm_joint4" | "right_arm_joint4" => -1.4,
        "left_gripper" | "right_gripper" | "gripper" => 3.0,
        _ => 0.0,
    };
    let joints = robot.groups.iter().flat_map(|group| &group.joints);
    joints.map(|joint| home(&joint.name) + 0.02 * rng.random_range(-1.0..1.0)).collect()
}

/// How long the next tick takes.
fn tick_s(rng: &mut Random) -> f64 {
    match rng.random_range(0..1000) {
        0 => 0.0,
        1 => -10.0,
        2 => 10.0,
        3 => 0.3,
        4..8 => 0.049,
        8..12 => 1e-6,
        12..60 => rng.random_range(0.001..0.04),
        _ => rng.random_range(0.0095..0.0105),
    }
}

/// What goes wrong for a while.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    SilentGroup(usize),
    Shifted(f64),
    NoCamera,
    NoInference,
    NoOperator,
    NoSetpoint,
    NotFinite(f64),
    Jump(f64),
    Blocked,
}

fn fault(rng: &mut Random, group_count: usize) -> (Fault, usize) {
    let kind = match rng.random_range(0..24) {
        0 => Fault::SilentGroup(rng.random_range(0..group_count)),
        1 => Fault::Shifted([0.5, -0.5, 0.05, f64::NAN][rng.random_range(0..4)]),
        2 => Fault::NoCamera,
        3 => Fault::NoInference,
        4 => Fault::NoOperator,
        5 => Fault::NoSetpoint,
        6 => Fault::NotFinite([f64::NAN, f64::INFINITY, -f64::INFINITY][rng.random_range(0..3)]),
        7 => Fault::Jump(rng.random_range(-3.0..3.0)),
        8 => Fault::Blocked,
        _ => Fault::None,
    };
    (kind, rng.random_range(1..150))
}

/// How many ticks ended in each state.
type Visits = HashMap<State, usize>;

/// One episode; says in which tick what was wrong.
fn episode(file: &str, robot: &Embodiment, seed: u64, visits: &mut Visits) -> Result<(), String> {
    let mut rng = Random(seed);
    let mut rig = Rig::new(robot, start(robot, &mut rng));
    let mut safety = rig.safety(robot, &config(seed.is_multiple_of(2)));
    let mut checker = Checker::new(file, robot.clone());
    let mut wanderer = Wanderer::new(&rig.position);
    let mut setpoint = Setpoint::zeros(&rig.joints);
    let (mut now_fault, mut left) = (Fault::None, 100);
    let joint_count = rig.joints.count();
    for tick in 0..TICKS_PER_EPISODE {
        rig.advance(tick_s(&mut rng));
        if rng.random_range(0..2000) == 0 {
            rig.wall = Stamp::from_ns(rig.wall.ns() + [10_000_000_000, -10_000_000_000][tick % 2]);
        }
        if left == 0 {
            (now_fault, left) = fault(&mut rng, rig.joints.groups().len());
        }
        left -= 1;
        let noise = 0.001 * rng.random_range(-1.0..1.0);
        for group in 0..rig.joints.groups().len() {
            match now_fault {
                Fault::SilentGroup(silent) if silent == group => {}
                Fault::Shifted(by) => rig.hear_group(group, by),
                _ => rig.hear_group(group, noise),
            }
        }
        if now_fault != Fault::NoCamera {
            rig.others[0] = Some(rig.now);
        }
        if now_fault != Fault::NoInference {
            rig.inference_at = (tick % 7 != 0).then_some(rig.now);
        }
        if now_fault != Fault::NoOperator {
            rig.operator.alive_at = Some(rig.now);
        }
        rig.operator.stop = rng.random_range(0..3000) == 0;
        rig.operator.resume = rng.random_range(0..100) == 0;
        rig.status.is_taken_over = rng.random_range(0..6000) == 0;
        rig.status.has_fault = rng.random_range(0..6000) == 0;
        rig.status.battery_percent = Some(if rng.random_range(0..6000) == 0 { 5.0 } else { 80.0 });

        wanderer.tick(&rig.joints, &mut rng, &mut setpoint);
        match now_fault {
            Fault::NotFinite(value) => setpoint.values[rng.random_range(0..joint_count)] = value,
            Fault::Jump(by) if left % 40 == 0 => setpoint.values[rng.random_range(0..joint_count)] += by,
            _ => {}
        }
        let wanted = (now_fault != Fault::NoSetpoint).then_some(&setpoint);
        let outcome = safety.tick(rig.now, &rig.inputs(), wanted);
        let state = outcome.state;
        checker
            .check(rig.now.ns(), &outcome, rig.measured.position())
            .map_err(|wrong| format!("seed {seed}, tick {tick}: {wrong}"))?;
        let command = outcome.command.cloned();
        let must_not_run = rig.operator.stop || rig.status.is_taken_over || wanted.is_none();
        if must_not_run && state == State::Running {
            return Err(format!("seed {seed}, tick {tick}: it runs against its orders"));
        }
        if state != State::Running {
            // A schedule goes on from where the robot is.
            let position = command.as_ref().map_or(&rig.position[..], |command| &command.values);
            wanderer.move_to(position);
        }
        *visits.entry(state).or_default() += 1;

        rig.obey(command.as_ref(), if now_fault == Fault::Blocked { 0.0 } else { 0.4 });
    }
    Ok(())
}

fn episodes(file: &str, robot: &Embodiment, seeds: std::ops::Range<u64>) -> Result<Visits, String> {
    let mut visits = Visits::new();
    for seed in seeds {
        episode(file, robot, seed, &mut visits)?;
    }
    Ok(visits)
}

/// Half a million ticks are 250 episodes. The tests are many so that they run side by side.
fn expect_invariant(robot: &str, file: &str, seeds: std::ops::Range<u64>) {
    let visits = episodes(file, &Embodiment::built_in(robot).unwrap(), seeds).unwrap();
    assert!(State::ALL.iter().all(|state| visits[state] > 500), "{visits:?}");
}

#[test]
fn an_r1_pro_is_never_sent_anything_outside_its_limits() {
    expect_invariant("r1pro", R1PRO, 0..125);
}

#[test]
fn an_r1_pro_is_never_sent_anything_outside_its_limits_again() {
    expect_invariant("r1pro", R1PRO, 125..250);
}

#[test]
fn an_so101_is_never_sent_anything_outside_its_limits() {
    expect_invariant("so101", SO101, 1000..1250);
}

/// Arms and torso with a limited jerk too.
#[test]
fn an_r1_pro_with_limited_jerk_is_never_sent_anything_outside_its_limits() {
    let file = R1PRO
        .replace(
            "margin = 0.05, lead = [",
            "jerk = [90.0, 90.0, 90.0, 90.0, 200.0, 200.0, 200.0], margin = 0.05, lead = [",
        )
        .replace("margin = 0.05, lead = 0.2", "jerk = 12.0, margin = 0.05, lead = 0.2");
    let robot = described(&file, "jerk = 12.0", "jerk = 12.0");
    let visits = episodes(&file, &robot, 2000..2060).unwrap();
    assert!(State::ALL.iter().all(|state| visits[state] > 200), "{visits:?}");
    let wrong = episodes(&file, &described(&file, "jerk = 12.0", "jerk = 12.1"), 2000..2060).unwrap_err();
    assert!(wrong.contains("jerk"), "{wrong}");
}

/// The check above sees a limit that is off by little.
#[test]
fn a_limit_that_is_off_is_caught() {
    let cases = [
        ("{ velocity = 0.5, acceleration = 1.0,", "{ velocity = 0.505, acceleration = 1.0,", "velocity"),
        ("{ velocity = 0.5, acceleration = 1.0,", "{ velocity = 0.5, acceleration = 1.01,", "acceleration"),
        ("velocity = [0.3, 0.3, 0.4],", "velocity = [0.3, 0.3, 0.41],", "base velocity"),
        ("acceleration = [0.6, 0.6, 0.8]", "acceleration = [0.6, 0.61, 0.8]", "base acceleration"),
        ("margin = 0.05, lead = [", "margin = 0.049, lead = [", "into the margin"),
        (
            "\"right_gripper\", lower = 0.0, upper = 100.0",
            "\"right_gripper\", lower = 0.0, upper = 100.1",
            "is not in",
        ),
    ];
    for (from, to, expected) in cases {
        let wrong = episodes(R1PRO, &described(R1PRO, from, to), 0..60).unwrap_err();
        assert!(wrong.contains(expected), "{to}: {wrong}");
    }
}
