//! A dataset's state vector to what the robot's joints would report. Pure.

use crate::error::Error;
use sinew_models::embodiment::{Embodiment, Field, GroupKind, Source};
use sinew_models::unit::{Affine, Unit};
use sinew_proto::msg::builtin_interfaces::Time;
use sinew_proto::msg::geometry_msgs::{Twist, TwistStamped, Vector3};
use sinew_proto::msg::sensor_msgs::JointState;
use sinew_proto::msg::std_msgs::Header;
use sinew_proto::{Message, Stamp};

/// Where a joint's number is found: indices in the state vector, and what the robot's unit becomes there.
type Place = Vec<(usize, Affine)>;

/// One group's messages.
#[derive(Clone, Debug)]
pub struct GroupFeedback {
    /// The group.
    pub name: String,
    /// Its topic.
    pub topic: String,
    is_twist: bool,
    joint_names: Vec<String>,
    position: Option<Vec<Place>>,
    velocity: Option<Vec<Place>>,
}

/// Finds the joints in a state vector of so many numbers. `names` are the dataset's names of them, if it has some;
/// where those say nothing to the robot, its tables of published vectors are asked.
///
/// # Errors
/// If neither knows the numbers, or no group is complete.
pub fn groups(
    embodiment: &Embodiment,
    width: usize,
    names: Option<&[String]>,
    dataset: &str,
) -> Result<Vec<GroupFeedback>, Error> {
    let by_name = names.filter(|names| names.len() == width).map(|names| named(embodiment, names));
    let sources = match by_name {
        Some(sources) if !sources.is_empty() => sources,
        _ => tabled(embodiment, width, dataset)?,
    };
    let groups: Vec<GroupFeedback> = (0..embodiment.groups.len())
        .filter_map(|group| GroupFeedback::new(embodiment, group, &sources))
        .collect();
    if groups.is_empty() {
        let message =
            format!("none of its state's numbers gives a whole group of robot `{}`", embodiment.name);
        return Err(Error::Replay { dataset: dataset.to_owned(), message });
    }
    Ok(groups)
}

fn named(embodiment: &Embodiment, names: &[String]) -> Vec<(usize, Source)> {
    let numbered = names.iter().enumerate();
    numbered.filter_map(|(index, name)| Some((index, si_signal(embodiment, name)?))).collect()
}

fn tabled(embodiment: &Embodiment, width: usize, dataset: &str) -> Result<Vec<(usize, Source)>, Error> {
    let table = embodiment.state_table(width).ok_or_else(|| {
        let widths: Vec<String> = embodiment.state_tables.iter().map(|table| table.width.to_string()).collect();
        let (robot, widths) = (&embodiment.name, widths.join(" or "));
        let message = format!(
            "its state has {width} numbers; robot `{robot}` knows vectors of {widths} numbers, and those whose names \
             are its joints'"
        );
        Error::Replay { dataset: dataset.to_owned(), message }
    })?;
    Ok(table.entries().filter_map(|(index, name)| Some((index, si_signal(embodiment, name)?))).collect())
}

/// Datasets hold SI units: of the units in which the robot knows a quantity, that one.
fn si_signal(embodiment: &Embodiment, name: &str) -> Option<Source> {
    let units = [Unit::Radian, Unit::Metre, Unit::RadianPerSecond, Unit::MetrePerSecond];
    units.into_iter().find_map(|unit| embodiment.signal(name, unit).ok())
}

impl GroupFeedback {
    /// The ROS type of its messages.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        if self.is_twist { TwistStamped::TYPE_NAME } else { JointState::TYPE_NAME }
    }

    /// A group's messages, if the vector holds all of what it moves by.
    fn new(embodiment: &Embodiment, index: usize, sources: &[(usize, Source)]) -> Option<Self> {
        let group = &embodiment.groups[index];
        let topic = group.feedback.as_ref()?;
        let places = |wanted: Field| -> Option<Vec<Place>> {
            let joints = 0..group.joints.len();
            joints.map(|joint| place(sources, (index, joint, wanted))).collect()
        };
        let (position, velocity) = (places(Field::Position), places(Field::Velocity));
        let is_known = match group.kind {
            GroupKind::Position => position.is_some(),
            GroupKind::Velocity => velocity.is_some(),
        };
        is_known.then(|| Self {
            name: group.name.clone(),
            topic: topic.topic.clone(),
            is_twist: topic.message == <TwistStamped as Message>::TYPE_NAME,
            joint_names: group.joints.iter().map(|joint| joint.name.clone()).collect(),
            position,
            velocity,
        })
    }

    /// The message at one row.
    ///
    /// # Shapes
    /// `state` is a row of the dataset.
    ///
    /// # Errors
    /// If the time cannot be written.
    pub fn message(&self, state: &[f32], stamp: Stamp) -> Result<Vec<u8>, Error> {
        let header = Header { stamp: Time::try_from(stamp)?, frame_id: String::new() };
        let velocity = numbers(self.velocity.as_deref(), state);
        if self.is_twist {
            let at = |axis: usize| velocity.get(axis).copied().unwrap_or_default();
            let twist = Twist {
                linear: Vector3 { x: at(0), y: at(1), z: 0.0 },
                angular: Vector3 { x: 0.0, y: 0.0, z: at(2) },
            };
            return Ok(TwistStamped { header, twist }.to_cdr());
        }
        let position = numbers(self.position.as_deref(), state);
        let name = self.joint_names.clone();
        Ok(JointState { header, name, position, velocity, effort: Vec::new() }.to_cdr())
    }
}

/// Where the vector holds one quantity, if it does: more than once for a gripper known by its two fingers.
fn place(sources: &[(usize, Source)], wanted: (usize, usize, Field)) -> Option<Place> {
    let found = sources.iter().filter_map(|(number, source)| match source {
        Source::Joint { group, joint, field, from_wire } if (*group, *joint, *field) == wanted => {
            Some((*number, *from_wire))
        }
        _ => None,
    });
    Some(found.collect()).filter(|place: &Place| !place.is_empty())
}

/// One number a joint, in the robot's unit: the mean of the places that hold it.
fn numbers(places: Option<&[Place]>, state: &[f32]) -> Vec<f64> {
    let number = |place: &Place| {
        let sum: f64 =
            place.iter().map(|(index, from_wire)| from_wire.invert(f64::from(state[*index]))).sum();
        sum / place.len() as f64
    };
    places.unwrap_or_default().iter().map(number).collect()
}
