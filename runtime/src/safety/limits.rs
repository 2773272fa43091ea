//! The limits in force: the robot description's, tightened by the configuration.

use super::options::{GroupOptions, SafetyConfig};
use crate::error::Error;
use crate::motion::Joints;
use sinew_models::embodiment::{Embodiment, Group, GroupKind};
use sinew_models::envelope::{Operating, PerJoint};

/// Limits of one joint's command, in its group's unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct JointLimits {
    /// Least command that is moved to.
    pub lower: f64,
    /// Largest command that is moved to.
    pub upper: f64,
    /// The joint's own lower limit; a joint that starts between it and `lower` may only move inwards.
    pub hard_lower: f64,
    /// The joint's own upper limit.
    pub hard_upper: f64,
    /// Largest speed, per second.
    pub velocity: f64,
    /// Largest acceleration and deceleration, per second squared.
    pub acceleration: f64,
    /// Largest change of the acceleration, per second cubed; infinite where it is not limited.
    pub jerk: f64,
    /// Farthest that a command moves away from where the joint is.
    pub lead: f64,
}

impl JointLimits {
    /// Of a joint that is not commanded.
    const NONE: Self = Self {
        lower: 0.0,
        upper: 0.0,
        hard_lower: 0.0,
        hard_upper: 0.0,
        velocity: 0.0,
        acceleration: 0.0,
        jerk: f64::INFINITY,
        lead: 0.0,
    };
}

/// The limits of every joint; those of groups that are not commanded are empty.
///
/// # Errors
/// If a commanded group has no operating limits, or the configuration names an unknown group or a wider limit.
pub(super) fn limits(
    embodiment: &Embodiment,
    joints: &Joints,
    config: &SafetyConfig,
) -> Result<Box<[JointLimits]>, Error> {
    if let Some(name) = config.limits.keys().find(|name| embodiment.group_index(name).is_none()) {
        let known: Vec<&str> = embodiment.groups.iter().map(|group| group.name.as_str()).collect();
        return Err(Error::mismatch(
            "groups",
            ("the configuration's `safety.limits`", &format!("`{name}`")),
            (&format!("robot `{}`", embodiment.name), &crate::error::quoted(&known)),
        ));
    }
    let mut all = Vec::with_capacity(joints.count());
    for (group, span) in embodiment.groups.iter().zip(joints.groups()) {
        if span.is_commanded {
            let operating = operating(embodiment, group)?;
            let tightened = Tightened { group, operating, options: config.limits.get(&group.name) };
            for joint in 0..group.joints.len() {
                all.push(tightened.joint(joint, config)?);
            }
        } else {
            all.extend(group.joints.iter().map(|_| JointLimits::NONE));
        }
    }
    Ok(all.into())
}

fn operating<'a>(embodiment: &Embodiment, group: &'a Group) -> Result<&'a Operating, Error> {
    group.operating.as_ref().ok_or_else(|| {
        Error::mismatch(
            format!("limits of group `{}`", group.name),
            ("the bundle's action", "it is commanded"),
            (&format!("robot `{}`", embodiment.name), "it has no `operating` limits"),
        )
    })
}

/// A group's limits in the description and in the configuration.
struct Tightened<'a> {
    group: &'a Group,
    operating: &'a Operating,
    options: Option<&'a GroupOptions>,
}

impl Tightened<'_> {
    fn joint(&self, index: usize, config: &SafetyConfig) -> Result<JointLimits, Error> {
        let joint = &self.group.joints[index];
        let velocity =
            self.least(index, "velocity", Some(&self.operating.velocity), |o| o.velocity.as_ref())?;
        let acceleration = self
            .least(index, "acceleration", Some(&self.operating.acceleration), |o| o.acceleration.as_ref())?;
        let velocity = velocity * config.speed_scale;
        let acceleration = acceleration * config.acceleration_scale;
        let (margin, lead) = match self.group.kind {
            GroupKind::Position => (
                self.margin(index)?,
                self.least(index, "lead", self.operating.lead.as_ref(), |o| o.lead.as_ref())?,
            ),
            GroupKind::Velocity => (0.0, f64::INFINITY),
        };
        let (lower, upper) = match self.group.kind {
            GroupKind::Position => (joint.lower + margin, joint.upper - margin),
            GroupKind::Velocity => (joint.lower.max(-velocity), joint.upper.min(velocity)),
        };
        let (hard_lower, hard_upper) = (joint.lower, joint.upper);
        let jerk = self.jerk(index)?;
        Ok(JointLimits { lower, upper, hard_lower, hard_upper, velocity, acceleration, jerk, lead })
    }

    /// A limit that the configuration may lower.
    fn least(
        &self,
        joint: usize,
        what: &str,
        described: Option<&PerJoint>,
        of: impl Fn(&GroupOptions) -> Option<&PerJoint>,
    ) -> Result<f64, Error> {
        let described = described.and_then(|limit| limit.of(joint)).unwrap_or(0.0);
        let Some(given) = self.options.and_then(of) else { return Ok(described) };
        let value = self.one_of(joint, what, given)?;
        let is_tighter = value > 0.0 && value <= described;
        if is_tighter { Ok(value) } else { Err(self.wider(joint, what, value, described)) }
    }

    /// The jerk, which the configuration may limit where the description does not.
    fn jerk(&self, joint: usize) -> Result<f64, Error> {
        let described = self.operating.jerk.as_ref().and_then(|jerk| jerk.of(joint));
        let given = self.options.and_then(|options| options.jerk.as_ref());
        let Some(given) = given else { return Ok(described.unwrap_or(f64::INFINITY)) };
        let value = self.one_of(joint, "jerk", given)?;
        let most = if self.group.kind == GroupKind::Position { described.unwrap_or(f64::MAX) } else { 0.0 };
        if value > 0.0 && value <= most { Ok(value) } else { Err(self.wider(joint, "jerk", value, most)) }
    }

    /// The margin, which the configuration may raise.
    fn margin(&self, joint: usize) -> Result<f64, Error> {
        let described = self.operating.margin.as_ref().and_then(|margin| margin.of(joint)).unwrap_or(0.0);
        let given = self.options.and_then(|options| options.margin.as_ref());
        let Some(given) = given else { return Ok(described) };
        let value = self.one_of(joint, "margin", given)?;
        let limits = &self.group.joints[joint];
        let is_tighter = value >= described && 2.0 * value < limits.upper - limits.lower;
        if is_tighter { Ok(value) } else { Err(self.wider(joint, "margin", value, described)) }
    }

    fn one_of(&self, joint: usize, what: &str, given: &PerJoint) -> Result<f64, Error> {
        let joint_count = self.group.joints.len();
        let found = match given {
            PerJoint::Each(values) if values.len() != joint_count => format!("{} numbers", values.len()),
            given => return Ok(given.of(joint).unwrap_or(f64::NAN)),
        };
        Err(Error::ConfigValue {
            key: self.key(what),
            found,
            expected: format!("one number, or {joint_count}"),
        })
    }

    fn wider(&self, joint: usize, what: &str, found: f64, described: f64) -> Error {
        let unit = self.group.unit;
        let name = &self.group.joints[joint].name;
        Error::ConfigValue {
            key: self.key(what),
            found: found.to_string(),
            expected: format!(
                "no less strict than the robot description's {described} for `{name}` ({unit})"
            ),
        }
    }

    fn key(&self, what: &str) -> String {
        format!("safety.limits.{}.{what}", self.group.name)
    }
}
