//! Start-up checks: the bundle against the robot description and the configuration. What passes here fits together.

use crate::command::CommandPlan;
use crate::config::{CameraConfig, Config, DeviceConfig, PictureMessage};
use crate::error::{Error, quoted};
use crate::robot;
use sinew_models::contract::{Bundle, CameraSpec};
use sinew_models::embodiment::{Embodiment, Field, GroupKind};
use sinew_models::nearest_name;
use sinew_proto::key::Key;
use sinew_sync::{FeedbackReader, StateBuilder, Synchronizer};

/// A camera and where its frames arrive.
#[derive(Clone, Debug)]
pub struct CameraInput {
    /// As the bundle describes it.
    pub spec: CameraSpec,
    /// Keys it may be found on, the preferred one first.
    pub keys: Vec<Key>,
    /// What they carry.
    pub message: PictureMessage,
    /// The device of this computer that it is, if it is one; then there are no keys.
    pub device: Option<DeviceConfig>,
}

/// A group's feedback and where it arrives.
#[derive(Clone, Debug)]
pub struct FeedbackInput {
    /// Index of the group.
    pub group: usize,
    /// Name of the group.
    pub name: String,
    /// Its key.
    pub key: Key,
    /// Decodes and checks it.
    pub reader: FeedbackReader,
}

/// Everything the run needs to know, checked.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The bundle.
    pub bundle: Bundle,
    /// The robot.
    pub embodiment: Embodiment,
    /// Cameras, in the bundle's order.
    pub cameras: Vec<CameraInput>,
    /// Groups whose feedback the state needs.
    pub feedback: Vec<FeedbackInput>,
    /// Streams to observations.
    pub synchronizer: Synchronizer,
    /// Chunks to messages.
    pub commands: CommandPlan,
}

impl Plan {
    /// Checks that bundle, robot and configuration agree.
    ///
    /// # Errors
    /// If they do not; the error names both sides.
    pub fn new(bundle: Bundle, config: &Config) -> Result<Self, Error> {
        let manifest = &bundle.manifest;
        expect_bundle(&config.policy.bundle_id, &manifest.bundle_id)?;
        let embodiment = robot::of_bundle(&manifest.embodiment, &config.policy.robot)?;
        let cameras = cameras(&bundle, &embodiment, config)?;
        let state = StateBuilder::new(manifest.state_dimensions(), &embodiment)?;
        let commands = CommandPlan::new(manifest, &embodiment)?;
        let feedback = feedback(&state, &embodiment, &commands, config)?;
        let synchronizer = Synchronizer::new(
            cameras.iter().map(|camera| camera.spec.name.clone()).collect(),
            embodiment.groups.iter().map(|group| group.name.clone()).collect(),
            state,
            config.sync.limits(),
        );
        Ok(Self { embodiment, cameras, feedback, synchronizer, commands, bundle })
    }
}

fn expect_bundle(expected: &str, found: &str) -> Result<(), Error> {
    if expected.is_empty() || expected == found {
        return Ok(());
    }
    let sides = [format!("`{expected}`"), format!("`{found}`")];
    Err(Error::mismatch("bundle id", ("the configuration", &sides[0]), ("the bundle", &sides[1])))
}

fn cameras(bundle: &Bundle, embodiment: &Embodiment, config: &Config) -> Result<Vec<CameraInput>, Error> {
    let specs = &bundle.manifest.cameras;
    let in_bundle: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
    if in_bundle.is_empty() {
        let needed = ("this program", "at least one, as time reference");
        return Err(Error::mismatch("cameras", needed, ("the bundle", "none")));
    }
    if let Some(name) = config.cameras.keys().find(|name| !in_bundle.contains(&name.as_str())) {
        let (given, names) = (format!("`{name}`"), quoted(&in_bundle));
        return Err(Error::mismatch("cameras", ("the configuration", &given), ("the bundle", &names)));
    }
    let input = |spec: &CameraSpec| {
        let (topics, message, device) = match config.cameras.get(&spec.name) {
            Some(CameraConfig::Device(device)) => {
                (&[][..], PictureMessage::default(), Some(supported(&spec.name, device)?))
            }
            Some(CameraConfig::Topic(topic)) => (std::slice::from_ref(&topic.topic), topic.message, None),
            None => (described_topics(&spec.name, embodiment)?, PictureMessage::default(), None),
        };
        let key = |topic: &String| Ok(Key::of_topic_in(&config.zenoh.namespace, topic)?);
        let keys = topics.iter().map(key).collect::<Result<_, Error>>()?;
        Ok(CameraInput { spec: spec.clone(), keys, message, device })
    };
    specs.iter().map(input).collect()
}

fn supported(camera: &str, device: &DeviceConfig) -> Result<DeviceConfig, Error> {
    if cfg!(feature = "local-cameras") {
        return Ok(device.clone());
    }
    Err(Error::mismatch(
        format!("camera `{camera}`"),
        ("the configuration", &format!("device {}", device.device)),
        ("this program", "topics only: it was built without the cargo feature `local-cameras`"),
    ))
}

fn described_topics<'a>(camera: &str, embodiment: &'a Embodiment) -> Result<&'a [String], Error> {
    let described = embodiment.cameras.iter().find(|described| described.name == camera);
    let topics = described.map(|described| &described.topics[..]).filter(|topics| !topics.is_empty());
    topics.ok_or_else(|| {
        let known: Vec<&str> = embodiment.cameras.iter().map(|camera| camera.name.as_str()).collect();
        let nearest = nearest_name(camera, known.iter().copied());
        let hint = nearest.map_or_else(String::new, |name| format!(" (the nearest is `{name}`)"));
        let robot = format!("robot `{}`", embodiment.name);
        let robot_says = format!("{}{hint}", quoted(&known));
        Error::mismatch("camera", ("the bundle", &format!("`{camera}`")), (&robot, &robot_says))
    })
}

/// What the state needs, and, where the robot is moved, what says where it is. The base is listened to in any case
/// then: the R1 Pro's moves only while somebody does.
fn feedback(
    state: &StateBuilder,
    embodiment: &Embodiment,
    commands: &CommandPlan,
    config: &Config,
) -> Result<Vec<FeedbackInput>, Error> {
    let input = |group: usize| {
        let described = &embodiment.groups[group];
        let mut needs = state.needs(group).to_vec();
        let is_moved = config.setpoints.publish && described.kind == GroupKind::Position;
        if is_moved && !needs.contains(&Field::Position) {
            needs.push(Field::Position);
        }
        let reader = FeedbackReader::new(described, &needs, config.feedback)?;
        let topic = described.feedback.as_ref().map_or("", |topic| topic.topic.as_str());
        let key = Key::of_topic_in(&config.zenoh.namespace, topic)?;
        Ok(FeedbackInput { group, name: described.name.clone(), key, reader })
    };
    let moves_links = |group: usize| embodiment.kinematics.joints().any(|(moving, _)| moving == group);
    let is_moved = |group: &usize| {
        config.setpoints.publish
            && (commands.commands_group(*group) || moves_links(*group))
            && embodiment.groups[*group].feedback.is_some()
    };
    let is_needed = |group: &usize| state.groups().any(|needed| needed == *group) || is_moved(group);
    (0..embodiment.groups.len()).filter(is_needed).map(input).collect()
}
