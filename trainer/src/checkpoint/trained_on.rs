//! `sinew.json` beside a policy: what its numbers are called, how far apart its actions are and how it wants to be run,
//! which LeRobot's files do not say. Without it a policy trained on other joints, or at half the rate, would pass for the robot's own.

use crate::Error;
use crate::checkpoint::policy_folder::write_json;
use crate::data::DerivedNumber;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sinew_models::contract::Training;
use sinew_models::embodiment::{Embodiment, Layout, LayoutDimension};
use sinew_models::formula::{Formula, Operand};
use sinew_models::unit::Unit;
use std::fs;
use std::path::Path;

const FILE: &str = "sinew.json";

/// What a policy was trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainedOn {
    /// Names of the state's numbers, in the policy's order.
    pub state: Vec<String>,
    /// Names of the action's numbers, in the policy's order.
    pub action: Vec<String>,
    /// How the state's last numbers are computed from others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub derived: Vec<DerivedNumber>,
    /// Steps of a chunk a second.
    pub rate_hz: f64,
    /// What it was trained for.
    #[serde(default)]
    pub training: Training,
}

impl TrainedOn {
    /// Reads it from a policy's folder; nothing where LeRobot trained the policy.
    ///
    /// # Errors
    /// If the file is there and cannot be read.
    pub fn read(folder: &Path) -> Result<Option<Self>, Error> {
        let path = folder.join(FILE);
        if !path.exists() {
            return Ok(None);
        }
        let text = fs::read_to_string(&path).map_err(Error::io(&path))?;
        Ok(Some(serde_json::from_str(&text).map_err(|e| sinew_models::Error::file(&path, e))?))
    }

    /// Writes it into a policy's folder.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        write_json(&folder.join(FILE), &json!(self), b"  ")
    }

    /// Compares it with what the robot will take the numbers for.
    ///
    /// # Errors
    /// If the steps are not as far apart as the layout's, or, unless `trust_names`, a number is not called as there.
    pub fn check(&self, layout: &Layout, trust_names: bool) -> Result<(), Error> {
        let mismatch = |what: String, left: String, right: String| {
            Err(sinew_models::Error::Mismatch {
                what,
                left_name: "the training".to_owned(),
                left,
                right_name: format!("layout `{}`", layout.name),
                right,
            }
            .into())
        };
        if (self.rate_hz - layout.rate_hz).abs() > 1e-6 * layout.rate_hz {
            let rate = |rate: f64| format!("{rate} a second");
            return mismatch("steps of a chunk".to_owned(), rate(self.rate_hz), rate(layout.rate_hz));
        }
        if trust_names {
            return Ok(());
        }
        for (vector, found, expected) in
            [("state", &self.state, &layout.state), ("action", &self.action, &layout.action)]
        {
            let differs =
                |(_, (found, expected)): &(usize, (&String, &LayoutDimension))| **found != expected.name;
            if let Some((place, (found, expected))) = found.iter().zip(expected).enumerate().find(differs) {
                return mismatch(
                    format!("number {place} of the {vector}"),
                    found.clone(),
                    expected.name.clone(),
                );
            }
        }
        Ok(())
    }

    /// The derived numbers as the robot is to compute them: operands by the layout's names and units, or efforts, which
    /// have one unit. The state's reported numbers are taken for the layout's, in order.
    ///
    /// # Errors
    /// If an operand is none of these, or the robot does not report it.
    pub fn formulas(&self, layout: &Layout, robot: &Embodiment) -> Result<Vec<Formula<Operand>>, Error> {
        let operand = |name: &String| {
            let place = self.state.iter().zip(&layout.state).find(|(known, _)| *known == name);
            let operand = match place {
                Some((_, dimension)) => Operand { name: dimension.name.clone(), unit: dimension.unit },
                None if name.ends_with(".effort") => Operand { name: name.clone(), unit: Unit::NewtonMetre },
                None => {
                    let known = layout.state.iter().map(|dimension| dimension.name.as_str());
                    return Err(Error::from(sinew_models::Error::UnknownName {
                        kind: "operand of a derived number",
                        name: name.clone(),
                        place: format!("layout `{}`, nor is it an effort", layout.name),
                        nearest: sinew_models::nearest_name(name, known),
                    }));
                }
            };
            robot.signal(&operand.name, operand.unit)?;
            Ok(operand)
        };
        self.derived.iter().map(|number| number.formula.try_map(operand)).collect()
    }
}
