//! Physical units of state and action dimensions.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A unit, written in bundles and configuration as its symbol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Unit {
    /// Radians.
    #[serde(rename = "rad")]
    Radian,
    /// Degrees.
    #[serde(rename = "deg")]
    Degree,
    /// Radians per second.
    #[serde(rename = "rad/s")]
    RadianPerSecond,
    /// Metres.
    #[serde(rename = "m")]
    Metre,
    /// Millimetres.
    #[serde(rename = "mm")]
    Millimetre,
    /// Metres per second.
    #[serde(rename = "m/s")]
    MetrePerSecond,
    /// Newton metres.
    #[serde(rename = "N·m")]
    NewtonMetre,
    /// A number without a unit, usually −1 … 1.
    #[serde(rename = "1")]
    One,
}

impl Unit {
    /// How many radians one of it is; none if it is no angle.
    pub fn radians(self) -> Option<f64> {
        match self {
            Self::Radian => Some(1.0),
            Self::Degree => Some(std::f64::consts::PI / 180.0),
            _ => None,
        }
    }

    /// The unit of speeds of what is measured in it; none if it has no name here.
    pub fn a_second(self) -> Option<Self> {
        match self {
            Self::Radian => Some(Self::RadianPerSecond),
            Self::Metre => Some(Self::MetrePerSecond),
            _ => None,
        }
    }

    /// The unit's symbol.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Radian => "rad",
            Self::Degree => "deg",
            Self::RadianPerSecond => "rad/s",
            Self::Metre => "m",
            Self::Millimetre => "mm",
            Self::MetrePerSecond => "m/s",
            Self::NewtonMetre => "N·m",
            Self::One => "1",
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.symbol())
    }
}

/// `y = scale · x + offset`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Affine {
    /// Slope; not zero.
    pub scale: f64,
    /// Value at zero.
    #[serde(default)]
    pub offset: f64,
}

impl Affine {
    /// Changes nothing.
    pub const IDENTITY: Self = Self { scale: 1.0, offset: 0.0 };

    /// `scale · x + offset`.
    pub fn apply(&self, x: f64) -> f64 {
        self.scale * x + self.offset
    }

    /// The `x` that `apply` takes to `y`.
    pub fn invert(&self, y: f64) -> f64 {
        (y - self.offset) / self.scale
    }
}
