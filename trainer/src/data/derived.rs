//! Numbers of the state that are computed from others.

use crate::Error;
use crate::data::options::Derived;
use crate::data::selection::Names;
use sinew_dataset::Rows;

/// A derived number with its operands found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Formula {
    Velocity(usize),
    Norm(Vec<usize>),
    Distance { from: [usize; 3], to: [usize; 3] },
}

impl Formula {
    /// Finds the operands among the state's numbers.
    pub(crate) fn resolve(derived: &Derived, names: &Names) -> Result<Self, Error> {
        let point = |[x, y, z]: &[String; 3]| {
            Ok::<_, Error>([names.resolve_one(x)?, names.resolve_one(y)?, names.resolve_one(z)?])
        };
        Ok(match derived {
            Derived::Velocity { of, .. } => Self::Velocity(names.resolve_one(of)?),
            Derived::Force { of, .. } => {
                let operands: Result<Vec<_>, Error> = of.iter().map(|name| names.resolve(name)).collect();
                Self::Norm(operands?.concat())
            }
            Derived::Distance { from, to, .. } => Self::Distance { from: point(from)?, to: point(to)? },
        })
    }

    /// The number at a row of the dataset's state. Velocities are over the rows as recorded, whatever the stride.
    pub(crate) fn at(&self, state: &Rows, row: usize, fps: f64) -> f32 {
        let value = |row: usize, index: usize| f64::from(state.values()[row * state.width() + index]);
        let number = match self {
            Self::Velocity(index) => (value(row, *index) - value(row.saturating_sub(1), *index)) * fps,
            Self::Norm(indices) => indices.iter().map(|index| value(row, *index).powi(2)).sum::<f64>().sqrt(),
            Self::Distance { from, to } => {
                let square = |(a, b): (&usize, &usize)| (value(row, *a) - value(row, *b)).powi(2);
                from.iter().zip(to).map(square).sum::<f64>().sqrt()
            }
        };
        number as f32
    }
}

impl Derived {
    /// What it is called in the policy's state.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Velocity { name, .. } | Self::Force { name, .. } | Self::Distance { name, .. } => name,
        }
    }
}
