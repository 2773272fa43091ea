//! A made-up arm that stirs: six joints moved by two circles of different speed.
//!
//! The present state decides the future: four joints are the circles' two coordinates each, which say phase and
//! radius, the other two are mixtures of them. So a healthy policy can follow every joint, even a linear one, and
//! whatever a fault changes of one joint leaves the others decidable.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use std::f64::consts::TAU;

/// Joints.
pub const WIDTH: usize = 6;

/// Their names, SO-101's.
pub const NAMES: [&str; WIDTH] = [
    "shoulder_pan.pos",
    "shoulder_lift.pos",
    "elbow_flex.pos",
    "wrist_flex.pos",
    "wrist_roll.pos",
    "gripper.pos",
];

/// The joint that most faults are planted in; none of the others needs it.
pub const WRIST_ROLL: usize = 4;

/// The joint whose encoder nobody needs either: what it does, the others say.
pub const GRIPPER: usize = 5;

/// Episodes of a dataset.
pub const EPISODE_COUNT: usize = 24;

/// Rows of an episode: as many as the video of the camera has pictures.
pub const ROW_COUNT: usize = 64;

/// Rows a second.
pub const FPS: f64 = 30.0;

/// Rows of one turn of each circle: so few that three rows more or less are plainly wrong.
const PERIODS_ROWS: [f64; 2] = [26.0, 37.0];

/// Standard deviation of the encoders' noise, in rad.
pub(super) const NOISE_RAD: f64 = 2e-3;

/// The joints at one moment, in rad.
pub type Posture = [f32; WIDTH];

/// What was recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Episode {
    /// The instruction's place in the dataset's list.
    pub task: usize,
    /// Where the joints are, row by row.
    pub state: Vec<Posture>,
    /// Where they are told to be in the next row.
    pub action: Vec<Posture>,
}

/// Two circles being gone round.
struct Circles {
    radii: [f64; 2],
    phases: [f64; 2],
}

impl Circles {
    fn posture(&self, row: f64, rng: &mut ChaCha8Rng) -> Posture {
        let point = |circle: usize| {
            let angle = self.phases[circle] + TAU * row / PERIODS_ROWS[circle];
            [self.radii[circle] * angle.cos(), self.radii[circle] * angle.sin()]
        };
        let ([ax, ay], [bx, by]) = (point(0), point(1));
        let mut exact = [ax, ay, bx, by, 0.7 * (ax + by), 0.5 + 0.35 * (ay - bx)];
        exact.iter_mut().for_each(|joint| *joint += NOISE_RAD * rng.sample::<f64, _>(StandardNormal));
        exact.map(|joint| joint as f32)
    }
}

/// Episodes of the arm, each with circles of its own; `lead_rows` is how much later the actions are than the rows they
/// stand in, which is 1 for an arm that does what it is told within a row.
#[must_use]
pub fn episodes(seed: u64, lead_rows: f64) -> Vec<Episode> {
    let episode = |number: usize| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(number as u64);
        let circles = Circles {
            radii: [0.8, 0.6].map(|radius| radius * rng.random_range(0.8..1.2)),
            phases: [(); 2].map(|()| rng.random_range(0.0..TAU)),
        };
        let mut rows =
            |first: f64| (0..ROW_COUNT).map(|row| circles.posture(first + row as f64, &mut rng)).collect();
        Episode { task: number % 2, state: rows(0.0), action: rows(lead_rows) }
    };
    (0..EPISODE_COUNT).map(episode).collect()
}
