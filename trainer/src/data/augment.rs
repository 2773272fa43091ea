//! Frames and states shown a little differently each time. A pure function of (options, seed, frame, time).

use crate::Error;
use crate::data::pixels::{cropped, recolour, shifted};
use crate::data::sample::{FrameId, Picture};
use crate::data::selection::Names;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sinew_models::embodiment::{Embodiment, Source};
use sinew_models::unit::Unit;

/// The `[augment]` table of a training's configuration; everything is off by default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AugmentOptions {
    /// Brightness is multiplied by 1 ± this.
    pub brightness: f64,
    /// Contrast, the distance to the mean grey, is multiplied by 1 ± this.
    pub contrast: f64,
    /// Saturation, the distance to each pixel's own grey, is multiplied by 1 ± this.
    pub saturation: f64,
    /// Hue is turned by ± this part of a full turn, at most 0.5.
    pub hue: f64,
    /// This part of a picture's width and height is cut off, the rest taken from a random place.
    pub crop: f64,
    /// Pictures are moved by up to so many pixels each way, their edges repeated.
    pub shift_px: u32,
    /// The state's gripper positions are moved by up to so many metres.
    pub gripper_jitter_m: f64,
    /// The names or groups of the state's gripper positions. One whose unit the robot's layouts do not say must be in metres.
    pub grippers: Vec<String>,
    /// Probability that the policy is shown the mean (0 once normalised) for a state.
    pub state_dropout: f64,
    /// Standard deviation of what is added to each number of the normalised state.
    pub state_noise: f64,
}

impl AugmentOptions {
    fn check(&self) -> Result<(), Error> {
        let below_one = [
            ("brightness", self.brightness),
            ("contrast", self.contrast),
            ("saturation", self.saturation),
            ("crop", self.crop),
            ("state_dropout", self.state_dropout),
        ];
        for (key, value) in below_one {
            if !(0.0..1.0).contains(&value) {
                return Err(invalid(key, value, "0 or more, below 1"));
            }
        }
        if !(0.0..=0.5).contains(&self.hue) {
            return Err(invalid("hue", self.hue, "0 to 0.5"));
        }
        for (key, value) in [("gripper_jitter_m", self.gripper_jitter_m), ("state_noise", self.state_noise)] {
            if !(value.is_finite() && value >= 0.0) {
                return Err(invalid(key, value, "0 or more"));
            }
        }
        if self.gripper_jitter_m > 0.0 && self.grippers.is_empty() {
            return Err(invalid("grippers", "empty", "the gripper positions that gripper_jitter_m moves"));
        }
        Ok(())
    }
}

fn invalid(key: &str, found: impl ToString, expected: &str) -> Error {
    sinew_models::Error::Config {
        key: format!("augment.{key}"),
        found: found.to_string(),
        expected: expected.to_owned(),
    }
    .into()
}

/// Augments one training's samples.
#[derive(Clone, Debug)]
pub struct Augmenter {
    options: AugmentOptions,
    /// Where gripper positions are in the state, and how much each changes over a metre.
    grippers: Vec<(usize, f64)>,
    seed: u64,
}

impl Augmenter {
    /// For states that begin with these numbers of this robot.
    ///
    /// # Errors
    /// If an option is out of range, a gripper's name unknown, or its number none that the robot can turn into metres.
    pub fn new(
        options: &AugmentOptions,
        state_names: &[String],
        robot: &Embodiment,
        seed: u64,
    ) -> Result<Self, Error> {
        options.check()?;
        let names = Names::new("the selected state", state_names.to_vec());
        let mut grippers = Vec::new();
        for wanted in &options.grippers {
            // A group's speeds and efforts are no positions.
            let is_meant =
                |place: &usize| state_names[*place] == *wanted || is_position(&state_names[*place]);
            for place in names.resolve(wanted)?.into_iter().filter(is_meant) {
                grippers.push((place, per_metre(robot, &state_names[place])?));
            }
        }
        Ok(Self { options: options.clone(), grippers, seed })
    }

    /// Whether pictures are changed at all.
    #[must_use]
    pub fn changes_pictures(&self) -> bool {
        let options = &self.options;
        let jitters = [options.brightness, options.contrast, options.saturation, options.hue, options.crop];
        jitters.iter().any(|size| *size > 0.0) || options.shift_px > 0
    }

    /// Which of `variant_count` variants of its pictures a frame shows in an epoch: all are as likely, and the epoch's
    /// is the same whenever it is asked for. 0 if pictures are not changed.
    #[must_use]
    pub fn variant(&self, frame: FrameId, epoch: u64, variant_count: u32) -> u32 {
        if !self.changes_pictures() {
            return 0;
        }
        self.rng("variant", frame, epoch).random_range(0..variant_count.max(1))
    }

    /// A camera's picture of a frame. `time` is the epoch, or the variant where there are only so many; `camera` the
    /// camera's place.
    #[must_use]
    pub fn picture(&self, picture: Picture, frame: FrameId, camera: usize, time: u64) -> Picture {
        if !self.changes_pictures() {
            return picture;
        }
        let options = &self.options;
        let mut rng = self.rng(&format!("picture {camera}"), frame, time);
        // All is drawn before any of it is used: one option does not change what another draws.
        let mut around_one = |size: f64| (1.0 + size * rng.random_range(-1.0..=1.0)) as f32;
        let (brightness, contrast, saturation) =
            (around_one(options.brightness), around_one(options.contrast), around_one(options.saturation));
        let turn = (options.hue * rng.random_range(-1.0..=1.0)) as f32;
        let place: [f64; 2] = [rng.random(), rng.random()];
        let reach = i64::from(options.shift_px);
        let shift = [rng.random_range(-reach..=reach), rng.random_range(-reach..=reach)];
        let mut picture = shifted(cropped(picture, options.crop, place), shift);
        if (brightness, contrast, saturation, turn) != (1.0, 1.0, 1.0, 0.0) {
            recolour(&mut picture, brightness, contrast, saturation, turn);
        }
        picture
    }

    /// Moves a state's gripper positions, in the dataset's units.
    pub fn state(&self, state: &mut [f32], frame: FrameId, epoch: u64) {
        let size = self.options.gripper_jitter_m;
        if size > 0.0 {
            let mut rng = self.rng("grippers", frame, epoch);
            for (dimension, per_metre) in &self.grippers {
                state[*dimension] += (size * per_metre * rng.random_range(-1.0..=1.0)) as f32;
            }
        }
    }

    /// Drops a normalised state, or adds noise to it.
    pub fn normalized_state(&self, state: &mut [f32], frame: FrameId, epoch: u64) {
        let mut rng = self.rng("state", frame, epoch);
        if rng.random_bool(self.options.state_dropout) {
            state.fill(0.0);
        } else if self.options.state_noise > 0.0 {
            for value in state {
                let noise: f64 = StandardNormal.sample(&mut rng);
                *value += (self.options.state_noise * noise) as f32;
            }
        }
    }

    /// Random numbers of one purpose, one frame, one time.
    fn rng(&self, purpose: &str, frame: FrameId, time: u64) -> ChaCha8Rng {
        let mut hash = Sha256::new();
        for number in [self.seed, frame.dataset as u64, frame.episode_index, frame.row as u64, time] {
            hash.update(number.to_le_bytes());
        }
        hash.update(purpose);
        ChaCha8Rng::from_seed(hash.finalize().into())
    }
}

/// How much a number of the state changes over a metre, by the unit that the robot's layouts say it has.
fn per_metre(robot: &Embodiment, name: &str) -> Result<f64, Error> {
    if !is_position(name) {
        return Err(invalid("grippers", format!("`{name}`"), "positions"));
    }
    let dimensions = robot.layouts.iter().flat_map(|layout| &layout.state);
    let Some(known) = dimensions.into_iter().find(|dimension| dimension.name == name) else { return Ok(1.0) };
    let scale = |unit: Unit| {
        Ok::<_, Error>(match robot.signal(name, unit)? {
            Source::Joint { from_wire, .. } => from_wire.scale,
            Source::Hand { .. } => 1.0,
        })
    };
    Ok(scale(known.unit)? / scale(Unit::Metre)?)
}

fn is_position(name: &str) -> bool {
    !name.ends_with(".vel") && !name.ends_with(".effort")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    const FRAME: FrameId = FrameId { dataset: 0, episode_index: 7, row: 3 };

    fn picture(width: usize, height: usize) -> Picture {
        let rgb = (0..3 * width * height).map(|i| (i * 37 % 251) as u8).collect();
        Picture { width, height, rgb }
    }

    fn everything() -> AugmentOptions {
        AugmentOptions {
            brightness: 0.3,
            contrast: 0.3,
            saturation: 0.3,
            hue: 0.1,
            crop: 0.2,
            shift_px: 2,
            gripper_jitter_m: 0.01,
            grippers: vec!["right_gripper".to_owned()],
            state_dropout: 0.25,
            state_noise: 0.1,
        }
    }

    fn augmenter(options: &AugmentOptions, seed: u64) -> Augmenter {
        let names = ["left_arm_0", "right_gripper", "left_gripper"].map(str::to_owned);
        Augmenter::new(options, &names, &Embodiment::named("r1pro").unwrap(), seed).unwrap()
    }

    #[test]
    fn off_changes_nothing() {
        let off = augmenter(&AugmentOptions::default(), 1);
        assert!(!off.changes_pictures());
        assert_eq!(off.variant(FRAME, 5, 4), 0);
        assert_eq!(off.picture(picture(9, 7), FRAME, 0, 5), picture(9, 7));
        let mut state = [0.5, -0.25, 1.0];
        off.state(&mut state, FRAME, 5);
        off.normalized_state(&mut state, FRAME, 5);
        assert_eq!(state, [0.5, -0.25, 1.0]);
    }

    #[test]
    fn the_same_frame_at_the_same_time_looks_the_same_and_any_other_does_not() {
        let one = augmenter(&everything(), 1);
        let base = one.picture(picture(20, 16), FRAME, 0, 5);
        assert_eq!(base, augmenter(&everything(), 1).picture(picture(20, 16), FRAME, 0, 5));
        let others = [
            one.picture(picture(20, 16), FRAME, 0, 6),
            one.picture(picture(20, 16), FRAME, 1, 5),
            one.picture(picture(20, 16), FrameId { row: 4, ..FRAME }, 0, 5),
            one.picture(picture(20, 16), FrameId { episode_index: 8, ..FRAME }, 0, 5),
            augmenter(&everything(), 2).picture(picture(20, 16), FRAME, 0, 5),
        ];
        assert!(others.iter().all(|other| *other != base));
        assert_eq!((base.width, base.height), (16, 13));
    }

    #[test]
    fn variants_are_as_likely_as_each_other() {
        let augmenter = augmenter(&everything(), 1);
        let mut counts = [0; 4];
        for row in 0..4000 {
            counts[augmenter.variant(FrameId { row, ..FRAME }, 0, 4) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (900..1100).contains(count)), "{counts:?}");
        assert_eq!(augmenter.variant(FRAME, 3, 0), 0);
    }

    #[test]
    fn states_move_as_far_and_are_dropped_as_often_as_asked() {
        let augmenter = augmenter(&everything(), 1);
        let (mut furthest, mut dropped_count, mut squares, mut noised_count) = (0.0_f32, 0, 0.0, 0);
        for row in 0..4000 {
            let frame = FrameId { row, ..FRAME };
            let mut state = [0.5, 0.02, 0.02];
            augmenter.state(&mut state, frame, 0);
            assert_eq!((state[0], state[2]), (0.5, 0.02));
            furthest = furthest.max((state[1] - 0.02).abs());
            let mut normalized = [1.0; 3];
            augmenter.normalized_state(&mut normalized, frame, 0);
            if normalized == [0.0; 3] {
                dropped_count += 1;
            } else {
                noised_count += 3;
                squares += normalized.iter().map(|x| (x - 1.0) * (x - 1.0)).sum::<f32>();
            }
        }
        assert!((0.0099..=0.010_001).contains(&furthest), "{furthest}");
        assert!((900..1100).contains(&dropped_count), "{dropped_count}");
        let deviation = (squares / noised_count as f32).sqrt();
        assert!((deviation - 0.1).abs() < 0.005, "{deviation}");
    }

    #[test]
    fn metres_are_turned_into_the_unit_that_the_robot_has_the_gripper_in() {
        // The R1 Pro's fingers are 0 to 0.05 m apart from the middle, its strokes 0 to 100 mm, BEHAVIOR's numbers -1 to 1.
        let robot = Embodiment::named("r1pro").unwrap();
        let text = |unit: &str| {
            let built_in = include_str!("../../../models/embodiments/r1pro.toml");
            let known = "name = \"left_gripper_finger_joint1.pos\", unit = \"m\"";
            Embodiment::parse(
                &built_in.replace(known, &known.replace("\"m\"", unit)),
                Path::new("r1pro.toml"),
            )
            .unwrap()
        };
        let name = "left_gripper_finger_joint1.pos";
        assert_eq!(per_metre(&robot, name).unwrap(), 1.0);
        assert_eq!(per_metre(&text("\"mm\""), name).unwrap(), 2000.0);
        assert_eq!(per_metre(&text("\"1\""), name).unwrap(), 40.0);
        assert_eq!(per_metre(&robot, "somebody's_gripper").unwrap(), 1.0);
        let error = per_metre(&Embodiment::named("so101").unwrap(), "gripper.pos").unwrap_err().to_string();
        assert!(error.contains("`gripper.pos`") && error.contains("`m`"), "{error}");
    }

    #[test]
    fn of_a_group_only_positions_move() {
        let names = [
            "left_gripper_finger_joint1.pos",
            "left_gripper_finger_joint1.effort",
            "left_gripper_finger_joint1.vel",
        ];
        let names = names.map(str::to_owned);
        let robot = Embodiment::named("r1pro").unwrap();
        let of = |name: &str| AugmentOptions { grippers: vec![name.to_owned()], ..everything() };
        let augmenter = Augmenter::new(&of("left_gripper"), &names, &robot, 1).unwrap();
        let mut state = [0.02, 3.0, 0.1];
        augmenter.state(&mut state, FRAME, 0);
        assert!(state[0] != 0.02 && state[1..] == [3.0, 0.1], "{state:?}");
        let error = Augmenter::new(&of(&names[1]), &names, &robot, 1).unwrap_err().to_string();
        assert!(error.contains(".effort") && error.contains("positions"), "{error}");
    }

    #[test]
    fn options_that_make_no_sense_are_refused_by_name() {
        let cases = [
            (AugmentOptions { hue: 0.6, ..everything() }, "augment.hue"),
            (AugmentOptions { crop: 1.0, ..everything() }, "augment.crop"),
            (AugmentOptions { state_noise: f64::NAN, ..everything() }, "augment.state_noise"),
            (AugmentOptions { grippers: Vec::new(), ..everything() }, "augment.grippers"),
            (AugmentOptions { grippers: vec!["right_griper".to_owned()], ..everything() }, "right_gripper"),
        ];
        let names = ["right_gripper".to_owned()];
        for (options, complaint) in cases {
            let robot = Embodiment::named("r1pro").unwrap();
            let error = Augmenter::new(&options, &names, &robot, 0).unwrap_err().to_string();
            assert!(error.contains(complaint), "{error}");
        }
        assert!(toml::from_str::<AugmentOptions>("brightnes = 0.1").is_err());
    }
}
