//! How far parts of a robot are from each other, as far as their capsules tell.

use crate::embodiment::Embodiment;
use crate::kinematics::Frame;

/// The line of a capsule in the base frame, metres.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Segment {
    from_m: [f64; 3],
    to_m: [f64; 3],
}

#[derive(Clone, Debug)]
struct Shape {
    link: usize,
    local: Segment,
    radius_m: f64,
    /// Radius of the ball about the whole capsule.
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
        let shape = |capsule: &crate::envelope::Capsule| Shape {
            link: robot.kinematics.link(&capsule.link).unwrap_or(0),
            local: Segment { from_m: capsule.from, to_m: capsule.to },
            radius_m: capsule.radius,
            ball_m: capsule.radius + length(minus(capsule.to, capsule.from)) / 2.0,
        };
        let of_part = |part: &String| {
            let own = robot.capsules.iter().enumerate().filter(|(_, capsule)| capsule.part == *part);
            own.map(|(index, _)| index).collect()
        };
        let pair = |clearance: &crate::envelope::Clearance| Pair {
            parts: clearance.parts.clone(),
            distance_m: clearance.distance,
            shapes: [of_part(&clearance.parts[0]), of_part(&clearance.parts[1])],
        };
        Self {
            shapes: robot.capsules.iter().map(shape).collect(),
            pairs: robot.clearances.iter().map(pair).collect(),
        }
    }

    /// How many shapes there are; [`Self::place`] needs room for each.
    pub fn shape_count(&self) -> usize {
        self.shapes.len()
    }

    /// Which parts stay apart.
    pub fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    /// Puts the shapes where the links are. Allocates nothing.
    ///
    /// # Shapes
    /// `frames` as [`crate::kinematics::Kinematics::frames`] fills it; `placed` has [`Self::shape_count`] entries.
    pub fn place(&self, frames: &[Frame], placed: &mut [Segment]) {
        for (shape, placed) in self.shapes.iter().zip(placed) {
            let frame = &frames[shape.link];
            placed.from_m = frame.point_m(shape.local.from_m);
            placed.to_m = frame.point_m(shape.local.to_m);
        }
    }

    /// Whether the surfaces of a pair's parts are at least so far apart, metres.
    pub fn are_apart(&self, pair: usize, placed: &[Segment], least_m: f64) -> bool {
        let [one, other] = &self.pairs[pair].shapes;
        one.iter().all(|a| {
            let middle_m = placed[*a].middle_m();
            other.iter().all(|b| {
                let balls_m = self.shapes[*a].ball_m + self.shapes[*b].ball_m;
                // Most are so far apart that a look at their middles is enough.
                length(minus(middle_m, placed[*b].middle_m())) >= balls_m + least_m
                    || self.shape_distance_m(*a, *b, placed) >= least_m
            })
        })
    }

    /// The least distance between the surfaces of a pair's parts, metres; negative where they overlap.
    pub fn distance_m(&self, pair: usize, placed: &[Segment]) -> f64 {
        let [one, other] = &self.pairs[pair].shapes;
        let mut least_m = f64::INFINITY;
        for a in one {
            for b in other {
                least_m = least_m.min(self.shape_distance_m(*a, *b, placed));
            }
        }
        least_m
    }

    fn shape_distance_m(&self, a: usize, b: usize, placed: &[Segment]) -> f64 {
        distance_m(&placed[a], &placed[b]) - self.shapes[a].radius_m - self.shapes[b].radius_m
    }
}

impl Segment {
    fn middle_m(&self) -> [f64; 3] {
        std::array::from_fn(|i| (self.from_m[i] + self.to_m[i]) / 2.0)
    }
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
