//! What is taken from a log, and from which of its topics.

use super::command::CommandReader;
use super::opening::{Opening, Settings};
use crate::Error;
use crate::export::layout;
use sinew_models::contract::{Manifest, StateDimension, Vector};
use sinew_models::embodiment::{Command, Embodiment, Field, GroupKind, Layout, LayoutDimension};
use sinew_models::{nearest_hint, nearest_name};
use sinew_proto::key::{EPISODE, INSTRUCTION};
use sinew_sync::{FeedbackReader, Limits, StateBuilder, Synchronizer};
use std::collections::HashMap;

/// What all episodes of a dataset have in common.
#[derive(Clone, Debug, PartialEq)]
pub struct Form {
    /// Name of the robot.
    pub robot: String,
    /// What state and action are.
    pub layout: Layout,
    /// Cameras, the one that times refer to first.
    pub cameras: Vec<String>,
    /// Rows a second.
    pub fps: u32,
}

/// What was asked for, as far as it decides the form.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FormOptions {
    /// The robot's name or description, for logs that do not hold one.
    pub robot: Option<String>,
    /// A layout of the robot, or a file. Otherwise what the policy saw that drove, else the robot's first.
    pub layout: Option<String>,
    /// Cameras. None: those of the policy that drove, else all of the robot's.
    pub cameras: Vec<String>,
    /// Rows a second. Otherwise the layout's.
    pub fps: Option<u32>,
}

impl Form {
    /// What a dataset is like that begins with this log.
    ///
    /// # Errors
    /// If the log does not say what its robot is, or the robot has no such layout or camera.
    pub fn of(opening: &Opening, options: &FormOptions) -> Result<Self, Error> {
        let embodiment = opening.robot(options.robot.as_deref())?;
        let manifest = opening.manifest()?;
        let layout = match (&options.layout, &manifest) {
            (Some(name), _) => layout::named(&embodiment, name)?,
            (None, Some(manifest)) => layout_of(manifest, &embodiment),
            (None, None) => embodiment.layouts.first().cloned().ok_or_else(|| {
                Error::Usage(format!("robot `{}` has no layout: --layout names a file", embodiment.name))
            })?,
        };
        let cameras: Vec<String> = match &manifest {
            _ if !options.cameras.is_empty() => options.cameras.clone(),
            Some(manifest) => manifest.cameras.iter().map(|camera| camera.name.clone()).collect(),
            None => embodiment.cameras.iter().map(|camera| camera.name.clone()).collect(),
        };
        if cameras.is_empty() {
            return Err(Error::Usage(format!(
                "robot `{}` has no camera, and times refer to one",
                embodiment.name
            )));
        }
        let fps = match options.fps {
            Some(fps) => fps,
            None if layout.rate_hz.fract() == 0.0 => layout.rate_hz as u32,
            None => {
                let message = format!(
                    "layout `{}` is for {} rows a second, and LeRobot takes whole numbers: say --rate",
                    layout.name, layout.rate_hz
                );
                return Err(Error::Usage(message));
            }
        };
        if fps == 0 {
            return Err(Error::Usage("--rate is 0, expected at least 1".to_owned()));
        }
        Ok(Self { robot: embodiment.name, layout, cameras, fps })
    }
}

/// What the policy of a bundle is told and does: by the robot's name for it, where it has one. What it derives from that,
/// trainings derive anew.
fn layout_of(manifest: &Manifest, embodiment: &Embodiment) -> Layout {
    let dimensions = |vector: &Vector| -> Vec<LayoutDimension> {
        let of = |name: &str, unit| LayoutDimension { name: name.to_owned(), unit };
        let reported = vector.dimensions.iter().filter(|dimension| dimension.derived.is_none());
        reported.map(|dimension| of(&dimension.name, dimension.unit)).collect()
    };
    let (state, action) = (dimensions(&manifest.state), dimensions(&manifest.action));
    let is_it = |layout: &&Layout| {
        (&layout.state, &layout.action) == (&state, &action) && layout.rate_hz == manifest.rate_hz
    };
    match embodiment.layouts.iter().find(is_it) {
        Some(layout) => layout.clone(),
        None => {
            let name = manifest.bundle_id.clone();
            Layout { name, rate_hz: manifest.rate_hz, state, state_table: None, action }
        }
    }
}

/// What a topic's messages are to the conversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Listener {
    /// A camera's pictures; rank 0 is its preferred topic.
    Camera {
        slot: usize,
        rank: usize,
    },
    Feedback(usize),
    Command(usize),
    Instruction,
    Mark,
}

/// A number of the action.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ActionDimension {
    pub(super) command: Command,
    pub(super) kind: GroupKind,
    /// Where what the joint reports is in the posture; none if it reports nothing.
    pub(super) posture: Option<usize>,
}

/// What is taken from one log.
pub(super) struct Plan {
    pub(super) embodiment: Embodiment,
    pub(super) limits: Limits,
    pub(super) listeners: HashMap<String, Listener>,
    /// One a group, where it is needed.
    pub(super) feedback: Vec<Option<FeedbackReader>>,
    /// One a group, where it is commanded.
    pub(super) commands: Vec<Option<CommandReader>>,
    /// Gives the state, and behind it the posture in the action's units.
    pub(super) synchronizer: Synchronizer,
    pub(super) state_dim: usize,
    pub(super) action: Vec<ActionDimension>,
    pub(super) cameras: Vec<String>,
}

impl Plan {
    /// # Errors
    /// If the log's robot is another one or lacks something of the form.
    pub(super) fn new(opening: &Opening, form: &Form, robot: Option<&str>) -> Result<Self, Error> {
        let embodiment = opening.robot(robot)?;
        if embodiment.name != form.robot {
            let message = format!("it is of robot `{}`, the dataset of `{}`", embodiment.name, form.robot);
            return Err(Error::Log { path: opening.path.clone(), message });
        }
        let settings = opening.settings()?;
        let (action, posture) = action(&embodiment, &form.layout)?;
        let state =
            form.layout.state.iter().map(|number| StateDimension::reported(&number.name, number.unit));
        let state = StateBuilder::new(state.chain(posture), &embodiment)?;
        let limits = settings.sync.limits();
        let feedback = feedback(&embodiment, &state, &settings)?;
        let commands = embodiment.groups.iter().enumerate().map(|(index, group)| {
            let is_used = action.iter().any(|dimension| dimension.command.group == index);
            is_used.then(|| CommandReader::new(group, settings.feedback))
        });
        let commands: Vec<Option<CommandReader>> = commands.collect();
        let listeners = listeners(opening, &embodiment, form, &settings)?;
        let group_names = embodiment.groups.iter().map(|group| group.name.clone()).collect();
        let synchronizer = Synchronizer::new(form.cameras.clone(), group_names, state, limits);
        let (state_dim, cameras) = (form.layout.state.len(), form.cameras.clone());
        Ok(Self {
            embodiment,
            limits,
            listeners,
            feedback,
            commands,
            synchronizer,
            state_dim,
            action,
            cameras,
        })
    }
}

/// The action's numbers, and those of them that joints report.
fn action<'a>(
    embodiment: &Embodiment,
    layout: &'a Layout,
) -> Result<(Vec<ActionDimension>, Vec<StateDimension<'a>>), Error> {
    let (mut action, mut posture) = (Vec::new(), Vec::new());
    for dimension in &layout.action {
        let command = embodiment.command(&dimension.name, dimension.unit)?;
        let group = &embodiment.groups[command.group];
        let reports = group.kind == GroupKind::Position && group.feedback.is_some();
        action.push(ActionDimension { command, kind: group.kind, posture: reports.then_some(posture.len()) });
        if reports {
            posture.push(StateDimension::reported(&dimension.name, dimension.unit));
        }
    }
    Ok((action, posture))
}

fn feedback(
    embodiment: &Embodiment,
    state: &StateBuilder,
    settings: &Settings,
) -> Result<Vec<Option<FeedbackReader>>, Error> {
    let reader = |(index, group)| {
        let needs: &[Field] = state.needs(index);
        let is_needed = !needs.is_empty();
        is_needed.then(|| FeedbackReader::new(group, needs, settings.feedback)).transpose()
    };
    Ok(embodiment.groups.iter().enumerate().map(reader).collect::<Result<_, _>>()?)
}

fn listeners(
    opening: &Opening,
    embodiment: &Embodiment,
    form: &Form,
    settings: &Settings,
) -> Result<HashMap<String, Listener>, Error> {
    let mut listeners = HashMap::new();
    let name = |topic: &str| format!("/{}", topic.trim_start_matches('/'));
    for (slot, camera) in form.cameras.iter().enumerate() {
        for (rank, topic) in topics(opening, embodiment, camera, settings)?.iter().enumerate() {
            listeners.insert(name(topic), Listener::Camera { slot, rank });
        }
    }
    for (index, group) in embodiment.groups.iter().enumerate() {
        if let Some(feedback) = &group.feedback {
            listeners.insert(name(&feedback.topic), Listener::Feedback(index));
        }
        if let Some(command) = &group.command {
            listeners.insert(name(&command.topic), Listener::Command(index));
        }
    }
    listeners.insert(name(INSTRUCTION), Listener::Instruction);
    listeners.insert(name(EPISODE), Listener::Mark);
    Ok(listeners)
}

/// Where a camera's pictures are in a log.
fn topics(
    opening: &Opening,
    embodiment: &Embodiment,
    camera: &str,
    settings: &Settings,
) -> Result<Vec<String>, Error> {
    if let Some(configured) = settings.cameras.get(camera) {
        let topic = configured.topic.clone().ok_or_else(|| Error::Log {
            path: opening.path.clone(),
            message: format!(
                "camera {camera} was a device of the robot's computer, whose pictures are not recorded"
            ),
        })?;
        return Ok(vec![topic]);
    }
    let described = embodiment.cameras.iter().find(|described| described.name == camera);
    described.map(|camera| camera.topics.clone()).ok_or_else(|| {
        let known = embodiment.cameras.iter().map(|camera| camera.name.as_str());
        let hint = nearest_hint(&nearest_name(camera, known));
        Error::Usage(format!("robot `{}` has no camera `{camera}`{hint}", embodiment.name))
    })
}
