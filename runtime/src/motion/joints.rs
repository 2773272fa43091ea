//! All joints of a robot in one fixed order.

use sinew_models::embodiment::{Embodiment, GroupKind};
use sinew_models::unit::Unit;
use std::ops::Range;

/// One joint, or one axis of the base.
#[derive(Clone, Debug, PartialEq)]
pub struct JointAxis {
    /// Its name.
    pub name: String,
    /// Index of its group, in the embodiment's order.
    pub group: usize,
    /// How it is commanded.
    pub kind: GroupKind,
    /// Smallest command, in the group's unit.
    pub lower: f64,
    /// Largest command, in the group's unit.
    pub upper: f64,
}

/// A group's place among the joints.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupSpan {
    /// Its name.
    pub name: String,
    /// How it is commanded.
    pub kind: GroupKind,
    /// The unit of its commands and feedback on the wire.
    pub unit: Unit,
    /// Where its joints are in the flat vectors.
    pub span: Range<usize>,
    /// Whether the policy commands it. A group is commanded whole or not at all.
    pub is_commanded: bool,
    /// Whether it reports.
    pub has_feedback: bool,
}

/// The joints of a robot: its groups in the embodiment's order, and in each its joints in the wire's.
#[derive(Clone, Debug, PartialEq)]
pub struct Joints {
    groups: Vec<GroupSpan>,
    axes: Vec<JointAxis>,
}

impl Joints {
    /// Lays out the joints of a robot. `is_commanded` is asked for each group's index.
    #[must_use]
    pub fn new(embodiment: &Embodiment, is_commanded: impl Fn(usize) -> bool) -> Self {
        let mut groups = Vec::with_capacity(embodiment.groups.len());
        let mut axes = Vec::new();
        for (index, group) in embodiment.groups.iter().enumerate() {
            let start = axes.len();
            axes.extend(group.joints.iter().map(|joint| JointAxis {
                name: joint.name.clone(),
                group: index,
                kind: group.kind,
                lower: joint.lower,
                upper: joint.upper,
            }));
            groups.push(GroupSpan {
                name: group.name.clone(),
                kind: group.kind,
                unit: group.unit,
                span: start..axes.len(),
                is_commanded: is_commanded(index),
                has_feedback: group.feedback.is_some(),
            });
        }
        Self { groups, axes }
    }

    /// How many joints there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.axes.len()
    }

    /// The groups, in the embodiment's order.
    #[must_use]
    pub fn groups(&self) -> &[GroupSpan] {
        &self.groups
    }

    /// The joints.
    #[must_use]
    pub fn axes(&self) -> &[JointAxis] {
        &self.axes
    }

    /// Place of a joint in the flat vectors, from the embodiment's indices of group and joint.
    #[must_use]
    pub fn index(&self, group: usize, joint: usize) -> usize {
        self.groups[group].span.start + joint
    }

    /// Whether a joint is commanded.
    #[must_use]
    pub fn is_commanded(&self, joint: usize) -> bool {
        self.groups[self.axes[joint].group].is_commanded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_r1_pro_has_23_axes_in_the_order_of_its_groups() {
        let robot = Embodiment::built_in("r1pro").unwrap();
        let joints = Joints::new(&robot, |group| group != 0);
        let spans: Vec<_> =
            joints.groups().iter().map(|group| (group.name.as_str(), group.span.clone())).collect();
        let expected = [
            ("base", 0..3),
            ("torso", 3..7),
            ("left_arm", 7..14),
            ("left_gripper", 14..15),
            ("right_arm", 15..22),
            ("right_gripper", 22..23),
        ];
        assert_eq!(spans, expected);
        let right_arm = robot.group_index("right_arm").unwrap();
        let joint2 = &joints.axes()[joints.index(right_arm, 1)];
        assert_eq!((joint2.name.as_str(), joint2.upper), ("right_arm_joint2", 0.1745));
        assert!(!joints.is_commanded(2) && joints.is_commanded(3));
    }
}
