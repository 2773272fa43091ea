//! Robot descriptions: groups of joints, their limits and units, topics, cameras, and the tables that
//! give the numbers of a dataset's state and action vectors their names.
//!
//! A description is a TOML file (`models/embodiments/*.toml`). Everything robot-specific is in it:
//! the code below knows no robot.
//!
//! Names of quantities: `<joint>.pos`, `<joint>.vel`, `<joint>.effort` for what a joint reports,
//! `<hand>.x`, `.y`, `.z` for a hand's position in the base frame, a bare `<joint>` for what it is commanded.

mod lookup;

pub use lookup::{Command, Field, Source};

use crate::envelope::{Block, Capsule, Clearance, Operating, Workspace, validate_shapes, validate_workspace};
use crate::error::{Error, nearest_name};
use crate::kinematics::{Kinematics, Link};
use crate::unit::{Affine, Unit};
use serde::Deserialize;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;

const BUILT_IN: [(&str, &str); 2] = [
    ("r1pro", include_str!("../embodiments/r1pro.toml")),
    ("so101", include_str!("../embodiments/so101.toml")),
];

fn built_in_text(name: &str) -> Result<&'static str, Error> {
    let known = BUILT_IN.iter().find(|(known, _)| *known == name);
    known.map(|(_, text)| *text).ok_or_else(|| Error::UnknownName {
        kind: "robot",
        name: name.to_owned(),
        place: "the built-in descriptions".to_owned(),
        nearest: nearest_name(name, BUILT_IN.iter().map(|(known, _)| *known)),
    })
}

/// How a group is commanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GroupKind {
    /// Absolute joint positions.
    Position,
    /// Velocities; zero is the safe command.
    Velocity,
}

/// A topic and the message it carries.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    /// ROS topic name, with its leading slash.
    pub topic: String,
    /// ROS type, e.g. `sensor_msgs/msg/JointState`.
    pub message: String,
}

/// Where a group's set-points go.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandTopic {
    /// ROS topic name, with its leading slash.
    pub topic: String,
    /// ROS type, e.g. `sensor_msgs/msg/JointState`.
    pub message: String,
    /// Whether the message's velocities say how fast each joint may go.
    #[serde(default)]
    pub has_speed_cap: bool,
    /// Where the receiver is told, along with every command, how fast it may accelerate.
    pub acceleration_limit: Option<Topic>,
}

/// One joint, or one axis of the base.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Joint {
    /// Its name.
    pub name: String,
    /// Smallest command, in the group's unit.
    pub lower: f64,
    /// Largest command, in the group's unit.
    pub upper: f64,
    /// Largest speed, in the group's unit per second, where one is known.
    pub velocity: Option<f64>,
}

/// Another name for a joint's position, in another unit: a gripper's finger, say.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alias {
    /// The other name.
    pub name: String,
    /// The joint it stands for.
    pub joint: String,
}

/// Joints that are commanded and report together.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its name; the trajectory's controller is `<name>_controller`.
    pub name: String,
    /// How it is commanded.
    pub kind: GroupKind,
    /// The unit of its commands and feedback on the wire.
    pub unit: Unit,
    /// What it reports, if it does.
    pub feedback: Option<Topic>,
    /// Where its set-points go. Without it there are trajectories only.
    pub command: Option<CommandTopic>,
    /// Its joints, in the order of the vectors on the wire.
    pub joints: Vec<Joint>,
    /// Other names of its joints.
    #[serde(default)]
    pub aliases: Vec<Alias>,
    /// From other units to the wire's: `wire = scale · x + offset`, one entry for all joints or one a joint.
    #[serde(default)]
    pub units: BTreeMap<Unit, Vec<Affine>>,
    /// What it may be commanded at most. Without it the robot can be learned from, but not moved.
    pub operating: Option<Operating>,
}

impl Group {
    /// The conversion from `unit` to the wire's unit for one joint.
    fn to_wire(&self, unit: Unit, joint: usize) -> Option<Affine> {
        if unit == self.unit {
            return Some(Affine::IDENTITY);
        }
        self.units.get(&unit).map(|each| each[if each.len() == 1 { 0 } else { joint }])
    }

    fn known_units(&self) -> String {
        let others = self.units.keys().map(|unit| format!(", `{unit}`"));
        format!("`{}`{}", self.unit, others.collect::<String>())
    }
}

/// A hand: the link whose position in the base frame is part of the state.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hand {
    /// Its name.
    pub name: String,
    /// The link at the end of the chain.
    pub link: String,
    /// Where it may be.
    pub workspace: Option<Workspace>,
}

/// A camera and the topics it may be found on, the preferred one first.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Camera {
    /// Its name, e.g. `head`.
    pub name: String,
    /// Topics of `sensor_msgs/msg/CompressedImage`.
    pub topics: Vec<String>,
    /// Dataset features that hold its pictures.
    pub features: Vec<String>,
}

/// Where the robot says who drives it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remote {
    /// ROS topic name, with its leading slash.
    pub topic: String,
    /// ROS type.
    pub message: String,
    /// Modes in which the remote control drives.
    pub taken_over_modes: Vec<u8>,
}

/// What the robot says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Status {
    /// Who drives it.
    pub remote: Option<Remote>,
    /// Its battery.
    pub battery: Option<Topic>,
    /// What is wrong with it.
    #[serde(default)]
    pub faults: Vec<Topic>,
    /// Codes in them that say that nothing is wrong.
    #[serde(default)]
    pub harmless_codes: Vec<u32>,
}

/// Where a run of numbers in a dataset's state vector comes from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateSlice {
    /// Index of the first number.
    pub start: usize,
    /// The quantities, one a number.
    pub names: Vec<String>,
}

/// A published state vector, told from others by its width.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateTable {
    /// Its name.
    pub name: String,
    /// How many numbers it has.
    pub width: usize,
    /// The numbers that have a counterpart on the robot.
    pub slices: Vec<StateSlice>,
}

impl StateTable {
    /// Index of a quantity in the vector.
    pub fn index_of(&self, name: &str) -> Option<usize> {
        self.entries().find(|(_, entry)| *entry == name).map(|(index, _)| index)
    }

    /// Every named number: its index and its quantity.
    pub fn entries(&self) -> impl Iterator<Item = (usize, &str)> {
        self.slices.iter().flat_map(|slice| {
            slice.names.iter().enumerate().map(|(i, name)| (slice.start + i, name.as_str()))
        })
    }
}

/// A dimension of a policy's vector: what it is and in which unit the policy sees it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayoutDimension {
    /// The quantity.
    pub name: String,
    /// The policy's unit.
    pub unit: Unit,
}

/// What the numbers of a policy's state and action are, in order.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layout {
    /// Its name.
    pub name: String,
    /// Steps a second the actions are meant for.
    pub rate_hz: f64,
    /// State dimensions.
    pub state: Vec<LayoutDimension>,
    /// The state table the state is a selection of; none if the dataset's vector is taken as it is.
    pub state_table: Option<String>,
    /// Action dimensions.
    pub action: Vec<LayoutDimension>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    base_link: String,
    groups: Vec<Group>,
    hands: Vec<Hand>,
    cameras: Vec<Camera>,
    #[serde(default)]
    status: Status,
    state_tables: Vec<StateTable>,
    layouts: Vec<Layout>,
    links: Vec<Link>,
    #[serde(default)]
    capsules: Vec<Capsule>,
    #[serde(default)]
    blocks: Vec<Block>,
    #[serde(default)]
    clearances: Vec<Clearance>,
}

/// A robot.
#[derive(Clone, Debug)]
pub struct Embodiment {
    /// Its name.
    pub name: String,
    /// Groups of joints.
    pub groups: Vec<Group>,
    /// Hands whose position can be part of the state.
    pub hands: Vec<Hand>,
    /// Cameras.
    pub cameras: Vec<Camera>,
    /// What it says of itself.
    pub status: Status,
    /// Known state vectors of datasets.
    pub state_tables: Vec<StateTable>,
    /// Known layouts of policies.
    pub layouts: Vec<Layout>,
    /// Round shapes of its parts.
    pub capsules: Vec<Capsule>,
    /// Square ones.
    pub blocks: Vec<Block>,
    /// Which parts stay how far apart.
    pub clearances: Vec<Clearance>,
    /// The tree of links from the base to the hands, in the order of `hands`, and to the shapes.
    pub kinematics: Kinematics,
}

impl Embodiment {
    /// A description that comes with Sinew, by name.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn built_in(name: &str) -> Result<Self, Error> {
        Self::parse(built_in_text(name)?, Path::new(name))
    }

    /// A description by what a configuration calls it: a file if that has an extension, else a built-in one.
    ///
    /// # Errors
    /// As [`Embodiment::open`] and [`Embodiment::built_in`].
    pub fn named(name: &str) -> Result<Self, Error> {
        Self::parse(&Self::text(name)?, Path::new(name))
    }

    /// The text of a description, to be kept beside what was recorded with it; named as for [`Embodiment::named`].
    ///
    /// # Errors
    /// If there is no such description.
    pub fn text(name: &str) -> Result<String, Error> {
        let path = Path::new(name);
        if path.extension().is_none() {
            return built_in_text(name).map(str::to_owned);
        }
        std::fs::read_to_string(path).map_err(Error::io(path))
    }

    /// A description from a file.
    ///
    /// # Errors
    /// If it cannot be read, is no description, or contradicts itself.
    pub fn open(path: &Path) -> Result<Self, Error> {
        Self::parse(&std::fs::read_to_string(path).map_err(Error::io(path))?, path)
    }

    /// A description from its text, which came from `path`.
    ///
    /// # Errors
    /// If it is no description, or contradicts itself.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Error> {
        let file: File = toml::from_str(text).map_err(|e| Error::file(path, e))?;
        let capsule_links = file.capsules.iter().map(|capsule| capsule.link.as_str());
        let shape_links = capsule_links.chain(file.blocks.iter().map(|block| block.link.as_str()));
        let kinematics =
            Kinematics::new(&file.links, &file.base_link, &file.hands, shape_links, &file.groups)
                .map_err(|message| Error::file(path, message))?;
        let embodiment = Self {
            name: file.name,
            groups: file.groups,
            hands: file.hands,
            cameras: file.cameras,
            status: file.status,
            state_tables: file.state_tables,
            layouts: file.layouts,
            capsules: file.capsules,
            blocks: file.blocks,
            clearances: file.clearances,
            kinematics,
        };
        embodiment.validate().map_err(|message| Error::file(path, message))?;
        Ok(embodiment)
    }

    fn validate(&self) -> Result<(), String> {
        let mut seen = HashSet::new();
        for group in &self.groups {
            for joint in &group.joints {
                if !seen.insert(joint.name.as_str()) {
                    return Err(format!("joint `{}` is described twice", joint.name));
                }
                if joint.lower.partial_cmp(&joint.upper) != Some(std::cmp::Ordering::Less) {
                    return Err(format!(
                        "joint `{}`: lower {} is not below upper {}",
                        joint.name, joint.lower, joint.upper
                    ));
                }
            }
            for (unit, each) in &group.units {
                if each.len() != 1 && each.len() != group.joints.len() {
                    return Err(format!(
                        "group `{}`: unit `{unit}` has {} conversions, expected 1 or {}",
                        group.name,
                        each.len(),
                        group.joints.len()
                    ));
                }
                if each.iter().any(|a| a.scale == 0.0 || !a.scale.is_finite() || !a.offset.is_finite()) {
                    return Err(format!(
                        "group `{}`: unit `{unit}` has a zero or non-finite scale",
                        group.name
                    ));
                }
            }
        }
        for group in &self.groups {
            group.operating.as_ref().map_or(Ok(()), |operating| operating.validate(group))?;
        }
        for hand in &self.hands {
            hand.workspace.as_ref().map_or(Ok(()), |workspace| validate_workspace(&hand.name, workspace))?;
        }
        validate_shapes(&self.capsules, &self.blocks, &self.clearances)?;
        for layout in &self.layouts {
            self.check_layout(layout).map_err(|e| format!("layout `{}`: {e}", layout.name))?;
        }
        Ok(())
    }

    fn check_layout(&self, layout: &Layout) -> Result<(), Error> {
        for dimension in &layout.state {
            self.signal(&dimension.name, dimension.unit)?;
        }
        for dimension in &layout.action {
            self.command(&dimension.name, dimension.unit)?;
        }
        self.source_indices(layout).map(drop)
    }

    /// Reads a layout from a file and checks it against this robot.
    ///
    /// # Errors
    /// If it cannot be read, or names something this robot does not have.
    pub fn open_layout(&self, path: &Path) -> Result<Layout, Error> {
        let text = std::fs::read_to_string(path).map_err(Error::io(path))?;
        let layout: Layout = toml::from_str(&text).map_err(|e| Error::file(path, e))?;
        self.check_layout(&layout).map_err(|e| Error::file(path, e))?;
        Ok(layout)
    }

    /// A built-in layout by name.
    ///
    /// # Errors
    /// If this robot has none of that name.
    pub fn layout(&self, name: &str) -> Result<&Layout, Error> {
        let known = self.layouts.iter().map(|layout| layout.name.as_str());
        self.layouts.iter().find(|layout| layout.name == name).ok_or_else(|| Error::UnknownName {
            kind: "layout",
            name: name.to_owned(),
            place: format!("robot `{}`", self.name),
            nearest: nearest_name(name, known),
        })
    }

    /// The state vector of that width, if one is known.
    pub fn state_table(&self, width: usize) -> Option<&StateTable> {
        self.state_tables.iter().find(|table| table.width == width)
    }

    /// Where each state dimension of a layout is found in the dataset's vector.
    ///
    /// # Errors
    /// If the layout's table is unknown or lacks one of its dimensions.
    pub fn source_indices(&self, layout: &Layout) -> Result<Vec<usize>, Error> {
        let Some(table_name) = &layout.state_table else {
            return Ok((0..layout.state.len()).collect());
        };
        let unknown = |kind, name: &str, place: String, nearest| Error::UnknownName {
            kind,
            name: name.to_owned(),
            place,
            nearest,
        };
        let table = self.state_tables.iter().find(|table| table.name == *table_name);
        let table = table.ok_or_else(|| {
            let known = self.state_tables.iter().map(|table| table.name.as_str());
            unknown(
                "state table",
                table_name,
                format!("robot `{}`", self.name),
                nearest_name(table_name, known),
            )
        })?;
        let index = |dimension: &LayoutDimension| {
            table.index_of(&dimension.name).ok_or_else(|| {
                let known = table.entries().map(|(_, name)| name);
                let nearest = nearest_name(&dimension.name, known);
                unknown("entry", &dimension.name, format!("state table `{table_name}`"), nearest)
            })
        };
        layout.state.iter().map(index).collect()
    }

    /// Index of a group.
    pub fn group_index(&self, name: &str) -> Option<usize> {
        self.groups.iter().position(|group| group.name == name)
    }
}
