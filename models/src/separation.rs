//! How far parts of a robot are from each other, as far as their shapes tell.

use crate::embodiment::Embodiment;
use crate::envelope::{Block, Capsule, Clearance};
use crate::kinematics::Frame;

/// The line of a capsule in some frame, metres.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Segment {
    from_m: [f64; 3],
    to_m: [f64; 3],
}

/// A shape where its link is, in the base frame.
#[derive(Clone, Copy, Debug)]
pub struct Placed {
    /// Of a block both ends are its centre.
    line: Segment,
    /// The link's axes, in columns.
    rotation: [[f64; 3]; 3],
}

#[derive(Clone, Debug)]
struct Shape {
    link: usize,
    local: Segment,
    radius_m: f64,
    /// Of a block: from the centre to its faces.
    half_m: Option<[f64; 3]>,
    /// Radius of the ball about the whole shape.
    ball_m: f64,
}

/// Two parts that stay apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair {
    /// Their names.
    pub parts: [String; 2],
    /// The least distance between their surfaces, metres.
    pub distance_m: f64,
    shapes: [Vec<usize>; 2],
}

/// The shapes of a robot and which of them stay apart.
#[derive(Clone, Debug)]
pub struct Separation {
    shapes: Vec<Shape>,
    pairs: Vec<Pair>,
}

impl Separation {
    /// Of a robot.
    pub fn new(robot: &Embodiment) -> Self {
        let link = |name: &str| robot.kinematics.link(name).unwrap_or(0);
        let capsule = |capsule: &Capsule| Shape {
            link: link(&capsule.link),
            local: Segment { from_m: capsule.from, to_m: capsule.to },
            radius_m: capsule.radius,
            half_m: None,
            ball_m: capsule.radius + length(minus(capsule.to, capsule.from)) / 2.0,
        };
        let block = |block: &Block| {
            let half_m = block.size.map(|size| size / 2.0);
            Shape {
                link: link(&block.link),
                local: Segment { from_m: block.center, to_m: block.center },
                radius_m: 0.0,
                half_m: Some(half_m),
                ball_m: length(half_m),
            }
        };
        let capsule_parts = robot.capsules.iter().map(|capsule| &capsule.part);
        let parts: Vec<_> = capsule_parts.chain(robot.blocks.iter().map(|block| &block.part)).collect();
        let of_part = |part: &String| (0..parts.len()).filter(|index| parts[*index] == part).collect();
        let pair = |clearance: &Clearance| Pair {
            parts: clearance.parts.clone(),
            distance_m: clearance.distance,
            shapes: [of_part(&clearance.parts[0]), of_part(&clearance.parts[1])],
        };
        Self {
            shapes: robot.capsules.iter().map(capsule).chain(robot.blocks.iter().map(block)).collect(),
            pairs: robot.clearances.iter().map(pair).collect(),
        }
    }

    /// Room for every shape, for [`Self::place`] to fill.
    pub fn room(&self) -> Vec<Placed> {
        let place = |shape: &Shape| Placed { line: shape.local, rotation: Frame::BASE.rotation };
        self.shapes.iter().map(place).collect()
    }

    /// Which parts stay apart.
    pub fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    /// Puts the shapes where the links are. Allocates nothing.
    ///
    /// # Shapes
    /// `frames` as [`crate::kinematics::Kinematics::frames`] fills it; `placed` as [`Self::room`] gives it.
    pub fn place(&self, frames: &[Frame], placed: &mut [Placed]) {
        for (shape, placed) in self.shapes.iter().zip(placed) {
            let frame = &frames[shape.link];
            placed.line.from_m = frame.point_m(shape.local.from_m);
            placed.line.to_m = frame.point_m(shape.local.to_m);
            placed.rotation = frame.rotation;
        }
    }

    /// Whether the surfaces of a pair's parts are at least so far apart, metres.
    pub fn are_apart(&self, pair: usize, placed: &[Placed], least_m: f64) -> bool {
        let [one, other] = &self.pairs[pair].shapes;
        // Most are so far apart that a short look is enough.
        let is_apart = |a: usize, b: usize| {
            self.distance_at_least_m(a, b, placed) >= least_m
                || self.shape_distance_m(a, b, placed) >= least_m
        };
        one.iter().all(|a| other.iter().all(|b| is_apart(*a, *b)))
    }

    /// The least distance between the surfaces of a pair's parts, metres; negative where they overlap, with a block by
    /// no more than the capsule's radius.
    pub fn distance_m(&self, pair: usize, placed: &[Placed]) -> f64 {
        let [one, other] = &self.pairs[pair].shapes;
        let mut least_m = f64::INFINITY;
        for a in one {
            for b in other {
                least_m = least_m.min(self.shape_distance_m(*a, *b, placed));
            }
        }
        least_m
    }

    /// No more than the distance, and quickly told: the ball about a capsule from a block, or from another ball.
    fn distance_at_least_m(&self, a: usize, b: usize, placed: &[Placed]) -> f64 {
        let [middle_a_m, middle_b_m] = [a, b].map(|shape| placed[shape].line.middle_m());
        let [ball_a_m, ball_b_m] = [a, b].map(|shape| self.shapes[shape].ball_m);
        match (self.shapes[a].half_m, self.shapes[b].half_m) {
            (None, Some(half_m)) => to_block_m(placed[b].sees_m(middle_a_m), half_m) - ball_a_m,
            (Some(half_m), None) => to_block_m(placed[a].sees_m(middle_b_m), half_m) - ball_b_m,
            _ => length(minus(middle_a_m, middle_b_m)) - ball_a_m - ball_b_m,
        }
    }

    fn shape_distance_m(&self, a: usize, b: usize, placed: &[Placed]) -> f64 {
        let (one, other) = (&placed[a].line, &placed[b]);
        let lines_m = match (self.shapes[a].half_m, self.shapes[b].half_m) {
            (None, None) => distance_m(one, &other.line),
            (None, Some(half_m)) => block_distance_m(one, other, half_m),
            (Some(half_m), None) => block_distance_m(&other.line, &placed[a], half_m),
            // No description asks for this; it is never more than the distance.
            (Some(_), Some(_)) => {
                length(minus(one.from_m, other.line.from_m)) - self.shapes[a].ball_m - self.shapes[b].ball_m
            }
        };
        lines_m - self.shapes[a].radius_m - self.shapes[b].radius_m
    }
}

impl Placed {
    /// A point of the base frame in the block's own.
    fn sees_m(&self, point_m: [f64; 3]) -> [f64; 3] {
        let from_center_m = minus(point_m, self.line.from_m);
        std::array::from_fn(|axis| (0..3).map(|i| self.rotation[i][axis] * from_center_m[i]).sum())
    }
}

impl Segment {
    fn middle_m(&self) -> [f64; 3] {
        self.point_m(0.5)
    }

    /// A share of the way along it.
    fn point_m(&self, share: f64) -> [f64; 3] {
        std::array::from_fn(|i| self.from_m[i] + share * (self.to_m[i] - self.from_m[i]))
    }
}

/// Distance of a segment from a block: that of a point is a convex function of where on the segment it is, so leaving out
/// the third with the worse end goes to the least one.
fn block_distance_m(line: &Segment, block: &Placed, half_m: [f64; 3]) -> f64 {
    // 1e-7 of the segment is left.
    const THIRDS: usize = 40;
    let seen = Segment { from_m: block.sees_m(line.from_m), to_m: block.sees_m(line.to_m) };
    let at = |share: f64| to_block_m(seen.point_m(share), half_m);
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..THIRDS {
        let third = (high - low) / 3.0;
        if at(low + third) <= at(high - third) {
            high -= third;
        } else {
            low += third;
        }
    }
    at((low + high) / 2.0)
}

/// Distance of a point from a block about the origin.
fn to_block_m(point_m: [f64; 3], half_m: [f64; 3]) -> f64 {
    length(std::array::from_fn(|axis| (point_m[axis].abs() - half_m[axis]).max(0.0)))
}

/// Distance of two segments: the least of a convex function of two parameters, clamped one after the other
/// (C. Ericson, Real-Time Collision Detection, 5.1.9).
fn distance_m(one: &Segment, other: &Segment) -> f64 {
    let along = minus(one.to_m, one.from_m);
    let across = minus(other.to_m, other.from_m);
    let between = minus(one.from_m, other.from_m);
    let (a, e, b) = (dot(along, along), dot(across, across), dot(along, across));
    let (c, f) = (dot(along, between), dot(across, between));
    let unclamped = a * e - b * b;
    // Parallel segments have many nearest points; any will do.
    let s =
        if unclamped > f64::EPSILON * a * e { ((b * f - c * e) / unclamped).clamp(0.0, 1.0) } else { 0.0 };
    let t = if e > 0.0 { (b * s + f) / e } else { 0.0 };
    let within = t.clamp(0.0, 1.0);
    let is_settled = a == 0.0 || (e > 0.0 && t == within);
    let s = if is_settled { s } else { ((b * within - c) / a).clamp(0.0, 1.0) };
    let gap: [f64; 3] = std::array::from_fn(|i| between[i] + s * along[i] - within * across[i]);
    length(gap)
}

fn length(a: [f64; 3]) -> f64 {
    dot(a, a).sqrt()
}

fn minus(a: [f64; 3], b: [f64; 3]) -> [f64; 3] {
    std::array::from_fn(|i| a[i] - b[i])
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where a part is that nobody knows the place of, nobody knows whether it touches.
    #[test]
    fn parts_of_unknown_place_are_not_apart() {
        let robot = Embodiment::built_in("r1pro").unwrap();
        let separation = Separation::new(&robot);
        let mut placed = separation.room();
        let lost = Frame { rotation: [[f64::NAN; 3]; 3], origin_m: [f64::NAN; 3] };
        separation.place(&vec![lost; robot.kinematics.link_count()], &mut placed);
        for (index, pair) in separation.pairs().iter().enumerate() {
            assert!(!separation.are_apart(index, &placed, pair.distance_m), "{:?}", pair.parts);
        }
    }

    /// The short look says nothing that the long one would not.
    #[test]
    fn parts_are_apart_by_their_distance_and_no_more() {
        let robot = Embodiment::built_in("r1pro").unwrap();
        let separation = Separation::new(&robot);
        let mut placed = separation.room();
        let mut frames = vec![Frame::BASE; robot.kinematics.link_count()];
        for posture in 0..300 {
            let position_rad = |group: usize, joint: usize| {
                1.5 * ((posture * 31 + group * 7 + joint * 3) as f64 * 0.7).sin()
            };
            robot.kinematics.frames(&position_rad, &mut frames);
            separation.place(&frames, &mut placed);
            for index in 0..separation.pairs().len() {
                let distance_m = separation.distance_m(index, &placed);
                assert!(separation.are_apart(index, &placed, distance_m - 1e-9), "{posture} {index}");
                assert!(!separation.are_apart(index, &placed, distance_m + 1e-9), "{posture} {index}");
            }
        }
    }

    #[test]
    fn segments_that_are_points_parallel_or_crossing_have_the_distance_one_sees() {
        let segment = |from_m, to_m| Segment { from_m, to_m };
        let x = segment([0.0; 3], [1.0, 0.0, 0.0]);
        let cases = [
            (segment([0.5, -1.0, 0.3], [0.5, 1.0, 0.3]), 0.3),
            (segment([0.2, 0.4, 0.0], [0.9, 0.4, 0.0]), 0.4),
            (segment([2.0, 0.0, 0.0], [3.0, 0.0, 0.0]), 1.0),
            (segment([0.7, 0.0, 2.0], [0.7, 0.0, 2.0]), 2.0),
            (segment([1.0, 3.0, 0.0], [4.0, 3.0, 4.0]), 3.0),
            (segment([-3.0, 4.0, 0.0], [-3.0, 4.0, 0.0]), 5.0),
        ];
        for (other, expected) in cases {
            assert!((distance_m(&x, &other) - expected).abs() < 1e-12, "{other:?}");
            assert!((distance_m(&other, &x) - expected).abs() < 1e-12, "{other:?}");
        }
    }
}
