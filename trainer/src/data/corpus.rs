//! All datasets of a training as one place to take examples from.

use crate::Error;
use crate::data::choice::{chosen, needed};
use crate::data::derived::{Derivation, DerivedNumber};
use crate::data::hub::Hub;
use crate::data::limits::{self, invalid};
use crate::data::numbers::{Numbers, Recent, Recipe, Stillness};
use crate::data::options::{DataOptions, DatasetOptions};
use crate::data::sample::{Example, FrameId};
use crate::data::selection::{Names, Selection, unknown};
use crate::data::split;
use sinew_dataset::{Dataset, EpisodeInfo, Frame, Videos, padded_row};
use sinew_models::Error as ModelError;
use sinew_models::embodiment::{Embodiment, LayoutDimension};
use std::collections::BTreeMap;
use std::sync::Arc;

const BYTES_PER_MB: usize = 1_000_000;

/// An episode of one of the datasets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EpisodeId {
    /// The dataset's place in the configuration.
    pub dataset: usize,
    /// The episode's number.
    pub episode_index: u64,
    /// How many rows it has.
    pub length: usize,
}

/// One of the policy's cameras.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CameraSource {
    /// The policy's key.
    pub key: String,
    /// The camera of each dataset that stands for it.
    pub names: Vec<String>,
}

/// The datasets of a training: opened, their episodes filtered and split, their numbers selected. Rows are read when
/// asked for, an episode at a time, and those used last are kept.
#[derive(Debug)]
pub struct Corpus {
    datasets: Vec<Dataset>,
    recipes: Vec<Recipe>,
    weights: Vec<f64>,
    train: Vec<EpisodeId>,
    validation: Vec<EpisodeId>,
    cameras: Vec<CameraSource>,
    fps: f64,
    chunk_size: usize,
    frame_stride: usize,
    recent: Recent,
}

impl Corpus {
    /// Opens every dataset and finds what the options name in it. Reads metadata only.
    ///
    /// # Errors
    /// If an option is out of range, a dataset cannot be opened, a name is unknown, or the datasets do not agree on
    /// the rate or on what state and action are.
    pub fn open(options: &DataOptions, chunk_size: usize) -> Result<Self, Error> {
        limits::check(options)?;
        let robot = Embodiment::named(&options.robot)?;
        let mut corpus = Self {
            datasets: Vec::new(),
            recipes: Vec::new(),
            weights: options.datasets.iter().map(|dataset| dataset.weight).collect(),
            train: Vec::new(),
            validation: Vec::new(),
            cameras: Vec::new(),
            fps: 0.0,
            chunk_size,
            frame_stride: options.frame_stride,
            recent: Recent::new(options.row_cache_mb.saturating_mul(BYTES_PER_MB)),
        };
        let hub = Hub::from_env();
        for dataset_options in &options.datasets {
            let dataset =
                hub.open(&dataset_options.path, |dataset| needed(dataset, dataset_options, options))?;
            let recipe = recipe(&dataset, &dataset_options.path, options, &robot)?;
            corpus.add_episodes(&dataset, dataset_options, options)?;
            corpus.datasets.push(dataset);
            corpus.recipes.push(recipe);
        }
        corpus.fps = corpus.datasets[0].fps();
        corpus.check_agreement()?;
        corpus.cameras = cameras(&corpus.datasets, options)?;
        Ok(corpus)
    }

    /// Names of the state's numbers, in the policy's order: selected, then derived.
    #[must_use]
    pub fn state_names(&self) -> Vec<&str> {
        self.recipes[0].state_names().collect()
    }

    /// Those of the state's numbers that are derived, which are its last.
    #[must_use]
    pub fn derived_numbers(&self) -> Vec<DerivedNumber> {
        self.recipes[0].derived.iter().map(|derivation| derivation.number.clone()).collect()
    }

    /// Names of the action's numbers, in the policy's order.
    #[must_use]
    pub fn action_names(&self) -> &[String] {
        &self.recipes[0].action.names
    }

    /// The policy's cameras, in the order of their keys.
    #[must_use]
    pub fn cameras(&self) -> &[CameraSource] {
        &self.cameras
    }

    /// How many datasets there are.
    #[must_use]
    pub fn dataset_count(&self) -> usize {
        self.datasets.len()
    }

    /// The dataset at a place of the configuration, which must be one.
    #[must_use]
    pub fn dataset(&self, place: usize) -> &Dataset {
        &self.datasets[place]
    }

    /// What a dataset is called: as the configuration does.
    #[must_use]
    pub fn dataset_name(&self, place: usize) -> &str {
        &self.recipes[place].dataset_name
    }

    /// Rows, and pictures of each camera, a second, as recorded.
    #[must_use]
    pub fn fps(&self) -> f64 {
        self.fps
    }

    /// Steps of an action chunk a second: the recorded rate over the stride.
    #[must_use]
    pub fn action_rate_hz(&self) -> f64 {
        self.fps / self.frame_stride as f64
    }

    /// The episodes to train on, by dataset and then as the dataset has them.
    #[must_use]
    pub fn train_episodes(&self) -> &[EpisodeId] {
        &self.train
    }

    /// The episodes kept for validation, in the same order.
    #[must_use]
    pub fn validation_episodes(&self) -> &[EpisodeId] {
        &self.validation
    }

    /// At most `limit` frames of the validation episodes, spread evenly.
    ///
    /// # Errors
    /// If an episode cannot be read.
    pub fn validation_frames(&self, limit: usize) -> Result<Vec<FrameId>, Error> {
        let mut frames = Vec::new();
        for episode in &self.validation {
            let EpisodeId { dataset, episode_index, .. } = *episode;
            let numbers = self.numbers(dataset, episode_index)?;
            frames.extend(self.sample_rows(&numbers).map(|row| FrameId { dataset, episode_index, row }));
        }
        let count = limit.min(frames.len());
        Ok((0..count).map(|i| frames[i * frames.len() / count]).collect())
    }

    /// An episode's numbers.
    ///
    /// # Errors
    /// If it cannot be read, or a selected number is not finite.
    pub fn numbers(&self, dataset: usize, episode_index: u64) -> Result<Arc<Numbers>, Error> {
        let read = || Numbers::read(&self.datasets[dataset], episode_index, &self.recipes[dataset]);
        self.recent.get((dataset, episode_index), read)
    }

    /// What the policy is shown of a frame's numbers, and what it should answer.
    ///
    /// # Errors
    /// If there is no such row, the episode cannot be read, or one of its selected numbers is not finite.
    pub fn example(&self, frame: FrameId) -> Result<Example, Error> {
        let numbers = self.numbers(frame.dataset, frame.episode_index)?;
        let row_count = numbers.row_count();
        if frame.row >= row_count {
            return Err(sinew_dataset::Error::RowOutOfRange { row: frame.row, row_count }.into());
        }
        let mut actions = Vec::with_capacity(self.chunk_size * self.action_names().len());
        let mut action_is_pad = Vec::with_capacity(self.chunk_size);
        for step in 0..self.chunk_size {
            let (row, is_pad) = padded_row(frame.row, (step * self.frame_stride) as i64, row_count);
            actions.extend_from_slice(numbers.action(row));
            action_is_pad.push(is_pad);
        }
        Ok(Example {
            task: numbers.task(frame.row).clone(),
            state: numbers.state(frame.row).to_vec(),
            actions,
            action_is_pad,
        })
    }

    /// A camera's picture of a frame; `camera` is a place among [`Self::cameras`].
    ///
    /// # Errors
    /// If there is no such episode, or its video cannot be opened or decoded.
    pub fn picture(&self, videos: &Videos, frame: FrameId, camera: usize) -> Result<Frame, Error> {
        let FrameId { dataset, episode_index, row } = frame;
        let name = &self.cameras[camera].names[dataset];
        Ok(videos.frame(&self.datasets[dataset], episode_index, name, row)?)
    }

    /// The rows of an episode that may start a sample: not trimmed, and a multiple of the stride.
    pub(crate) fn sample_rows(&self, numbers: &Numbers) -> impl Iterator<Item = usize> + use<> {
        let stride = self.frame_stride;
        numbers.kept_rows().filter(move |row| row.is_multiple_of(stride))
    }

    /// Each dataset's share of the draws, relative to each other.
    pub(crate) fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Where a dataset's numbers come from.
    pub(crate) fn selections(&self, dataset: usize) -> (&Selection, &Selection) {
        (&self.recipes[dataset].state, &self.recipes[dataset].action)
    }

    fn add_episodes(
        &mut self,
        dataset: &Dataset,
        dataset_options: &DatasetOptions,
        options: &DataOptions,
    ) -> Result<(), Error> {
        let place = self.datasets.len();
        let taken = chosen(dataset, dataset_options)?;
        let numbers: Vec<u64> = taken.iter().map(|episode| episode.episode_index).collect();
        let validates = split::is_validation(&numbers, options.validation_fraction, options.split_seed);
        for (episode, validates) in taken.iter().zip(validates) {
            let EpisodeInfo { episode_index, length, .. } = **episode;
            let side = if validates { &mut self.validation } else { &mut self.train };
            side.push(EpisodeId { dataset: place, episode_index, length });
        }
        Ok(())
    }

    fn check_agreement(&self) -> Result<(), Error> {
        let sides = |what: &str, left: String, right: String, place: usize| ModelError::Mismatch {
            what: what.to_owned(),
            left_name: self.dataset_name(0).to_owned(),
            left,
            right_name: self.dataset_name(place).to_owned(),
            right,
        };
        let lists = |recipe: &Recipe| {
            [recipe.state_names().collect::<Vec<_>>().join(", "), recipe.action.names.join(", ")]
        };
        for (place, dataset) in self.datasets.iter().enumerate() {
            if dataset.fps() != self.fps {
                let (ours, theirs) = (self.fps.to_string(), dataset.fps().to_string());
                return Err(sides("rows a second", ours, theirs, place).into());
            }
            let pairs = lists(&self.recipes[0]).into_iter().zip(lists(&self.recipes[place]));
            for (what, (ours, theirs)) in ["state", "action"].into_iter().zip(pairs) {
                if ours != theirs {
                    return Err(sides(what, ours, theirs, place).into());
                }
            }
        }
        Ok(())
    }
}

fn recipe(dataset: &Dataset, name: &str, options: &DataOptions, robot: &Embodiment) -> Result<Recipe, Error> {
    let layout_names = |dimensions: &[LayoutDimension]| -> Vec<String> {
        dimensions.iter().map(|dimension| dimension.name.clone()).collect()
    };
    let state_names = Names::of_state(dataset, robot)?;
    let state = state_names.select(&options.state, |name| Ok(layout_names(&robot.layout(name)?.state)))?;
    let action = Names::of_action(dataset, robot)?
        .select(&options.action, |name| Ok(layout_names(&robot.layout(name)?.action)))?;
    let mut derived: Vec<Derivation> = Vec::new();
    for number in &options.derived {
        let name = number.name();
        let earlier = derived.iter().map(|derivation| &derivation.number.name);
        if state.names.iter().chain(earlier).any(|known| known == name) {
            return Err(invalid("derived", format!("`{name}`"), "a name that the state does not have yet"));
        }
        derived.push(Derivation::resolve(number, &state_names, dataset.fps())?);
    }
    let stillness = match &options.trim_idle {
        Some(trim) => Some(Stillness {
            dimensions: dimensions_of(&action.names, &trim.dimensions)?,
            threshold: trim.threshold as f32,
            margin: trim.margin,
        }),
        None => None,
    };
    Ok(Recipe { dataset_name: name.to_owned(), state, derived, action, stillness })
}

/// Places of the named dimensions or groups among the selected ones; of all if none is named.
pub(crate) fn dimensions_of(selected: &[String], wanted: &[String]) -> Result<Vec<usize>, Error> {
    if wanted.is_empty() {
        return Ok((0..selected.len()).collect());
    }
    let names = Names::new("the selected action", selected.to_vec());
    let places: Result<Vec<_>, Error> = wanted.iter().map(|name| names.resolve(name)).collect();
    Ok(places?.concat())
}

fn cameras(datasets: &[Dataset], options: &DataOptions) -> Result<Vec<CameraSource>, Error> {
    let own = || datasets[0].cameras().iter().map(|camera| (camera.name.clone(), camera.name.clone()));
    let shared: BTreeMap<String, String> =
        if options.cameras.is_empty() { own().collect() } else { options.cameras.clone() };
    for dataset in &options.datasets {
        if let Some(key) = dataset.cameras.keys().find(|key| !shared.contains_key(*key)) {
            let place = "data.cameras".to_owned();
            return Err(unknown("camera key", key, place, shared.keys().map(String::as_str)));
        }
    }
    let find = |key: &str, shared_name: &str| {
        let per_dataset = datasets.iter().zip(&options.datasets).map(|(dataset, options)| {
            let name = options.cameras.get(key).map_or(shared_name, String::as_str);
            let known = || dataset.cameras().iter().map(|camera| camera.name.as_str());
            if known().any(|camera| camera == name) {
                return Ok(name.to_owned());
            }
            Err(unknown("RGB camera", name, dataset.root().display().to_string(), known()))
        });
        Ok(CameraSource { key: key.to_owned(), names: per_dataset.collect::<Result<_, Error>>()? })
    };
    shared.iter().map(|(key, name)| find(key, name)).collect()
}
