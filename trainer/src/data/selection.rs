//! Names to places in a dataset's vectors.

use crate::Error;
use crate::data::limits::invalid;
use crate::data::options::{ALL, Choice};
use sinew_dataset::{Dataset, Feature};
use sinew_models::embodiment::Embodiment;
use sinew_models::{Error as ModelError, nearest_name};
use std::collections::HashSet;

/// The feature that holds the state.
pub const STATE: &str = "observation.state";
/// The feature that holds the action.
pub const ACTION: &str = "action";

/// What the numbers of a dataset's vector are called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// Where they are from, for messages.
    place: String,
    /// One a number.
    names: Vec<String>,
}

/// Numbers taken from a vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// What they are called, in the policy's order.
    pub names: Vec<String>,
    /// Where they are in the dataset's vector.
    pub indices: Vec<usize>,
}

impl Names {
    /// The names of the state's numbers: those that the dataset gives; else those of the robot's table of that width;
    /// else their places.
    ///
    /// # Errors
    /// If the dataset has no state, or its width cannot be told.
    pub fn of_state(dataset: &Dataset, robot: &Embodiment) -> Result<Self, Error> {
        Self::of(dataset, STATE, |width| {
            let mut names = places(width);
            for (index, name) in robot.state_table(width).into_iter().flat_map(|table| table.entries()) {
                if let Some(place) = names.get_mut(index) {
                    name.clone_into(place);
                }
            }
            names
        })
    }

    /// The names of the action's numbers: those that the dataset gives; else, where the state is one of the robot's,
    /// those of its layout; else their places.
    ///
    /// # Errors
    /// If the dataset has no action, or its width cannot be told.
    pub fn of_action(dataset: &Dataset, robot: &Embodiment) -> Result<Self, Error> {
        let table = match dataset.feature(STATE) {
            Some(state) => robot.state_table(width(dataset, state)?),
            None => None,
        };
        Self::of(dataset, ACTION, |width| {
            let is_theirs = |layout: &&sinew_models::embodiment::Layout| {
                layout.action.len() == width
                    && table.is_some_and(|table| layout.state_table.as_ref() == Some(&table.name))
            };
            match robot.layouts.iter().find(is_theirs) {
                Some(layout) => layout.action.iter().map(|dimension| dimension.name.clone()).collect(),
                None => places(width),
            }
        })
    }

    fn of(dataset: &Dataset, feature: &str, unnamed: impl Fn(usize) -> Vec<String>) -> Result<Self, Error> {
        let place = format!("`{feature}` of {}", dataset.root().display());
        let known = || dataset.features().iter().map(|feature| feature.name.as_str());
        let declared = dataset
            .feature(feature)
            .ok_or_else(|| unknown("feature", feature, dataset.root().display().to_string(), known()))?;
        let width = width(dataset, declared)?;
        let names = match &declared.names {
            Some(names) if names.len() == width => names.clone(),
            _ => unnamed(width),
        };
        Ok(Self { place, names })
    }

    /// The names of a vector; `place` says in messages whose they are.
    pub(crate) fn new(place: &str, names: Vec<String>) -> Self {
        Self { place: place.to_owned(), names }
    }

    /// One a number.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// How many numbers the vector has.
    #[must_use]
    pub fn width(&self) -> usize {
        self.names.len()
    }

    /// The places that a name stands for: the one of that name, or those of every name that goes on with `.` or `_`
    /// after it.
    ///
    /// # Errors
    /// If there is none, or several of exactly that name.
    pub fn resolve(&self, name: &str) -> Result<Vec<usize>, Error> {
        let matching = |is_match: &dyn Fn(&str) -> bool| -> Vec<usize> {
            (0..self.names.len()).filter(|index| is_match(&self.names[*index])).collect()
        };
        let exact = matching(&|known| known == name);
        if exact.len() > 1 {
            return Err(invalid(
                "state or action",
                format!("`{name}`"),
                format!("a name that occurs once; {} has it {} times", self.place, exact.len()),
            ));
        }
        if exact.len() == 1 {
            return Ok(exact);
        }
        let group =
            matching(&|known| known.strip_prefix(name).is_some_and(|rest| rest.starts_with(['.', '_'])));
        if group.is_empty() {
            return Err(unknown(
                "dimension",
                name,
                self.place.clone(),
                self.names.iter().map(String::as_str),
            ));
        }
        Ok(group)
    }

    /// As [`Names::resolve`], for a name of one number.
    ///
    /// # Errors
    /// If it is unknown, or stands for several.
    pub fn resolve_one(&self, name: &str) -> Result<usize, Error> {
        match self.resolve(name)?[..] {
            [index] => Ok(index),
            ref several => Err(invalid(
                "derived",
                format!("`{name}`"),
                format!("the name of one number; it stands for {} in {}", several.len(), self.place),
            )),
        }
    }

    /// What is taken, in the order of the choice. `layout` gives the names of the robot's layouts.
    ///
    /// # Errors
    /// If a name is unknown, or a number is taken twice.
    pub fn select(
        &self,
        choice: &Choice,
        layout: impl Fn(&str) -> Result<Vec<String>, Error>,
    ) -> Result<Selection, Error> {
        let wanted = match choice {
            Choice::Layout(all) if all == ALL => {
                return Ok(Selection { names: self.names.clone(), indices: (0..self.names.len()).collect() });
            }
            Choice::Layout(name) => layout(name)?,
            Choice::Names(names) => names.clone(),
        };
        let mut selection = Selection { names: Vec::new(), indices: Vec::new() };
        let mut taken = HashSet::new();
        for name in &wanted {
            for index in self.resolve(name)? {
                if !taken.insert(index) {
                    return Err(invalid(
                        "state or action",
                        format!("`{name}`"),
                        format!("each number once; `{}` is there twice", self.names[index]),
                    ));
                }
                selection.names.push(self.names[index].clone());
                selection.indices.push(index);
            }
        }
        if selection.indices.is_empty() {
            return Err(invalid("state or action", "empty", "at least one name"));
        }
        Ok(selection)
    }
}

impl Selection {
    /// Appends the selected numbers of a row to `out`.
    pub fn take(&self, row: &[f32], out: &mut Vec<f32>) {
        out.extend(self.indices.iter().map(|index| row[*index]));
    }
}

fn places(width: usize) -> Vec<String> {
    (0..width).map(|place| place.to_string()).collect()
}

/// The declared width, or where it is left open that of the first episode's column whose rows are here.
fn width(dataset: &Dataset, feature: &Feature) -> Result<usize, Error> {
    if let Some(width) = feature.shape.iter().copied().product::<Option<usize>>()
        && !feature.shape.is_empty()
    {
        return Ok(width);
    }
    let is_here = |number: &u64| dataset.table_path(*number).is_ok_and(|path| path.exists());
    let mut numbers = dataset.episodes().iter().map(|episode| episode.episode_index);
    let first = numbers.find(is_here).or(dataset.episodes().first().map(|episode| episode.episode_index));
    Ok(dataset.episode(first.unwrap_or(0))?.column(&feature.name)?.width())
}

pub(crate) fn unknown<'a>(
    kind: &'static str,
    name: &str,
    place: String,
    known: impl Iterator<Item = &'a str>,
) -> Error {
    Error::Model(ModelError::UnknownName {
        kind,
        name: name.to_owned(),
        place,
        nearest: nearest_name(name, known),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Names {
        Names::new("`action` of demos", names.iter().map(ToString::to_string).collect())
    }

    fn no_layout(name: &str) -> Result<Vec<String>, Error> {
        panic!("{name}")
    }

    #[test]
    fn a_group_is_what_its_names_begin_with() {
        let names =
            names(&["left_arm_joint1.pos", "left_armrest", "left_arm_joint2.pos", "left_arm", "torso.pos"]);
        assert_eq!(names.resolve("left_arm").unwrap(), [3], "the exact name goes first");
        assert_eq!(names.resolve("left_arm_joint2").unwrap(), [2]);
        assert_eq!(names.resolve("left").unwrap(), [0, 1, 2, 3]);
        assert_eq!(names.resolve_one("torso").unwrap(), 4);
        assert!(names.resolve_one("left").is_err());
    }

    #[test]
    fn the_order_is_the_one_asked_for() {
        let names = names(&["a", "b", "c_1", "c_2"]);
        let choice = Choice::Names(vec!["c".to_owned(), "a".to_owned()]);
        let selection = names.select(&choice, no_layout).unwrap();
        assert_eq!(
            selection,
            Selection {
                names: vec!["c_1".to_owned(), "c_2".to_owned(), "a".to_owned()],
                indices: vec![2, 3, 0]
            }
        );
    }

    #[test]
    fn unknown_and_repeated_names_are_refused() {
        let names = names(&["left_gripper", "right_gripper", "twice", "twice"]);
        for (wanted, complaint) in [
            (vec!["left_griper"], "the nearest is `left_gripper`"),
            (vec!["left_gripper", "left"], "`left_gripper` is there twice"),
            (vec!["twice"], "has it 2 times"),
            (vec![], "at least one name"),
        ] {
            let choice = Choice::Names(wanted.iter().map(ToString::to_string).collect());
            let error = names.select(&choice, no_layout).unwrap_err().to_string();
            assert!(error.contains(complaint), "{wanted:?}: {error}");
        }
    }
}
