//! From bundle, robot description and configuration to what moves the robot.

use crate::command::CommandPlan;
use crate::config::{Config, EndPosture, SetpointConfig, StartPosture};
use crate::drive::{Drive, SlowMoves};
use crate::error::Error;
use crate::motion::{GroupSpan, Joints};
use crate::plan::{CameraInput, Plan};
use crate::safety::{InputKind, JointLimits, OtherInput, Safety};
use crate::schedule::{Conditioner, Continuation, Schedule, ScheduleOptions, schedule_options};
use crate::setpoint::{SetpointOutput, setpoint_outputs};
use crate::status::StatusTopic;
use sinew_models::contract::Manifest;
use sinew_models::embodiment::GroupKind;
use sinew_models::unit::Unit;

/// What moves the robot, checked.
#[derive(Clone, Debug)]
pub struct MotionPlan {
    /// The robot's joints.
    pub joints: Joints,
    /// Set-points to messages.
    pub outputs: Vec<SetpointOutput>,
    /// What keeps them within limits.
    pub safety: Safety,
    /// What the robot says of itself.
    pub status: Vec<StatusTopic>,
    /// How many cameras there are.
    pub camera_count: usize,
    /// Whether the policy takes over in its training's start posture, rather than where the robot stands.
    pub moves_to_start: bool,
    moves: SlowMoves,
    options: ScheduleOptions,
    continuation: Continuation,
    action_dim: usize,
    shape: (usize, usize),
}

impl MotionPlan {
    /// Checks that the robot can be moved as configured. Nothing if it is not to be.
    ///
    /// # Errors
    /// If the policy was not trained for the schedule, or the robot description lacks something.
    pub fn new(plan: &Plan, config: &Config) -> Result<Option<Self>, Error> {
        let manifest = &plan.bundle.manifest;
        let (options, continuation) = schedule_options(&config.schedule, manifest)?;
        if !config.setpoints.publish {
            return Ok(None);
        }
        let joints = Joints::new(&plan.embodiment, |group| plan.commands.commands_group(group));
        let status = StatusTopic::of(&plan.embodiment)?;
        let camera = |camera: &CameraInput| OtherInput {
            name: format!("camera.{}", camera.spec.name),
            kind: InputKind::Camera,
        };
        let others = plan.cameras.iter().map(camera).chain(status.iter().map(StatusTopic::input)).collect();
        let safety = Safety::new(&plan.embodiment, &joints, &config.safety, others)?;
        let limits = safety.limits();
        let (moves, moves_to_start) =
            slow_moves(manifest, &plan.commands, &joints, limits, &config.setpoints);
        Ok(Some(Self {
            outputs: setpoint_outputs(&plan.embodiment, &joints, limits)?,
            safety,
            status,
            camera_count: plan.cameras.len(),
            joints,
            moves_to_start,
            moves,
            options,
            continuation,
            action_dim: manifest.action.dimensions.len(),
            shape: (manifest.model.chunk_size, manifest.model.max_action_dim),
        }))
    }

    /// What moves the robot when, before anything has arrived.
    #[must_use]
    pub fn drive(&self) -> Drive {
        let kinds: Vec<GroupKind> = self.joints.axes().iter().map(|axis| axis.kind).collect();
        Drive::new(Schedule::new(self.options.clone(), &kinds), self.moves.clone())
    }

    /// What makes chunks go on from each other.
    #[must_use]
    pub fn conditioner(&self) -> Conditioner {
        Conditioner::new(self.continuation, self.action_dim, self.shape)
    }
}

/// Slow moves, and whether there is one to the start posture.
fn slow_moves(
    manifest: &Manifest,
    commands: &CommandPlan,
    joints: &Joints,
    limits: &[JointLimits],
    config: &SetpointConfig,
) -> (SlowMoves, bool) {
    let posture: Vec<f32> = manifest.training.start_posture.iter().map(|value| *value as f32).collect();
    let is_trained = config.start == StartPosture::Trained && !posture.is_empty();
    let trained = is_trained.then(|| commands.robot_values(&posture, joints));
    let count = joints.count();
    let mut moves = SlowMoves {
        joints: vec![false; count].into(),
        start: vec![f64::NAN; count].into(),
        max_speed: vec![f64::INFINITY; count].into(),
        max_distance: vec![f64::INFINITY; count].into(),
        goes_back: config.end == EndPosture::Return,
    };
    let is_moved = |group: &&GroupSpan| group.is_commanded && group.kind == GroupKind::Position;
    for group in joints.groups().iter().filter(is_moved) {
        for joint in group.span.clone() {
            let limits = &limits[joint];
            moves.joints[joint] = true;
            moves.max_speed[joint] = limits.velocity * config.slow_speed;
            moves.max_distance[joint] = match group.unit {
                Unit::Radian => config.max_slow_move_rad,
                Unit::Degree => config.max_slow_move_rad.to_degrees(),
                _ => f64::INFINITY,
            };
            if let Some(trained) = &trained {
                moves.start[joint] = trained[joint].clamp(limits.lower, limits.upper);
            }
        }
    }
    (moves, is_trained)
}
