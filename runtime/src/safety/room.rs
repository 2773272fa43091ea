//! Postures that are allowed: hands in their boxes, parts apart from each other.

use super::Reason;
use super::options::SafetyConfig;
use crate::error::Error;
use crate::motion::Joints;
use sinew_models::embodiment::Embodiment;
use sinew_models::envelope::Workspace;
use sinew_models::kinematics::{Frame, Kinematics};
use sinew_models::separation::{Placed, Separation};
use sinew_sync::radians;

/// Kept in reserve everywhere: the way to standstill is looked at in a few places only, and between two of them hands and
/// parts come a few millimetres nearer to their limits than at either.
const RESERVE_M: f64 = 0.01;

/// Checks postures. Allocates nothing once it is made.
#[derive(Clone, Debug)]
pub(super) struct Room {
    kinematics: Kinematics,
    separation: Separation,
    hands: Vec<HandRoom>,
    extra_clearance_m: f64,
    /// Of each group: its first joint in the flat vectors, and how many radians one of its units is.
    groups: Vec<(usize, f64)>,
    /// Joints that a posture depends on.
    joints: Vec<usize>,
    frames: Vec<Frame>,
    placed: Vec<Placed>,
}

/// A hand and the box it has to be in.
#[derive(Clone, Debug)]
struct HandRoom {
    hand: usize,
    link: usize,
    workspace: Workspace,
}

impl Room {
    /// Of a robot.
    ///
    /// # Errors
    /// If a joint that moves a link is no angle.
    pub(super) fn new(
        embodiment: &Embodiment,
        joints: &Joints,
        config: &SafetyConfig,
    ) -> Result<Self, Error> {
        let kinematics = embodiment.kinematics.clone();
        for (group, joint) in kinematics.joints() {
            radians(embodiment, group, joint)?;
        }
        let separation = Separation::new(embodiment);
        let hands = embodiment.hands.iter().enumerate().filter_map(|(hand, described)| {
            let link = kinematics.hand_link(hand);
            let workspace = inset(described.workspace?, RESERVE_M + config.workspace_inset_m);
            Some(HandRoom { hand, link, workspace })
        });
        let groups = embodiment.groups.iter().zip(joints.groups());
        Ok(Self {
            hands: hands.collect(),
            groups: groups
                .map(|(group, span)| (span.span.start, group.unit.radians().unwrap_or(0.0)))
                .collect(),
            joints: kinematics.joints().map(|(group, joint)| joints.index(group, joint)).collect(),
            frames: vec![Frame::BASE; kinematics.link_count()],
            placed: separation.room(),
            extra_clearance_m: RESERVE_M + config.extra_clearance_m,
            kinematics,
            separation,
        })
    }

    /// Joints that a posture depends on.
    pub(super) fn joints(&self) -> &[usize] {
        &self.joints
    }

    /// Names of the parts of a pair.
    pub(super) fn parts(&self, pair: usize) -> &[String; 2] {
        &self.separation.pairs()[pair].parts
    }

    /// Whether a posture is allowed. `position` gives a joint's, in its group's unit.
    ///
    /// # Errors
    /// The first thing that is against it.
    pub(super) fn check(&mut self, position: impl Fn(usize) -> f64) -> Result<(), Reason> {
        let groups = &self.groups;
        let position_rad = |group: usize, joint: usize| {
            let (start, radians) = groups[group];
            position(start + joint) * radians
        };
        self.kinematics.frames(&position_rad, &mut self.frames);
        for HandRoom { hand, link, workspace } in &self.hands {
            let at = self.frames[*link].origin_m;
            let is_inside =
                (0..3).all(|axis| (workspace.lower[axis]..=workspace.upper[axis]).contains(&at[axis]));
            if !is_inside {
                return Err(Reason::HandOutside { hand: *hand });
            }
        }
        self.separation.place(&self.frames, &mut self.placed);
        for (index, pair) in self.separation.pairs().iter().enumerate() {
            if !self.separation.are_apart(index, &self.placed, pair.distance_m + self.extra_clearance_m) {
                return Err(Reason::TooClose { pair: index });
            }
        }
        Ok(())
    }
}

fn inset(workspace: Workspace, by_m: f64) -> Workspace {
    Workspace { lower: workspace.lower.map(|x| x + by_m), upper: workspace.upper.map(|x| x - by_m) }
}
