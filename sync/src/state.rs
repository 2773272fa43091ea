//! From what the joints report to the policy's state vector, in the policy's order and units.

use crate::error::{Error, quoted};
use sinew_models::embodiment::{Embodiment, Field, Source};
use sinew_models::unit::Unit;

/// What a group of joints reported at one time, in the robot's order and units.
///
/// # Shapes
/// Each is empty or has one entry a joint.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Feedback {
    /// Positions.
    pub position: Vec<f64>,
    /// Velocities.
    pub velocity: Vec<f64>,
    /// Efforts.
    pub effort: Vec<f64>,
}

impl Feedback {
    /// One of the three.
    #[must_use]
    pub fn field(&self, field: Field) -> &[f64] {
        match field {
            Field::Position => &self.position,
            Field::Velocity => &self.velocity,
            Field::Effort => &self.effort,
        }
    }
}

/// Builds one policy's state vector.
#[derive(Clone, Debug)]
pub struct StateBuilder {
    embodiment: Embodiment,
    sources: Vec<Source>,
    needs: Vec<Vec<Field>>,
}

impl StateBuilder {
    /// Finds where each state dimension, given by name and unit, comes from.
    ///
    /// # Errors
    /// If the robot does not have one, or not in that unit, or does not report what it needs.
    pub fn new<'a>(
        dimensions: impl IntoIterator<Item = (&'a str, Unit)>,
        embodiment: &Embodiment,
    ) -> Result<Self, Error> {
        let mut needs = vec![Vec::new(); embodiment.groups.len()];
        let mut need = |group: usize, field| {
            if !needs[group].contains(&field) {
                needs[group].push(field);
            }
        };
        let mut sources = Vec::new();
        for (name, unit) in dimensions {
            let source = embodiment.signal(name, unit)?;
            match source {
                Source::Joint { group, field, .. } => need(group, field),
                Source::Hand { hand, .. } => {
                    for (group, joint) in embodiment.kinematics.joints_of(hand) {
                        radians(embodiment, group, joint)?;
                        need(group, Field::Position);
                    }
                }
            }
            sources.push(source);
        }
        let builder = Self { embodiment: embodiment.clone(), sources, needs };
        for group in builder.groups() {
            let described = &embodiment.groups[group];
            if described.feedback.is_none() {
                let fields: Vec<_> =
                    builder.needs[group].iter().map(|field| format!("{field:?}").to_lowercase()).collect();
                return Err(Error::mismatch(
                    format!("feedback of group `{}`", described.name),
                    ("the policy's state", &format!("it needs {}", quoted(&fields))),
                    (&format!("robot `{}`", embodiment.name), "it has none"),
                ));
            }
        }
        Ok(builder)
    }

    /// Groups whose feedback the state needs.
    pub fn groups(&self) -> impl Iterator<Item = usize> {
        self.needs.iter().enumerate().filter(|(_, fields)| !fields.is_empty()).map(|(group, _)| group)
    }

    /// What the state needs of a group.
    #[must_use]
    pub fn needs(&self, group: usize) -> &[Field] {
        &self.needs[group]
    }

    /// The state vector.
    ///
    /// # Shapes
    /// `feedback(group)` has to give every field of [`Self::needs`], one entry a joint. The result has one number a
    /// state dimension.
    pub fn build<'a>(&self, feedback: impl Fn(usize) -> &'a Feedback) -> Vec<f32> {
        let position_rad = |group: usize, joint| {
            let unit = self.embodiment.groups[group].unit;
            feedback(group).position[joint] * unit.radians().unwrap_or(f64::NAN)
        };
        let hands_m: Vec<[f64; 3]> = (0..self.embodiment.hands.len())
            .map(|hand| if self.uses_hand(hand) { self.hand_m(hand, position_rad) } else { [0.0; 3] })
            .collect();
        let number = |source: &Source| match source {
            Source::Joint { group, joint, field, from_wire } => {
                from_wire.apply(feedback(*group).field(*field)[*joint])
            }
            Source::Hand { hand, axis } => hands_m[*hand][*axis],
        };
        self.sources.iter().map(|source| number(source) as f32).collect()
    }

    fn uses_hand(&self, hand: usize) -> bool {
        self.sources.iter().any(|source| matches!(source, Source::Hand { hand: used, .. } if *used == hand))
    }

    fn hand_m(&self, hand: usize, position_rad: impl Fn(usize, usize) -> f64) -> [f64; 3] {
        self.embodiment.kinematics.hand_position_m(hand, position_rad)
    }
}

/// How many radians one unit of a joint is.
///
/// # Errors
/// If its unit is no angle.
pub fn radians(embodiment: &Embodiment, group: usize, joint: usize) -> Result<f64, Error> {
    let described = &embodiment.groups[group];
    described.unit.radians().ok_or_else(|| {
        Error::mismatch(
            format!("unit of `{}`", described.joints[joint].name),
            ("forward kinematics", &format!("`{}` or `{}`", Unit::Radian, Unit::Degree)),
            (&format!("robot `{}`", embodiment.name), &format!("`{}`", described.unit)),
        )
    })
}
