//! What the joints last reported, robot-wide.

use super::Joints;
use crate::clock::Moment;

/// The newest feedback of every group.
///
/// # Shapes
/// `position` and `velocity` have one number a joint, in the order and units of [`Joints`]; the arrivals one entry a
/// group. Where a group has not reported, or does not report one of the two, the numbers are NaN: "not yet" must never
/// look like zero.
#[derive(Clone, Debug)]
pub struct Measured {
    position: Box<[f64]>,
    velocity: Box<[f64]>,
    arrivals: Box<[Option<Arrival>]>,
}

/// A group's newest feedback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// When the newest one reached this program.
    pub received_at: Moment,
    /// How many came before it.
    pub sequence: u64,
}

impl Measured {
    /// Nothing yet.
    #[must_use]
    pub fn nothing(joints: &Joints) -> Self {
        let unknown = || vec![f64::NAN; joints.count()].into();
        Self { position: unknown(), velocity: unknown(), arrivals: vec![None; joints.groups().len()].into() }
    }

    /// Takes a group's feedback in. Fields the group does not report are empty.
    ///
    /// # Panics
    /// If a field is neither empty nor one number a joint.
    pub fn update(
        &mut self,
        joints: &Joints,
        group: usize,
        received_at: Moment,
        position: &[f64],
        velocity: &[f64],
    ) {
        let span = joints.groups()[group].span.clone();
        let write = |target: &mut [f64], numbers: &[f64]| match numbers {
            [] => target.fill(f64::NAN),
            numbers => target.copy_from_slice(numbers),
        };
        write(&mut self.position[span.clone()], position);
        write(&mut self.velocity[span], velocity);
        let sequence = self.arrivals[group].map_or(0, |arrival| arrival.sequence + 1);
        self.arrivals[group] = Some(Arrival { received_at, sequence });
    }

    /// Takes over another's numbers.
    ///
    /// # Panics
    /// If it is of another robot.
    pub fn copy_from(&mut self, other: &Self) {
        self.position.copy_from_slice(&other.position);
        self.velocity.copy_from_slice(&other.velocity);
        self.arrivals.copy_from_slice(&other.arrivals);
    }

    /// Positions; NaN where there is none.
    #[must_use]
    pub fn position(&self) -> &[f64] {
        &self.position
    }

    /// Velocities; NaN where there is none.
    #[must_use]
    pub fn velocity(&self) -> &[f64] {
        &self.velocity
    }

    /// When a group's newest feedback arrived.
    #[must_use]
    pub fn arrival(&self, group: usize) -> Option<Arrival> {
        self.arrivals[group]
    }

    /// How old a group's feedback is, by its arrival.
    #[must_use]
    pub fn age_ns(&self, group: usize, now: Moment) -> Option<i64> {
        self.arrivals[group].map(|arrival| now.ns_since(arrival.received_at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sinew_models::embodiment::Embodiment;

    #[test]
    fn what_was_not_reported_is_no_number() {
        let robot = Embodiment::built_in("r1pro").unwrap();
        let joints = Joints::new(&robot, |_| true);
        let mut measured = Measured::nothing(&joints);
        let torso = robot.group_index("torso").unwrap();
        assert_eq!(measured.age_ns(torso, Moment::from_ns(9)), None);
        measured.update(&joints, torso, Moment::from_ns(4), &[0.1, 0.2, 0.3, 0.4], &[]);
        assert_eq!(measured.age_ns(torso, Moment::from_ns(9)), Some(5));
        assert_eq!(measured.position()[3..7], [0.1, 0.2, 0.3, 0.4]);
        assert!(measured.velocity()[3..7].iter().all(|v| v.is_nan()));
        assert!(measured.position()[..3].iter().chain(&measured.position()[7..]).all(|p| p.is_nan()));
        measured.update(&joints, torso, Moment::from_ns(6), &[0.1, 0.2, 0.3, 0.4], &[0.0; 4]);
        assert_eq!(measured.arrival(torso), Some(Arrival { received_at: Moment::from_ns(6), sequence: 1 }));
    }
}
