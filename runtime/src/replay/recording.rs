//! An episode and what of it the robot would say.

use super::ReplayOptions;
use super::feedback::{GroupFeedback, groups};
use crate::error::{Error, quoted};
use crate::robot;
use crate::stop::Stop;
use sinew_dataset::{Dataset, Episode, Frame, FrameReader};
use sinew_models::embodiment::Embodiment;
use std::sync::mpsc::SyncSender;
use turbojpeg::{Compressor, Image, PixelFormat, Subsamp};

/// A dataset's camera and the robot's topic for it.
pub(super) struct RecordedCamera {
    pub(super) feature: String,
    pub(super) topic: String,
}

/// An opened episode.
pub(super) struct Recording {
    pub(super) episode: Episode,
    pub(super) rate_hz: f64,
    pub(super) cameras: Vec<RecordedCamera>,
    pub(super) groups: Vec<GroupFeedback>,
}

impl Recording {
    pub(super) fn open(options: &ReplayOptions) -> Result<Self, Error> {
        let name = options.dataset.display().to_string();
        let embodiment = robot::describe(&options.robot)?;
        let dataset = Dataset::open(&options.dataset)?;
        let first = dataset.episodes().first().map(|episode| episode.episode_index);
        let index = options.episode.or(first).ok_or_else(|| Error::Replay {
            dataset: name.clone(),
            message: "it has no episodes".to_owned(),
        })?;
        let episode = dataset.episode(index)?;
        let state_names = dataset.feature("observation.state").and_then(|feature| feature.names.as_deref());
        let groups = groups(&embodiment, episode.state()?.width(), state_names, &name)?;
        let cameras = cameras(&embodiment, &dataset, &name)?;
        Ok(Self { rate_hz: dataset.fps(), episode, cameras, groups })
    }
}

fn cameras(embodiment: &Embodiment, dataset: &Dataset, name: &str) -> Result<Vec<RecordedCamera>, Error> {
    let features: Vec<&str> = dataset.cameras().iter().map(|camera| camera.name.as_str()).collect();
    let recorded = |feature: &&str| {
        let known =
            embodiment.cameras.iter().find(|camera| camera.features.iter().any(|known| known == feature));
        let topic = known.and_then(|camera| camera.topics.first())?.clone();
        Some(RecordedCamera { feature: (*feature).to_owned(), topic })
    };
    let cameras: Vec<RecordedCamera> = features.iter().filter_map(recorded).collect();
    if cameras.is_empty() {
        let known: Vec<&String> = embodiment.cameras.iter().flat_map(|camera| &camera.features).collect();
        let (found, robot, known) = (quoted(&features), &embodiment.name, quoted(&known));
        let message = format!("its cameras are {found}; robot `{robot}` knows {known}");
        return Err(Error::Replay { dataset: name.to_owned(), message });
    }
    Ok(cameras)
}

/// One row, ready to be published.
pub(super) struct Row {
    pub(super) state: Vec<f32>,
    /// One a camera.
    pub(super) jpegs: Vec<Vec<u8>>,
}

/// Decodes videos and encodes JPEGs, ahead of time and on its own thread.
pub(super) struct RowEncoder {
    videos: Vec<FrameReader>,
    states: Vec<Vec<f32>>,
    compressor: Compressor,
    repeats: bool,
}

impl RowEncoder {
    pub(super) fn new(recording: &Recording, options: &ReplayOptions) -> Result<Self, Error> {
        let mut compressor = Compressor::new().map_err(jpeg)?;
        compressor.set_quality(options.jpeg_quality).map_err(jpeg)?;
        compressor.set_subsamp(Subsamp::Sub2x2).map_err(jpeg)?;
        let videos = recording.cameras.iter().map(|camera| recording.episode.frames(&camera.feature));
        Ok(Self {
            videos: videos.collect::<Result<_, _>>()?,
            states: recording.episode.state()?.iter().map(<[f32]>::to_vec).collect(),
            compressor,
            repeats: options.repeats,
        })
    }

    /// Hands over every row until the end, the stop, or until nobody takes them any more.
    pub(super) fn run(mut self, rows: &SyncSender<Row>, stop: &Stop) -> Result<(), Error> {
        loop {
            for row in 0..self.states.len() {
                let row = self.row(row)?;
                if stop.is_requested() || rows.send(row).is_err() {
                    return Ok(());
                }
            }
            if !self.repeats {
                return Ok(());
            }
        }
    }

    fn row(&mut self, row: usize) -> Result<Row, Error> {
        let compressor = &mut self.compressor;
        let jpegs = self.videos.iter_mut().map(|video| compress(compressor, &video.frame_at(row)?));
        Ok(Row { jpegs: jpegs.collect::<Result<_, Error>>()?, state: self.states[row].clone() })
    }
}

fn compress(compressor: &mut Compressor, frame: &Frame) -> Result<Vec<u8>, Error> {
    let (width, height) = (frame.width as usize, frame.height as usize);
    let pitch = width * PixelFormat::RGB.size();
    let image = Image { pixels: frame.rgb.as_slice(), width, pitch, height, format: PixelFormat::RGB };
    compressor.compress_to_vec(image).map_err(jpeg)
}

fn jpeg(error: turbojpeg::Error) -> Error {
    Error::Jpeg(error.to_string())
}
