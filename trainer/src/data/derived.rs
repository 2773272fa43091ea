//! Numbers of the state that are computed from others.

use crate::Error;
use crate::data::options::Derived;
use crate::data::selection::Names;
use serde::{Deserialize, Serialize};
use sinew_dataset::Rows;
use sinew_models::contract::Dimension;
use sinew_models::formula::{Formula, Operand};
use std::convert::Infallible;

/// A number of a policy's state that was computed from others.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DerivedNumber {
    /// What it is called.
    pub name: String,
    /// How it is computed; operands by the names that the dataset gives them.
    pub formula: Formula<String>,
}

/// A derived number with its operands found.
#[derive(Clone, Debug)]
pub(crate) struct Derivation {
    pub(crate) number: DerivedNumber,
    places: Formula<usize>,
}

impl Derivation {
    /// Finds the operands among the numbers of a state of which there are `fps` rows a second. Velocities are over the
    /// rows as recorded, whatever the stride.
    pub(crate) fn resolve(derived: &Derived, names: &Names, fps: f64) -> Result<Self, Error> {
        let point = |[x, y, z]: &[String; 3]| {
            Ok::<_, Error>([names.resolve_one(x)?, names.resolve_one(y)?, names.resolve_one(z)?])
        };
        let places = match derived {
            Derived::Velocity { of, .. } => Formula::Velocity { of: names.resolve_one(of)?, rate_hz: fps },
            Derived::Force { of, .. } => {
                let operands: Result<Vec<_>, Error> = of.iter().map(|name| names.resolve(name)).collect();
                Formula::Norm { of: operands?.concat() }
            }
            Derived::Distance { from, to, .. } => Formula::Distance { from: point(from)?, to: point(to)? },
        };
        let formula = places.try_map(|place| Ok::<_, Error>(names.names()[*place].clone()))?;
        Ok(Self { number: DerivedNumber { name: derived.name().to_owned(), formula }, places })
    }

    /// The number at a row of the dataset's state.
    pub(crate) fn at(&self, state: &Rows, row: usize) -> f32 {
        let value = |row: usize, index: usize| f64::from(state.values()[row * state.width() + index]);
        let before = row.saturating_sub(1);
        self.places.value(|index| value(row, *index), |index| value(before, *index)) as f32
    }
}

impl Derived {
    /// As a bundle has it; nothing where the number is reported.
    #[must_use]
    pub fn of_bundle(dimension: &Dimension) -> Option<Self> {
        let name = dimension.name.clone();
        let operand = |operand: &Operand| Ok::<_, Infallible>(operand.name.clone());
        let Ok(formula) = dimension.derived.as_ref()?.try_map(operand);
        Some(match formula {
            Formula::Velocity { of, .. } => Self::Velocity { name, of },
            Formula::Norm { of } => Self::Force { name, of },
            Formula::Distance { from, to } => Self::Distance { name, from, to },
        })
    }

    /// What it is called in the policy's state.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Velocity { name, .. } | Self::Force { name, .. } | Self::Distance { name, .. } => name,
        }
    }
}
