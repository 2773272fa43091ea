//! Set-points between steps: monotone cubic Hermite segments.
//!
//! Each segment leads from one step to the next in one period. The slope at a step is the harmonic mean of those
//! on both sides, or zero where they point in different directions (Fritsch and Butland, 1984), so that velocity is
//! continuous and no set-point lies outside the two steps it is between.

use sinew_models::embodiment::GroupKind;

/// The segment being played.
#[derive(Clone, Debug)]
pub struct Interpolator {
    kinds: Box<[GroupKind]>,
    from: Box<[f64]>,
    to: Box<[f64]>,
    /// Slopes at both ends, per period.
    slope_from: Box<[f64]>,
    slope_to: Box<[f64]>,
}

impl Interpolator {
    /// At rest at zero.
    #[must_use]
    pub fn new(kinds: &[GroupKind]) -> Self {
        let zeros = || vec![0.0; kinds.len()].into();
        Self { kinds: kinds.into(), from: zeros(), to: zeros(), slope_from: zeros(), slope_to: zeros() }
    }

    /// Comes to rest at a set-point: positions stay there, velocities become zero.
    pub fn rest_at(&mut self, setpoint: &[f64]) {
        for ((to, kind), value) in self.to.iter_mut().zip(&self.kinds).zip(setpoint) {
            *to = if *kind == GroupKind::Position { *value } else { 0.0 };
        }
        self.from.copy_from_slice(&self.to);
        self.slope_from.fill(0.0);
        self.slope_to.fill(0.0);
    }

    /// Comes to rest at the end of the segment.
    pub fn rest(&mut self) {
        for (to, kind) in self.to.iter_mut().zip(&self.kinds) {
            *to = if *kind == GroupKind::Position { *to } else { 0.0 };
        }
        self.from.copy_from_slice(&self.to);
        self.slope_from.fill(0.0);
        self.slope_to.fill(0.0);
    }

    /// Goes on to the next step; the one after it, if it is known, decides the slope there. If it is given it has to be
    /// what the next segment leads to.
    pub fn advance(&mut self, next: &[f64], after: Option<&[f64]>) {
        std::mem::swap(&mut self.from, &mut self.to);
        std::mem::swap(&mut self.slope_from, &mut self.slope_to);
        self.to.copy_from_slice(next);
        for (joint, slope) in self.slope_to.iter_mut().enumerate() {
            let before = self.to[joint] - self.from[joint];
            *slope = after.map_or(0.0, |after| limited_slope(before, after[joint] - self.to[joint]));
        }
    }

    /// Where the segment ends.
    #[must_use]
    pub fn end(&self) -> &[f64] {
        &self.to
    }

    /// The set-point at a fraction of the segment, 0 to 1.
    ///
    /// # Shapes
    /// `setpoint` has one number a joint.
    pub fn write(&self, fraction: f64, setpoint: &mut [f64]) {
        let u = fraction.clamp(0.0, 1.0);
        let (rise, from_slope, to_slope) =
            (u * u * (3.0 - 2.0 * u), u * (1.0 - u) * (1.0 - u), u * u * (u - 1.0));
        for (joint, value) in setpoint.iter_mut().enumerate() {
            let (from, to) = (self.from[joint], self.to[joint]);
            let slopes = from_slope * self.slope_from[joint] + to_slope * self.slope_to[joint];
            // Rounding may take it a hair outside.
            *value = (from + rise * (to - from) + slopes).clamp(from.min(to), from.max(to));
        }
    }
}

fn limited_slope(before: f64, after: f64) -> f64 {
    if before * after > 0.0 { 2.0 * before * after / (before + after) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const JOINT: [GroupKind; 1] = [GroupKind::Position];

    /// Plays steps and returns `per_step` set-points of each period.
    fn play(steps: &[f64], per_step: usize) -> Vec<f64> {
        let mut interpolator = Interpolator::new(&JOINT);
        interpolator.rest_at(&steps[..1]);
        let mut setpoints = Vec::new();
        for (index, step) in steps.iter().enumerate().skip(1) {
            interpolator.advance(&[*step], steps.get(index + 1).map(std::slice::from_ref));
            for tick in 0..per_step {
                let mut setpoint = [0.0];
                interpolator.write(tick as f64 / per_step as f64, &mut setpoint);
                setpoints.push(setpoint[0]);
            }
        }
        setpoints
    }

    proptest! {
        #[test]
        fn no_setpoint_leaves_its_steps(steps in prop::collection::vec(-3.0_f64..3.0, 2..30)) {
            for (tick, setpoint) in play(&steps, 16).iter().enumerate() {
                let pair = &steps[tick / 16..tick / 16 + 2];
                prop_assert!((pair[0].min(pair[1])..=pair[0].max(pair[1])).contains(setpoint));
            }
        }

        /// Twice as fine a comb halves the difference of velocities between neighbours; a kink would not shrink.
        #[test]
        fn velocity_is_continuous(steps in prop::collection::vec(-1.0_f64..1.0, 3..20)) {
            let largest_kink = |per_step: usize| {
                let setpoints = play(&steps, per_step);
                let velocities: Vec<f64> =
                    setpoints.windows(2).map(|pair| (pair[1] - pair[0]) * per_step as f64).collect();
                velocities.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f64::max)
            };
            prop_assert!(largest_kink(512) <= 20.0 / 512.0 * 2.0, "{}", largest_kink(512));
        }
    }

    #[test]
    fn a_straight_line_stays_straight() {
        let setpoints = play(&[0.0, 1.0, 2.0, 3.0, 4.0], 4);
        for (tick, setpoint) in setpoints.iter().enumerate().take(12).skip(4) {
            assert!((setpoint - tick as f64 / 4.0).abs() < 1e-12, "tick {tick}: {setpoint}");
        }
    }

    #[test]
    fn velocities_become_zero_at_rest_and_positions_stay() {
        let mut interpolator = Interpolator::new(&[GroupKind::Velocity, GroupKind::Position]);
        interpolator.advance(&[0.5, 0.7], None);
        interpolator.rest();
        let mut setpoint = [9.0; 2];
        interpolator.write(0.4, &mut setpoint);
        assert_eq!(setpoint, [0.0, 0.7]);
    }
}
