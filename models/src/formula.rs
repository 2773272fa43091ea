//! Numbers of the state that are computed from others: one copy of the rules, for training and for the robot.

use crate::error::Error;
use crate::unit::Unit;
use serde::{Deserialize, Serialize};

/// How a number is computed from operands, which are whatever names them: a place in a row, a name, a name and its unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Formula<T> {
    /// Difference to the row before, times the rows a second; 0 where there is none before.
    Velocity {
        /// The position.
        of: T,
        /// Rows a second.
        rate_hz: f64,
    },
    /// Euclidean norm.
    Norm {
        /// Its components.
        of: Vec<T>,
    },
    /// Distance between two points.
    Distance {
        /// x, y, z of one.
        from: [T; 3],
        /// x, y, z of the other.
        to: [T; 3],
    },
}

/// A number that formulas of a bundle are about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operand {
    /// The robot's name of the quantity.
    pub name: String,
    /// The unit that the formula takes it in.
    pub unit: Unit,
}

impl<T> Formula<T> {
    /// The value, from operands at a time, and for velocities also a row before it.
    pub fn value(&self, now: impl Fn(&T) -> f64, before: impl Fn(&T) -> f64) -> f64 {
        match self {
            Self::Velocity { of, rate_hz } => (now(of) - before(of)) * rate_hz,
            Self::Norm { of } => of.iter().map(|component| now(component).powi(2)).sum::<f64>().sqrt(),
            Self::Distance { from, to } => {
                from.iter().zip(to).map(|(a, b)| (now(a) - now(b)).powi(2)).sum::<f64>().sqrt()
            }
        }
    }

    /// The same formula about other operands.
    ///
    /// # Errors
    /// The first that an operand meets.
    pub fn try_map<U, E>(&self, mut of: impl FnMut(&T) -> Result<U, E>) -> Result<Formula<U>, E> {
        Ok(match self {
            Self::Velocity { of: position, rate_hz } => {
                Formula::Velocity { of: of(position)?, rate_hz: *rate_hz }
            }
            Self::Norm { of: components } => {
                Formula::Norm { of: components.iter().map(of).collect::<Result<_, E>>()? }
            }
            Self::Distance { from, to } => {
                let mut point = |[x, y, z]: &[T; 3]| Ok::<_, E>([of(x)?, of(y)?, of(z)?]);
                Formula::Distance { from: point(from)?, to: point(to)? }
            }
        })
    }

    /// The operands.
    pub fn operands(&self) -> Vec<&T> {
        match self {
            Self::Velocity { of, .. } => vec![of],
            Self::Norm { of } => of.iter().collect(),
            Self::Distance { from, to } => from.iter().chain(to).collect(),
        }
    }

    /// Time between the two rows that it looks at, nanoseconds; none where it looks at one.
    pub fn look_back_ns(&self) -> Option<i64> {
        match self {
            Self::Velocity { rate_hz, .. } => Some((1e9 / rate_hz).round() as i64),
            _ => None,
        }
    }
}

impl Formula<Operand> {
    /// The unit of `name`, which this is the formula of.
    ///
    /// # Errors
    /// If the operands are not of one unit, or speeds of theirs have none.
    pub fn unit(&self, name: &str) -> Result<Unit, Error> {
        let operands = self.operands();
        let wrong = |key: &str, found: String, expected: &str| Error::Config {
            key: format!("derived `{name}`.{key}"),
            found,
            expected: expected.to_owned(),
        };
        let Some(first) = operands.first() else {
            return Err(wrong("of", "nothing".to_owned(), "at least one number"));
        };
        if let Some(other) = operands.iter().find(|operand| operand.unit != first.unit) {
            let found = format!("`{}` in {} and `{}` in {}", first.name, first.unit, other.name, other.unit);
            return Err(wrong("operands", found, "numbers of one unit"));
        }
        match self {
            Self::Velocity { rate_hz, .. } if !(rate_hz.is_finite() && *rate_hz > 0.0) => {
                Err(wrong("rate_hz", rate_hz.to_string(), "more than 0"))
            }
            Self::Velocity { .. } => first.unit.a_second().ok_or_else(|| {
                let found = format!("`{}` in {}", first.name, first.unit);
                wrong("of", found, "a position in `rad` or `m`")
            }),
            _ => Ok(first.unit),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(formula: &Formula<usize>, now: &[f64], before: &[f64]) -> f64 {
        formula.value(|index| now[*index], |index| before[*index])
    }

    #[test]
    fn values_are_those_of_the_textbook() {
        let (now, before) = ([1.0, 2.0, 2.0, 4.0, 6.0, 14.0], [0.9, 0.0, 0.0, 0.0, 0.0, 0.0]);
        let velocity = Formula::Velocity { of: 0, rate_hz: 30.0 };
        assert!((value(&velocity, &now, &before) - 3.0).abs() < 1e-12);
        assert_eq!(value(&velocity, &now, &now), 0.0);
        assert_eq!(value(&Formula::Norm { of: vec![0, 1, 2] }, &now, &before), 3.0);
        // (3, 4, 12) apart
        let distance = Formula::Distance { from: [0, 1, 2], to: [3, 4, 5] };
        assert_eq!(value(&distance, &now, &before), 13.0);
        assert_eq!((velocity.look_back_ns(), distance.look_back_ns()), (Some(33_333_333), None));
    }

    #[test]
    fn units_follow_from_the_operands() {
        let operand = |name: &str, unit| Operand { name: name.to_owned(), unit };
        let velocity = |unit| Formula::Velocity { of: operand("a.pos", unit), rate_hz: 30.0 };
        assert_eq!(velocity(Unit::Radian).unit("v").unwrap(), Unit::RadianPerSecond);
        assert_eq!(velocity(Unit::Metre).unit("v").unwrap(), Unit::MetrePerSecond);
        let error = velocity(Unit::Degree).unit("v").unwrap_err().to_string();
        assert!(error.contains("`v`") && error.contains("`a.pos` in deg"), "{error}");
        let force =
            Formula::Norm { of: vec![operand("a.effort", Unit::NewtonMetre), operand("b.pos", Unit::Metre)] };
        let error = force.unit("grip").unwrap_err().to_string();
        assert!(error.contains("`a.effort` in N·m and `b.pos` in m"), "{error}");
        assert!(Formula::Norm { of: Vec::new() }.unit("grip").is_err());
        let standing = Formula::Velocity { of: operand("a.pos", Unit::Metre), rate_hz: 0.0 };
        assert!(standing.unit("v").unwrap_err().to_string().contains("rate_hz"));
    }

    #[test]
    fn a_bundle_says_it_in_json() {
        let formula =
            Formula::Velocity { of: Operand { name: "a.pos".to_owned(), unit: Unit::Radian }, rate_hz: 30.0 };
        let text = r#"{"kind":"velocity","of":{"name":"a.pos","unit":"rad"},"rate_hz":30.0}"#;
        assert_eq!(serde_json::to_string(&formula).unwrap(), text);
        assert_eq!(serde_json::from_str::<Formula<Operand>>(text).unwrap(), formula);
    }
}
