//! What is said about the whole robot at one moment: which joints there are, where they shall be, where they are.
//!
//! All of it is flat vectors in one fixed order, made once, so that a control tick allocates nothing.

mod joints;
mod measured;

pub use joints::{GroupSpan, JointAxis, Joints};
pub use measured::{Arrival, Measured};

/// Where every joint of the robot shall be.
///
/// # Shapes
/// One number a joint, in the order of [`Joints`] and in its group's unit: positions (rad, deg, mm) of position groups,
/// velocities of velocity groups. Numbers of groups that are not commanded mean nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Setpoint {
    /// The numbers.
    pub values: Box<[f64]>,
}

impl Setpoint {
    /// All zero: a place to write to, not a posture.
    #[must_use]
    pub fn zeros(joints: &Joints) -> Self {
        Self { values: vec![0.0; joints.count()].into() }
    }

    /// Takes over another's numbers.
    ///
    /// # Panics
    /// If it is of another robot.
    pub fn copy_from(&mut self, other: &Self) {
        self.values.copy_from_slice(&other.values);
    }
}
