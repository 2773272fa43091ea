//! From what the joints report to the policy's state vector, in the policy's order and units.

use crate::error::{Error, quoted};
use sinew_models::contract::StateDimension;
use sinew_models::embodiment::{Embodiment, Field, Source};
use sinew_models::formula::{Formula, Operand};
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
    numbers: Vec<Number>,
    needs: Vec<Vec<Field>>,
    look_back_ns: Option<i64>,
}

/// A number of the state.
#[derive(Clone, Debug)]
enum Number {
    Reported(Source),
    Derived(Formula<Source>),
}

impl Number {
    fn sources(&self) -> Vec<&Source> {
        match self {
            Self::Reported(source) => vec![source],
            Self::Derived(formula) => formula.operands(),
        }
    }
}

impl StateBuilder {
    /// Finds where each state dimension comes from.
    ///
    /// # Errors
    /// If the robot does not have one, or not in that unit, or does not report what it needs.
    pub fn new<'a>(
        dimensions: impl IntoIterator<Item = StateDimension<'a>>,
        embodiment: &Embodiment,
    ) -> Result<Self, Error> {
        let mut needs = vec![Vec::new(); embodiment.groups.len()];
        let mut need = |group: usize, field| {
            if !needs[group].contains(&field) {
                needs[group].push(field);
            }
        };
        let (mut numbers, mut look_back_ns) = (Vec::new(), None);
        for dimension in dimensions {
            let number = match dimension.derived {
                None => Number::Reported(embodiment.signal(dimension.name, dimension.unit)?),
                Some(formula) => {
                    agree(&mut look_back_ns, formula.look_back_ns(), dimension.name)?;
                    let source = |operand: &Operand| embodiment.signal(&operand.name, operand.unit);
                    Number::Derived(formula.try_map(source)?)
                }
            };
            for source in number.sources() {
                match source {
                    Source::Joint { group, field, .. } => need(*group, *field),
                    Source::Hand { hand, .. } => {
                        for (group, joint) in embodiment.kinematics.joints_of(*hand) {
                            radians(embodiment, group, joint)?;
                            need(group, Field::Position);
                        }
                    }
                }
            }
            numbers.push(number);
        }
        let builder = Self { embodiment: embodiment.clone(), numbers, needs, look_back_ns };
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

    /// How long before an observation's time [`Self::build`] also wants feedback of; none if it does not.
    #[must_use]
    pub fn look_back_ns(&self) -> Option<i64> {
        self.look_back_ns
    }

    /// The state vector. `before` is what was reported [`Self::look_back_ns`] earlier, and is not asked without one.
    ///
    /// # Shapes
    /// `feedback(group)` and `before(group)` have to give every field of [`Self::needs`], one entry a joint. The result
    /// has one number a state dimension.
    pub fn build<'a>(
        &self,
        feedback: impl Fn(usize) -> &'a Feedback,
        before: impl Fn(usize) -> &'a Feedback,
    ) -> Vec<f32> {
        let hands_m = self.hands_m(&feedback);
        let hands_before_m = if self.look_back_ns.is_some() { self.hands_m(&before) } else { Vec::new() };
        let now = |source: &Source| read(source, &feedback, &hands_m);
        let value = |number: &Number| match number {
            Number::Reported(source) => now(source),
            Number::Derived(formula) => formula.value(now, |source| read(source, &before, &hands_before_m)),
        };
        self.numbers.iter().map(|number| value(number) as f32).collect()
    }

    /// Where the hands are that the state is about; the others are not computed.
    fn hands_m<'a>(&self, feedback: &impl Fn(usize) -> &'a Feedback) -> Vec<[f64; 3]> {
        let position_rad = |group: usize, joint| {
            let unit = self.embodiment.groups[group].unit;
            feedback(group).position[joint] * unit.radians().unwrap_or(f64::NAN)
        };
        let is_used = |hand: usize| {
            let is_it = |source: &Source| matches!(source, Source::Hand { hand: used, .. } if *used == hand);
            self.numbers.iter().any(|number| number.sources().into_iter().any(is_it))
        };
        let hand_m = |hand| self.embodiment.kinematics.hand_position_m(hand, position_rad);
        let hands = 0..self.embodiment.hands.len();
        hands.map(|hand| if is_used(hand) { hand_m(hand) } else { [0.0; 3] }).collect()
    }
}

fn read<'a>(source: &Source, feedback: &impl Fn(usize) -> &'a Feedback, hands_m: &[[f64; 3]]) -> f64 {
    match source {
        Source::Joint { group, joint, field, from_wire } => {
            from_wire.apply(feedback(*group).field(*field)[*joint])
        }
        Source::Hand { hand, axis } => hands_m[*hand][*axis],
    }
}

/// All speeds of a state are over the same time.
fn agree(known_ns: &mut Option<i64>, look_back_ns: Option<i64>, name: &str) -> Result<(), Error> {
    match (*known_ns, look_back_ns) {
        (Some(known), Some(other)) if known != other => Err(Error::mismatch(
            format!("time that the speed `{name}` is over"),
            ("the state's first speed", &format!("{known} ns")),
            ("this one", &format!("{other} ns")),
        )),
        (None, Some(_)) => {
            *known_ns = look_back_ns;
            Ok(())
        }
        _ => Ok(()),
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
