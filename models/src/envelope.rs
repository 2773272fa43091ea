//! What a robot may do at most when a policy commands it: speeds, accelerations, room for its hands, distances between
//! its parts. Smaller than what the hardware can do.

use crate::embodiment::{Group, GroupKind};
use serde::{Deserialize, Serialize};

/// A number for all joints of a group, or one a joint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PerJoint {
    /// The same for all.
    All(f64),
    /// One a joint, in the group's order.
    Each(Vec<f64>),
}

impl PerJoint {
    /// The number of a joint; none if there are fewer.
    pub fn of(&self, joint: usize) -> Option<f64> {
        match self {
            Self::All(value) => Some(*value),
            Self::Each(values) => values.get(joint).copied(),
        }
    }

    /// Checks that there is one number a joint and that all of them are allowed.
    ///
    /// # Errors
    /// Says what was expected and found.
    pub fn check(
        &self,
        joint_count: usize,
        expected: &str,
        allow: impl Fn(f64) -> bool,
    ) -> Result<(), String> {
        let values = match self {
            Self::All(value) => std::slice::from_ref(value),
            Self::Each(values) if values.len() == joint_count => values,
            Self::Each(values) => {
                return Err(format!("{} numbers, expected 1 or {joint_count}", values.len()));
            }
        };
        let wrong = values.iter().find(|value| !(value.is_finite() && allow(**value)));
        wrong.map_or(Ok(()), |value| Err(format!("{value}, expected {expected}")))
    }
}

/// Limits of what a group is commanded, in its unit, per second where they are rates.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operating {
    /// Largest speed.
    pub velocity: PerJoint,
    /// Largest acceleration, and deceleration.
    pub acceleration: PerJoint,
    /// Largest change of the acceleration; none where it is not limited. Position groups may have one.
    pub jerk: Option<PerJoint>,
    /// How far inside the joints' limits commands stay. Position groups have one.
    pub margin: Option<PerJoint>,
    /// Farthest that a command may be from where the joint is. Position groups have one.
    pub lead: Option<PerJoint>,
}

impl Operating {
    /// Checks the limits against the group they are for.
    pub(crate) fn validate(&self, group: &Group) -> Result<(), String> {
        let count = group.joints.len();
        let check = |what: &str, value: &PerJoint, expected: &str, allow: &dyn Fn(f64) -> bool| {
            value.check(count, expected, allow).map_err(|e| format!("group `{}`: {what} is {e}", group.name))
        };
        let positive = |value: f64| value > 0.0;
        check("velocity", &self.velocity, "more than 0", &positive)?;
        check("acceleration", &self.acceleration, "more than 0", &positive)?;
        if let Some(jerk) = &self.jerk {
            check("jerk", jerk, "more than 0", &positive)?;
        }
        match (group.kind, &self.margin, &self.lead) {
            (GroupKind::Position, Some(margin), Some(lead)) => {
                check("margin", margin, "0 or more", &|value| value >= 0.0)?;
                check("lead", lead, "more than 0", &positive)?;
            }
            (GroupKind::Velocity, None, None) if self.jerk.is_none() => {}
            (GroupKind::Position, ..) => {
                return Err(format!("group `{}`: a position group has a margin and a lead", group.name));
            }
            (GroupKind::Velocity, ..) => {
                return Err(format!(
                    "group `{}`: a velocity group has no margin, no lead and no jerk",
                    group.name
                ));
            }
        }
        group.joints.iter().enumerate().try_for_each(|(index, joint)| {
            let contradiction = |what: &str, found: f64, limit: f64| {
                Err(format!("joint `{}`: {what} {found} is more than the {limit} it can do", joint.name))
            };
            let velocity = self.velocity.of(index).unwrap_or(f64::NAN);
            let fastest = match group.kind {
                GroupKind::Position => joint.velocity.unwrap_or(f64::INFINITY),
                GroupKind::Velocity => joint.upper.min(-joint.lower),
            };
            if velocity > fastest {
                return contradiction("operating velocity", velocity, fastest);
            }
            let margin = self.margin.as_ref().and_then(|margin| margin.of(index)).unwrap_or(0.0);
            let most = (joint.upper - joint.lower) / 2.0;
            if margin >= most { contradiction("margin", margin, most) } else { Ok(()) }
        })
    }
}

/// A box that a hand's origin stays in, in the base frame, metres.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Workspace {
    /// Its least corner.
    pub lower: [f64; 3],
    /// Its greatest corner.
    pub upper: [f64; 3],
}

/// A round shape about a part of the robot: everything within `radius` of a line in a link's frame, metres.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capsule {
    /// The part it belongs to.
    pub part: String,
    /// The link it moves with.
    pub link: String,
    /// One end of the line.
    pub from: [f64; 3],
    /// The other end.
    pub to: [f64; 3],
    /// The radius.
    pub radius: f64,
}

/// A box about a part of the robot, along the axes of a link, metres.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Block {
    /// The part it belongs to.
    pub part: String,
    /// The link it moves with.
    pub link: String,
    /// Its middle.
    pub center: [f64; 3],
    /// From face to face.
    pub size: [f64; 3],
}

/// Two parts that stay so far from each other, metres.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clearance {
    /// The parts.
    pub parts: [String; 2],
    /// The least distance between their surfaces.
    pub distance: f64,
}

/// Checks shapes and distances against each other.
pub(crate) fn validate_shapes(
    capsules: &[Capsule],
    blocks: &[Block],
    clearances: &[Clearance],
) -> Result<(), String> {
    for capsule in capsules {
        let numbers = capsule.from.iter().chain(&capsule.to);
        if !(capsule.radius > 0.0 && numbers.chain([&capsule.radius]).all(|value| value.is_finite())) {
            return Err(format!("a capsule of `{}` on `{}` is no shape", capsule.part, capsule.link));
        }
    }
    for Block { part, link, center, size } in blocks {
        let is_shape = size.iter().all(|size| *size > 0.0 && size.is_finite());
        if !(is_shape && center.iter().all(|value| value.is_finite())) {
            return Err(format!("a block of `{part}` on `{link}` is no shape"));
        }
    }
    let has_block = |part: &String| blocks.iter().any(|block| block.part == *part);
    let has_shape = |part: &String| has_block(part) || capsules.iter().any(|capsule| capsule.part == *part);
    for Clearance { parts, distance } in clearances {
        let [one, other] = parts;
        if let Some(part) = parts.iter().find(|part| !has_shape(part)) {
            return Err(format!("clearance of `{part}`: it has no capsules or blocks"));
        }
        if has_block(one) && has_block(other) {
            return Err(format!(
                "clearance of `{one}` and `{other}`: both have blocks, and blocks are only held apart from capsules"
            ));
        }
        if !(distance.is_finite() && *distance >= 0.0) {
            return Err(format!("clearance of `{one}` and `{other}` is {distance} m"));
        }
    }
    Ok(())
}

/// Checks that a workspace is a box.
pub(crate) fn validate_workspace(hand: &str, workspace: &Workspace) -> Result<(), String> {
    let Workspace { lower, upper } = workspace;
    let is_box = (0..3).all(|axis| lower[axis] < upper[axis]);
    if is_box { Ok(()) } else { Err(format!("hand `{hand}`: {lower:?} to {upper:?} is no box")) }
}
