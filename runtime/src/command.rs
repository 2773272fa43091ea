//! A chunk of actions to messages. Pure.
//!
//! Every chunk is said twice: once as the policy sees it, and once per group of joints as ros2_control's joint
//! trajectory controllers take it, in the robot's order and units and within its limits.

use crate::error::Error;
use crate::motion::Joints;
use serde::Serialize;
use sinew_models::contract::Manifest;
use sinew_models::embodiment::{Command, Embodiment, Group, GroupKind, Joint};
use sinew_models::unit::Unit;
use sinew_proto::Stamp;
use sinew_proto::msg::builtin_interfaces::{Duration, Time};
use sinew_proto::msg::sinew_msgs::ActionChunk;
use sinew_proto::msg::std_msgs::Header;
use sinew_proto::msg::trajectory_msgs::{JointTrajectory, JointTrajectoryPoint};

/// Actions in the bundle's order and units.
#[derive(Clone, Debug, PartialEq)]
pub struct Chunk {
    /// Its number.
    pub sequence: u64,
    /// What the policy was told.
    pub instruction: String,
    /// When the reference frame was taken: the time step 0 is meant for.
    pub captured_at: Stamp,
    /// Row-major `[steps, dimensions]`.
    pub values: Vec<f32>,
}

/// A value that was outside its joint's limits.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Clamp {
    /// The joint.
    pub joint: String,
    /// How many of its steps were clamped.
    pub step_count: usize,
    /// The farthest any of them was outside, in the group's unit.
    pub worst: f64,
}

/// One group's part of a chunk.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupCommand {
    /// Index in [`CommandPlan::group_names`].
    pub index: usize,
    /// The message.
    pub trajectory: JointTrajectory,
}

/// A chunk's messages.
#[derive(Clone, Debug, PartialEq)]
pub struct Messages {
    /// As the policy sees it.
    pub chunk: ActionChunk,
    /// As the controllers take it.
    pub groups: Vec<GroupCommand>,
    /// What was outside the joints' limits, in the trajectories only.
    pub clamps: Vec<Clamp>,
}

/// Where each action dimension goes.
#[derive(Clone, Debug)]
pub struct CommandPlan {
    bundle_id: String,
    period_ns: i64,
    names: Vec<String>,
    units: Vec<String>,
    targets: Vec<GroupTarget>,
}

#[derive(Clone, Debug)]
struct GroupTarget {
    group: Group,
    joint_names: Vec<String>,
    /// Of each joint: the action dimension and how it goes onto the wire.
    joints: Vec<(usize, Command)>,
}

impl CommandPlan {
    /// Finds the joint of every action dimension.
    ///
    /// # Errors
    /// If the robot lacks one, does not know its unit, or a group is covered in part or twice.
    pub fn new(manifest: &Manifest, embodiment: &Embodiment) -> Result<Self, Error> {
        let dimensions = &manifest.action.dimensions;
        let mut taken: Vec<Vec<Option<(usize, Command)>>> =
            embodiment.groups.iter().map(|group| vec![None; group.joints.len()]).collect();
        for (index, dimension) in dimensions.iter().enumerate() {
            let command = embodiment.command(&dimension.name, dimension.unit)?;
            let place = &mut taken[command.group][command.joint];
            if let Some((other, _)) = place {
                let joint = &embodiment.groups[command.group].joints[command.joint].name;
                return Err(Error::mismatch(
                    format!("joint `{joint}`"),
                    ("the robot", "it takes one command"),
                    (
                        "the bundle's action",
                        &format!("`{}` and `{}`", dimensions[*other].name, dimension.name),
                    ),
                ));
            }
            *place = Some((index, command));
        }
        let covered =
            embodiment.groups.iter().zip(taken).filter(|(_, joints)| joints.iter().any(Option::is_some));
        let targets = covered.map(|(group, joints)| target(&embodiment.name, group, joints));
        Ok(Self {
            bundle_id: manifest.bundle_id.clone(),
            period_ns: manifest.period_ns(),
            names: dimensions.iter().map(|dimension| dimension.name.clone()).collect(),
            units: dimensions.iter().map(|dimension| wire_unit(dimension.unit)).collect(),
            targets: targets.collect::<Result<_, _>>()?,
        })
    }

    /// The groups that are commanded, in the robot's order.
    pub fn group_names(&self) -> impl Iterator<Item = &str> {
        self.targets.iter().map(|target| target.group.name.as_str())
    }

    /// Time between two steps.
    #[must_use]
    pub fn period_ns(&self) -> i64 {
        self.period_ns
    }

    /// A chunk in the robot's terms: one number a joint and step, in the joints' units and not limited. Zero for joints
    /// that are not commanded.
    ///
    /// # Shapes
    /// `values` is `[steps, dimensions]`, the result `[steps, joints]`.
    #[must_use]
    pub fn robot_values(&self, values: &[f32], joints: &Joints) -> Vec<f64> {
        let mut robot = vec![0.0; values.len() / self.names.len() * joints.count()];
        let steps = values.chunks_exact(self.names.len());
        for (step, row) in steps.zip(robot.chunks_exact_mut(joints.count())) {
            for (dimension, command) in self.targets.iter().flat_map(|target| &target.joints) {
                row[joints.index(command.group, command.joint)] =
                    command.to_wire.apply(f64::from(step[*dimension]));
            }
        }
        robot
    }

    /// Whether a group of the robot, by its index, is commanded.
    #[must_use]
    pub fn commands_group(&self, index: usize) -> bool {
        let commands = self.targets.iter().flat_map(|target| &target.joints);
        commands.into_iter().any(|(_, command)| command.group == index)
    }

    /// The messages of a chunk.
    ///
    /// # Errors
    /// If a value is not finite, or a time cannot be written.
    pub fn messages(&self, chunk: &Chunk, published_at: Stamp) -> Result<Messages, Error> {
        let width = self.names.len();
        if let Some(index) = chunk.values.iter().position(|value| !value.is_finite()) {
            return Err(Error::NotFinite {
                name: self.names[index % width].clone(),
                step: index / width,
                found: chunk.values[index],
            });
        }
        let mut clamps = Vec::new();
        let mut groups = Vec::with_capacity(self.targets.len());
        for (index, target) in self.targets.iter().enumerate() {
            groups.push(GroupCommand { index, trajectory: self.trajectory(target, chunk, &mut clamps)? });
        }
        Ok(Messages { chunk: self.action_chunk(chunk, published_at)?, groups, clamps })
    }

    fn offset_ns(&self, step: usize) -> i64 {
        self.period_ns.saturating_mul(step as i64)
    }

    fn action_chunk(&self, chunk: &Chunk, published_at: Stamp) -> Result<ActionChunk, Error> {
        let width = self.names.len();
        let step_count = chunk.values.len() / width;
        let time = |step| {
            Time::try_from(Stamp::from_ns(chunk.captured_at.ns().saturating_add(self.offset_ns(step))))
        };
        Ok(ActionChunk {
            header: Header { stamp: chunk.captured_at.try_into()?, frame_id: String::new() },
            sequence: chunk.sequence,
            bundle_id: self.bundle_id.clone(),
            instruction: chunk.instruction.clone(),
            published_at: published_at.try_into()?,
            step_count: step_count as u32,
            dimension_count: width as u32,
            names: self.names.clone(),
            units: self.units.clone(),
            step_times: (0..step_count).map(time).collect::<Result<_, _>>()?,
            values: chunk.values.clone(),
        })
    }

    fn trajectory(
        &self,
        target: &GroupTarget,
        chunk: &Chunk,
        clamps: &mut Vec<Clamp>,
    ) -> Result<JointTrajectory, Error> {
        let steps = chunk.values.chunks_exact(self.names.len());
        let mut limiters: Vec<Limiter> = target.group.joints.iter().map(Limiter::new).collect();
        let point = |(step, values): (usize, &[f32])| {
            let joints = target.joints.iter().zip(&mut limiters);
            let numbers = joints
                .map(|((dimension, command), limiter)| {
                    limiter.clamp(command.to_wire.apply(f64::from(values[*dimension])))
                })
                .collect();
            let time_from_start = Duration::from_ns(self.offset_ns(step))?;
            let point = JointTrajectoryPoint { time_from_start, ..JointTrajectoryPoint::default() };
            Ok(match target.group.kind {
                GroupKind::Position => JointTrajectoryPoint { positions: numbers, ..point },
                GroupKind::Velocity => JointTrajectoryPoint { velocities: numbers, ..point },
            })
        };
        let points = steps.enumerate().map(point).collect::<Result<_, Error>>()?;
        clamps.extend(limiters.into_iter().filter_map(Limiter::finish));
        Ok(JointTrajectory {
            header: Header { stamp: chunk.captured_at.try_into()?, frame_id: String::new() },
            joint_names: target.joint_names.clone(),
            points,
        })
    }
}

fn target(robot: &str, group: &Group, joints: Vec<Option<(usize, Command)>>) -> Result<GroupTarget, Error> {
    let joint_names: Vec<String> = group.joints.iter().map(|joint| joint.name.clone()).collect();
    let lacking = joint_names.iter().zip(&joints).filter(|(_, place)| place.is_none());
    let missing: Vec<String> = lacking.map(|(name, _)| name.clone()).collect();
    if !missing.is_empty() {
        return Err(Error::IncompleteGroup {
            robot: robot.to_owned(),
            group: group.name.clone(),
            joint_count: joint_names.len(),
            missing,
        });
    }
    Ok(GroupTarget { group: group.clone(), joint_names, joints: joints.into_iter().flatten().collect() })
}

/// `ActionChunk` has no symbol for a pure number.
fn wire_unit(unit: Unit) -> String {
    if unit == Unit::One { String::new() } else { unit.symbol().to_owned() }
}

/// Keeps one joint within its limits and remembers when it had to.
struct Limiter<'a> {
    joint: &'a Joint,
    step_count: usize,
    worst: f64,
}

impl<'a> Limiter<'a> {
    fn new(joint: &'a Joint) -> Self {
        Self { joint, step_count: 0, worst: 0.0 }
    }

    fn clamp(&mut self, value: f64) -> f64 {
        let within = value.clamp(self.joint.lower, self.joint.upper);
        let outside = (value - within).abs();
        // A limit that the policy hits exactly comes back from float32 a hair outside.
        if outside > f64::from(f32::EPSILON) * within.abs() {
            self.step_count += 1;
            self.worst = self.worst.max(outside);
        }
        within
    }

    fn finish(self) -> Option<Clamp> {
        let Self { joint, step_count, worst } = self;
        (step_count > 0).then(|| Clamp { joint: joint.name.clone(), step_count, worst })
    }
}
