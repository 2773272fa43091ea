//! A robot that goes where it is commanded, more or less, and everything that may go wrong about it.

use rand::{Rng, RngCore};
use sinew_models::embodiment::{Embodiment, GroupKind};
use sinew_proto::Stamp;
use sinew_runtime::clock::Moment;
use sinew_runtime::config::Config;
use sinew_runtime::motion::{Joints, Measured, Setpoint};
use sinew_runtime::safety::{InputKind, Inputs, Operator, OtherInput, RobotStatus, Safety, SafetyConfig};

const NS_PER_S: f64 = 1e9;

/// SplitMix64 (Steele, Lea and Flood, 2014): fast even where nothing is optimised.
pub(crate) struct Random(pub(crate) u64);

impl RngCore for Random {
    fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn next_u32(&mut self) -> u32 {
        (self.next_u64() >> 32) as u32
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        bytes.fill_with(|| self.next_u64() as u8);
    }
}

pub(crate) fn config(dead_man: bool) -> SafetyConfig {
    SafetyConfig { dead_man, ..Config::built_in().unwrap().safety }
}

/// What a test holds in its hands: time, inputs, the robot's joints.
#[derive(Clone)]
pub(crate) struct Rig {
    pub(crate) joints: Joints,
    pub(crate) now: Moment,
    pub(crate) wall: Stamp,
    pub(crate) measured: Measured,
    pub(crate) position: Vec<f64>,
    pub(crate) others: Vec<Option<Moment>>,
    pub(crate) inference_at: Option<Moment>,
    pub(crate) operator: Operator,
    pub(crate) status: RobotStatus,
}

impl Rig {
    pub(crate) fn new(robot: &Embodiment, position: Vec<f64>) -> Self {
        let joints = Joints::new(robot, |_| true);
        Self {
            now: Moment::from_ns(5_000_000_000),
            wall: Stamp::from_ns(1_700_000_000_000_000_000),
            measured: Measured::nothing(&joints),
            position,
            others: vec![None],
            inference_at: None,
            operator: Operator::default(),
            status: RobotStatus::default(),
            joints,
        }
    }

    pub(crate) fn safety(&self, robot: &Embodiment, config: &SafetyConfig) -> Safety {
        let camera = OtherInput { name: "camera.head".to_owned(), kind: InputKind::Camera };
        Safety::new(robot, &self.joints, config, vec![camera]).unwrap()
    }

    pub(crate) fn inputs(&self) -> Inputs<'_> {
        Inputs {
            measured: &self.measured,
            wall: self.wall,
            others: &self.others,
            inference_at: self.inference_at,
            operator: self.operator,
            robot: self.status,
        }
    }

    /// Both clocks go on.
    pub(crate) fn advance(&mut self, seconds: f64) {
        let ns = (seconds * NS_PER_S) as i64;
        self.now = self.now.plus_ns(ns);
        self.wall = Stamp::from_ns(self.wall.ns() + ns);
    }

    /// Every input arrives now.
    pub(crate) fn hear(&mut self) {
        for group in 0..self.joints.groups().len() {
            self.hear_group(group, 0.0);
        }
        self.others.fill(Some(self.now));
        self.inference_at = Some(self.now);
        self.operator.alive_at = Some(self.now);
    }

    /// A group's feedback arrives now, all joints off by so much.
    pub(crate) fn hear_group(&mut self, group: usize, offset: f64) {
        let described = self.joints.groups()[group].clone();
        let numbers: Vec<f64> = self.position[described.span].iter().map(|p| p + offset).collect();
        match described.kind {
            GroupKind::Position => self.measured.update(&self.joints, group, self.now, &numbers, &[]),
            GroupKind::Velocity => self.measured.update(&self.joints, group, self.now, &[], &numbers),
        }
    }

    /// The joints go some of the way to a command.
    pub(crate) fn obey(&mut self, command: Option<&Setpoint>, share: f64) {
        let Some(command) = command else { return };
        for (position, wanted) in self.position.iter_mut().zip(&command.values) {
            *position += share * (wanted - *position);
        }
    }
}

/// A set-point that wanders: towards one posture after another, at speeds of which some are too high.
pub(crate) struct Wanderer {
    goal: Vec<f64>,
    at: Vec<f64>,
    share: f64,
    left: usize,
}

impl Wanderer {
    pub(crate) fn new(at: &[f64]) -> Self {
        Self { goal: at.to_vec(), at: at.to_vec(), share: 0.0, left: 0 }
    }

    /// Goes on from another posture.
    pub(crate) fn move_to(&mut self, at: &[f64]) {
        self.at.copy_from_slice(at);
        self.left = 0;
    }

    pub(crate) fn tick(&mut self, joints: &Joints, rng: &mut Random, setpoint: &mut Setpoint) {
        if self.left == 0 {
            self.left = rng.random_range(1..300);
            self.share = [0.005, 0.02, 0.05, 0.3][rng.random_range(0..4)];
            let reach = [0.1, 0.4, 1.2][rng.random_range(0..3)];
            for (goal, axis) in self.goal.iter_mut().zip(joints.axes()) {
                let (middle, half) = ((axis.lower + axis.upper) / 2.0, (axis.upper - axis.lower) / 2.0);
                let near = *goal + reach * half * rng.random_range(-1.0..1.0);
                *goal = near.clamp(middle - 1.3 * half, middle + 1.3 * half);
            }
        }
        self.left -= 1;
        for (at, goal) in self.at.iter_mut().zip(&self.goal) {
            *at += self.share * (goal - *at);
        }
        setpoint.values.copy_from_slice(&self.at);
    }
}
