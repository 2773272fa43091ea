//! A policy's dimensions, by name and unit, to where they are on the robot.

use super::{Embodiment, GroupKind};
use crate::error::{Error, nearest_name};
use crate::unit::{Affine, Unit};

/// What a joint reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// Position.
    Position,
    /// Velocity.
    Velocity,
    /// Effort.
    Effort,
}

/// Where a state dimension comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Source {
    /// An element of a group's feedback: `value = from_wire(element)`.
    Joint {
        /// Index of the group.
        group: usize,
        /// Index of the joint in the group.
        joint: usize,
        /// Which of its numbers.
        field: Field,
        /// From the wire's unit to the policy's.
        from_wire: Affine,
    },
    /// A coordinate of a hand in the base frame, by forward kinematics, in metres.
    Hand {
        /// Index of the hand.
        hand: usize,
        /// 0, 1, 2 for x, y, z.
        axis: usize,
    },
}

/// Where an action dimension goes: `wire = to_wire(action)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Command {
    /// Index of the group.
    pub group: usize,
    /// Index of the joint in the group.
    pub joint: usize,
    /// From the policy's unit to the wire's.
    pub to_wire: Affine,
}

impl Embodiment {
    /// Resolves a state dimension.
    ///
    /// # Errors
    /// If this robot does not have the quantity, or not in that unit.
    pub fn signal(&self, name: &str, unit: Unit) -> Result<Source, Error> {
        let (stem, suffix) = name.rsplit_once('.').unwrap_or((name, "pos"));
        if let Some(axis) = ["x", "y", "z"].iter().position(|axis| *axis == suffix)
            && let Some(hand) = self.hands.iter().position(|hand| hand.name == stem)
        {
            return if unit == Unit::Metre {
                Ok(Source::Hand { hand, axis })
            } else {
                Err(self.wrong_unit(name, unit, "`m`".to_owned()))
            };
        }
        let (group, joint) = self.joint(stem).ok_or_else(|| self.unknown("state dimension", name))?;
        let described = &self.groups[group];
        let field = match (suffix, described.kind) {
            ("pos", GroupKind::Position) => Field::Position,
            ("pos" | "vel", GroupKind::Velocity) | ("vel", GroupKind::Position) => Field::Velocity,
            ("effort", _) => Field::Effort,
            _ => return Err(self.unknown("state dimension", name)),
        };
        let from_wire = match (field, described.kind) {
            (Field::Velocity, GroupKind::Position) => {
                let known = described.unit.a_second();
                (known == Some(unit)).then_some(Affine::IDENTITY).ok_or_else(|| {
                    self.wrong_unit(
                        name,
                        unit,
                        known.map_or("no unit".to_owned(), |unit| format!("`{unit}`")),
                    )
                })?
            }
            (Field::Effort, _) => {
                let known = Unit::NewtonMetre;
                (unit == known)
                    .then_some(Affine::IDENTITY)
                    .ok_or_else(|| self.wrong_unit(name, unit, format!("`{known}`")))?
            }
            _ => {
                let to_wire = described.to_wire(unit, joint);
                let to_wire = to_wire.ok_or_else(|| self.wrong_unit(name, unit, described.known_units()))?;
                Affine { scale: 1.0 / to_wire.scale, offset: -to_wire.offset / to_wire.scale }
            }
        };
        Ok(Source::Joint { group, joint, field, from_wire })
    }

    /// Resolves an action dimension.
    ///
    /// # Errors
    /// If this robot does not have the joint, or not in that unit.
    pub fn command(&self, name: &str, unit: Unit) -> Result<Command, Error> {
        let stem = name.strip_suffix(".pos").unwrap_or(name);
        let (group, joint) = self.joint(stem).ok_or_else(|| self.unknown("joint", name))?;
        let described = &self.groups[group];
        let to_wire = described.to_wire(unit, joint);
        let to_wire = to_wire.ok_or_else(|| self.wrong_unit(name, unit, described.known_units()))?;
        Ok(Command { group, joint, to_wire })
    }

    fn joint(&self, name: &str) -> Option<(usize, usize)> {
        self.groups.iter().enumerate().find_map(|(index, group)| {
            let alias = group.aliases.iter().find(|alias| alias.name == name);
            let name = alias.map_or(name, |alias| alias.joint.as_str());
            group.joints.iter().position(|joint| joint.name == name).map(|joint| (index, joint))
        })
    }

    fn unknown(&self, kind: &'static str, name: &str) -> Error {
        let joints = self.groups.iter().flat_map(|group| {
            let aliases = group.aliases.iter().map(|alias| alias.name.as_str());
            group.joints.iter().map(|joint| joint.name.as_str()).chain(aliases)
        });
        let hands = self.hands.iter().map(|hand| hand.name.as_str());
        Error::UnknownName {
            kind,
            name: name.to_owned(),
            place: format!("robot `{}`", self.name),
            nearest: nearest_name(name, joints.chain(hands)),
        }
    }

    fn wrong_unit(&self, name: &str, unit: Unit, expected: String) -> Error {
        Error::Unit {
            name: name.to_owned(),
            found: unit.to_string(),
            expected,
            place: format!("robot `{}`", self.name),
        }
    }
}
