//! Forward kinematics: where the hands are, from the joints' positions.

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

#[derive(Clone, Debug)]
struct Step {
    origin_m: [f64; 3],
    rotation: Matrix,
    /// Axis, group, joint.
    turn: Option<([f64; 3], usize, usize)>,
}

/// The chains from the base to each hand.
#[derive(Clone, Debug)]
pub struct Kinematics {
    chains: Vec<Vec<Step>>,
}

impl Kinematics {
    /// Finds the chain from `base_link` to each hand's link.
    pub(crate) fn new(
        links: &[Link],
        base_link: &str,
        hands: &[Hand],
        groups: &[Group],
    ) -> Result<Self, String> {
        let chains =
            hands.iter().map(|hand| chain(links, base_link, hand, groups)).collect::<Result<_, _>>()?;
        Ok(Self { chains })
    }

    /// Groups and joints that a hand's position depends on.
    pub fn joints_of(&self, hand: usize) -> impl Iterator<Item = (usize, usize)> {
        self.chains[hand].iter().filter_map(|step| step.turn.map(|(_, group, joint)| (group, joint)))
    }

    /// Position of a hand in the base frame, metres. `position_rad(group, joint)` is the joint's position.
    pub fn hand_position_m(&self, hand: usize, position_rad: impl Fn(usize, usize) -> f64) -> [f64; 3] {
        let mut rotation = IDENTITY;
        let mut origin = [0.0; 3];
        for step in &self.chains[hand] {
            let moved = transform(&rotation, step.origin_m);
            origin = [origin[0] + moved[0], origin[1] + moved[1], origin[2] + moved[2]];
            rotation = multiply(&rotation, &step.rotation);
            if let Some((axis, group, joint)) = step.turn {
                rotation = multiply(&rotation, &about_axis(axis, position_rad(group, joint)));
            }
        }
        origin
    }
}

fn chain(links: &[Link], base_link: &str, hand: &Hand, groups: &[Group]) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut at = hand.link.as_str();
    while at != base_link {
        if steps.len() > links.len() {
            return Err(format!("the links above `{}` form a loop", hand.link));
        }
        let link = links.iter().find(|link| link.child == at);
        let link = link.ok_or_else(|| format!("no joint carries link `{at}` of hand `{}`", hand.name))?;
        steps.push(step(link, groups)?);
        at = &link.parent;
    }
    steps.reverse();
    Ok(steps)
}

fn step(link: &Link, groups: &[Group]) -> Result<Step, String> {
    let turn = link.axis.map(|axis| {
        let place = groups.iter().enumerate().find_map(|(group, described)| {
            described.joints.iter().position(|joint| joint.name == link.joint).map(|joint| (group, joint))
        });
        let (group, joint) =
            place.ok_or_else(|| format!("joint `{}` moves but is in no group", link.joint))?;
        Ok::<_, String>((axis, group, joint))
    });
    Ok(Step { origin_m: link.xyz, rotation: from_rpy(link.rpy), turn: turn.transpose()? })
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
            for (hand, expected) in [(0, left_m), (1, right_m)] {
                let found = robot.kinematics.hand_position_m(hand, position);
                for axis in 0..3 {
                    assert!((found[axis] - expected[axis]).abs() < 1e-4, "{found:?} is not {expected:?}");
                }
            }
        }
    }
}
