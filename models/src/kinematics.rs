//! Forward kinematics: where the links are, from the joints' positions.

use crate::embodiment::{Group, Hand};
use serde::Deserialize;

/// A joint of the kinematic tree, as a URDF has it: the child's frame in the parent's, turned about `axis`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// The joint.
    pub joint: String,
    /// The link it starts from.
    pub parent: String,
    /// The link it carries.
    pub child: String,
    /// Origin of the child in the parent, metres.
    pub xyz: [f64; 3],
    /// Roll, pitch, yaw of the child in the parent, radians.
    #[serde(default)]
    pub rpy: [f64; 3],
    /// The axis it turns about, in its own frame; none if it is fixed.
    pub axis: Option<[f64; 3]>,
}

type Matrix = [[f64; 3]; 3];

/// Where a link is in the base frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Frame {
    /// Its axes, in columns.
    pub rotation: [[f64; 3]; 3],
    /// Its origin, metres.
    pub origin_m: [f64; 3],
}

impl Frame {
    /// The base itself.
    pub const BASE: Self = Self { rotation: IDENTITY, origin_m: [0.0; 3] };

    /// A point of the link, in the base frame, metres.
    pub fn point_m(&self, local_m: [f64; 3]) -> [f64; 3] {
        let moved = transform(&self.rotation, local_m);
        std::array::from_fn(|axis| self.origin_m[axis] + moved[axis])
    }
}

/// A link that somebody asks for, or one on the way to it.
#[derive(Clone, Debug)]
struct Node {
    link: String,
    /// Index of the link it hangs on, which comes before it.
    parent: usize,
    origin_m: [f64; 3],
    rotation: Option<Matrix>,
    /// Axis, group, joint.
    turn: Option<([f64; 3], usize, usize)>,
}

impl Node {
    fn frame(&self, parent: &Frame, turn_rad: f64) -> Frame {
        let origin_m = parent.point_m(self.origin_m);
        let mut rotation = parent.rotation;
        if let Some(fixed) = &self.rotation {
            rotation = multiply(&rotation, fixed);
        }
        if let Some((axis, ..)) = self.turn {
            rotation = multiply(&rotation, &about_axis(axis, turn_rad));
        }
        Frame { rotation, origin_m }
    }

    fn turn_rad(&self, position_rad: impl Fn(usize, usize) -> f64) -> f64 {
        self.turn.map_or(0.0, |(_, group, joint)| position_rad(group, joint))
    }
}

/// The tree of links from the base to the hands and to whatever else is asked for.
#[derive(Clone, Debug)]
pub struct Kinematics {
    /// Parents before children. The base is the first, and its own parent.
    nodes: Vec<Node>,
    /// Of each hand: the links from the base to it.
    chains: Vec<Vec<usize>>,
}

impl Kinematics {
    /// Finds the chains from `base_link` to each hand's link and to the other links in `also`.
    pub(crate) fn new<'a>(
        links: &[Link],
        base_link: &str,
        hands: &[Hand],
        also: impl Iterator<Item = &'a str>,
        groups: &[Group],
    ) -> Result<Self, String> {
        let base =
            Node { link: base_link.to_owned(), parent: 0, origin_m: [0.0; 3], rotation: None, turn: None };
        let mut tree = Self { nodes: vec![base], chains: Vec::new() };
        for hand in hands {
            let end =
                tree.add(links, &hand.link, groups).map_err(|e| format!("hand `{}`: {e}", hand.name))?;
            tree.chains.push(tree.chain_to(end));
        }
        for link in also {
            tree.add(links, link, groups)?;
        }
        Ok(tree)
    }

    /// Adds a link and what it hangs on, where they are not there yet.
    fn add(&mut self, links: &[Link], name: &str, groups: &[Group]) -> Result<usize, String> {
        let mut missing = Vec::new();
        let mut at = name;
        let mut parent = loop {
            if let Some(known) = self.link(at) {
                break known;
            }
            if missing.len() > links.len() {
                return Err(format!("the links above `{name}` form a loop"));
            }
            let link = links.iter().find(|link| link.child == at);
            let link = link.ok_or_else(|| format!("no joint carries link `{at}`"))?;
            missing.push(link);
            at = &link.parent;
        };
        for link in missing.into_iter().rev() {
            self.nodes.push(node(link, parent, groups)?);
            parent = self.nodes.len() - 1;
        }
        Ok(parent)
    }

    fn chain_to(&self, end: usize) -> Vec<usize> {
        let mut chain: Vec<usize> =
            std::iter::successors(Some(end), |at| (*at != 0).then(|| self.nodes[*at].parent)).collect();
        chain.reverse();
        chain
    }

    /// How many links are known; [`Self::frames`] needs room for each.
    pub fn link_count(&self) -> usize {
        self.nodes.len()
    }

    /// Index of a link, if it is known.
    pub fn link(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.link == name)
    }

    /// Index of a hand's link.
    pub fn hand_link(&self, hand: usize) -> usize {
        self.chains[hand].last().copied().unwrap_or(0)
    }

    /// Groups and joints that a hand's position depends on.
    pub fn joints_of(&self, hand: usize) -> impl Iterator<Item = (usize, usize)> {
        self.chains[hand].iter().filter_map(|link| self.joint_of(*link))
    }

    /// Groups and joints that any known link depends on.
    pub fn joints(&self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.nodes.len()).filter_map(|link| self.joint_of(link))
    }

    fn joint_of(&self, link: usize) -> Option<(usize, usize)> {
        self.nodes[link].turn.map(|(_, group, joint)| (group, joint))
    }

    /// Position of a hand in the base frame, metres. `position_rad(group, joint)` is the joint's position.
    pub fn hand_position_m(&self, hand: usize, position_rad: impl Fn(usize, usize) -> f64) -> [f64; 3] {
        let step = |frame: Frame, link: &usize| {
            let node = &self.nodes[*link];
            node.frame(&frame, node.turn_rad(&position_rad))
        };
        self.chains[hand].iter().fold(Frame::BASE, step).origin_m
    }

    /// Where all known links are. Allocates nothing. `position_rad(group, joint)` is the joint's position.
    ///
    /// # Shapes
    /// `frames` has [`Self::link_count`] entries.
    pub fn frames(&self, position_rad: &dyn Fn(usize, usize) -> f64, frames: &mut [Frame]) {
        frames[0] = Frame::BASE;
        for (link, node) in self.nodes.iter().enumerate().skip(1) {
            frames[link] = node.frame(&frames[node.parent], node.turn_rad(position_rad));
        }
    }
}

fn node(link: &Link, parent: usize, groups: &[Group]) -> Result<Node, String> {
    let turn = link.axis.map(|axis| {
        let place = groups.iter().enumerate().find_map(|(group, described)| {
            described.joints.iter().position(|joint| joint.name == link.joint).map(|joint| (group, joint))
        });
        let (group, joint) =
            place.ok_or_else(|| format!("joint `{}` moves but is in no group", link.joint))?;
        Ok::<_, String>((axis, group, joint))
    });
    let rotation = (link.rpy != [0.0; 3]).then(|| from_rpy(link.rpy));
    Ok(Node { link: link.child.clone(), parent, origin_m: link.xyz, rotation, turn: turn.transpose()? })
}

const IDENTITY: Matrix = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

fn multiply(a: &Matrix, b: &Matrix) -> Matrix {
    std::array::from_fn(|row| std::array::from_fn(|column| (0..3).map(|k| a[row][k] * b[k][column]).sum()))
}

fn transform(a: &Matrix, v: [f64; 3]) -> [f64; 3] {
    std::array::from_fn(|row| (0..3).map(|k| a[row][k] * v[k]).sum())
}

/// URDF's fixed-axis roll, pitch, yaw: `Rz(yaw) Ry(pitch) Rx(roll)`.
fn from_rpy([roll, pitch, yaw]: [f64; 3]) -> Matrix {
    let x = about_axis([1.0, 0.0, 0.0], roll);
    let y = about_axis([0.0, 1.0, 0.0], pitch);
    let z = about_axis([0.0, 0.0, 1.0], yaw);
    multiply(&z, &multiply(&y, &x))
}

/// Rodrigues' formula; `axis` has length one.
fn about_axis([x, y, z]: [f64; 3], angle_rad: f64) -> Matrix {
    let (sin, cos) = angle_rad.sin_cos();
    let rest = 1.0 - cos;
    [
        [cos + x * x * rest, x * y * rest - z * sin, x * z * rest + y * sin],
        [y * x * rest + z * sin, cos + y * y * rest, y * z * rest - x * sin],
        [z * x * rest - y * sin, z * y * rest + x * sin, cos + z * z * rest],
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embodiment::Embodiment;

    /// Postures and hand positions of the robot's own tables (`r1pro.toml`, section links, names their source).
    #[test]
    fn hands_are_where_the_published_check_values_say() {
        let robot = Embodiment::built_in("r1pro").unwrap();
        let start = [1.025, -1.45, -0.47, 0.0];
        let bent = [0.3, -0.6, -0.2, 0.4];
        let left = [0.3, 0.5, -0.2, -1.0, 0.4, 0.3, -0.2];
        let right = [-0.3, -0.5, 0.2, -1.0, -0.4, -0.3, 0.2];
        let zero = [0.0; 7];
        let cases = [
            ([0.0; 4], zero, zero, [-0.0333, 0.2520, 0.6749], [-0.0333, -0.2520, 0.6749]),
            (start, zero, zero, [0.1702, 0.2520, 0.4562], [0.1702, -0.2520, 0.4562]),
            (bent, left, right, [-0.0203, 0.4408, 0.7601], [0.5931, -0.1882, 1.0951]),
        ];
        for (torso, left, right, left_m, right_m) in cases {
            let position = |group: usize, joint: usize| match robot.groups[group].name.as_str() {
                "torso" => torso[joint],
                "left_arm" => left[joint],
                "right_arm" => right[joint],
                other => panic!("a hand depends on `{other}`"),
            };
            let mut frames = vec![Frame::BASE; robot.kinematics.link_count()];
            robot.kinematics.frames(&position, &mut frames);
            for (hand, expected) in [(0, left_m), (1, right_m)] {
                let found = robot.kinematics.hand_position_m(hand, position);
                assert_eq!(found, frames[robot.kinematics.hand_link(hand)].origin_m);
                for axis in 0..3 {
                    assert!((found[axis] - expected[axis]).abs() < 1e-4, "{found:?} is not {expected:?}");
                }
            }
        }
    }
}
