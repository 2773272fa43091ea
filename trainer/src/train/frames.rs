//! From samples to what the model is shown: augmented, resized, or remembered.

use crate::Error;
use crate::data::{
    Augmenter, Corpus, Draw, EpisodeId, FrameId, Loader, Picture, Sample, files_and_sizes, metadata_hash,
};
use crate::frozen::{CacheKey, CacheMode, EntryShape, FrameKey, FrozenCache};
use crate::train::learner::{Learner, Seen, Shown};
use crate::train::setup::Setup;
use candle_core::Tensor;
use rayon::prelude::*;
use sinew_models::config::ModelConfig;
use sinew_models::contract::hash_file;
use sinew_models::smolvla::LayerCache;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// The variant that stands for a picture as it is, where training shows changed ones.
const UNCHANGED: u32 = u32::MAX;

/// Whether samples are shown as training or as validation sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Changed at random, if the configuration says so.
    Training,
    /// As they are.
    Validation,
}

/// Reads samples and shows them.
#[derive(Debug)]
pub struct FrameSource<'a> {
    setup: &'a Setup,
    cache: Option<Arc<Remembered>>,
}

/// The cache, and what its entries are called.
#[derive(Debug)]
struct Remembered {
    cache: FrozenCache,
    /// Checksums of the files that episodes are in, by dataset and episode.
    sources: HashMap<(usize, u64), u32>,
}

impl Remembered {
    fn key(&self, frame: FrameId, variant: u32) -> FrameKey {
        // The corpus has no other episodes.
        let source = self.sources.get(&(frame.dataset, frame.episode_index)).copied().unwrap_or(0);
        FrameKey { frame, variant, source }
    }
}

impl<'a> FrameSource<'a> {
    /// For a run in `folder`.
    ///
    /// # Errors
    /// If the cache asked for cannot be had.
    pub fn new(setup: &'a Setup, learner: &Learner<'_>, folder: &Path) -> Result<Self, Error> {
        let cache = match open_cache(setup, learner, folder)? {
            Some(cache) => Some(Arc::new(Remembered { cache, sources: sources(&setup.corpus)? })),
            None => None,
        };
        Ok(Self { setup, cache })
    }

    /// Starts reading draws, ahead of their use.
    ///
    /// # Errors
    /// If the system refuses a thread.
    pub fn read<D: Iterator<Item = Draw>>(&self, draws: D, purpose: Purpose) -> Result<Loader<D>, Error> {
        let cameras = self.setup.slots.iter().flatten().copied().collect();
        let (cache, augmenter) = (self.cache.clone(), self.setup.augmenter.clone());
        let variants = self.setup.config.cache.variants;
        let needs_pictures = move |draw: &Draw| {
            let variant = variant(&augmenter, draw, variants, purpose);
            cache.as_ref().is_none_or(|known| !known.cache.contains(known.key(draw.frame, variant)))
        };
        let config = &self.setup.config;
        let side_by_side = config.data.shuffle.window_blocks;
        Loader::start(self.setup.corpus.clone(), cameras, draws, config.loader, side_by_side, needs_pictures)
    }

    /// Samples as the model takes them.
    ///
    /// # Errors
    /// If a number or a picture is of no use, or the cache cannot be read.
    pub fn show(
        &self,
        learner: &Learner<'_>,
        samples: &[Sample],
        purpose: Purpose,
    ) -> Result<Vec<Shown>, Error> {
        samples.iter().map(|sample| self.show_one(learner, sample, purpose)).collect()
    }

    fn show_one(&self, learner: &Learner<'_>, sample: &Sample, purpose: Purpose) -> Result<Shown, Error> {
        let Draw { frame, epoch, .. } = sample.draw;
        let numbers = match purpose {
            Purpose::Validation => self.setup.preparer.prepare(sample)?,
            Purpose::Training => {
                let example = sample.example.clone();
                let mut changed = Sample { draw: sample.draw, example, pictures: Vec::new() };
                self.setup.augmenter.state(&mut changed.example.state, frame, epoch);
                let mut numbers = self.setup.preparer.prepare(&changed)?;
                let width = sample.example.state.len();
                self.setup.augmenter.normalized_state(&mut numbers.state[..width], frame, epoch);
                numbers
            }
        };
        let mut shown = Shown { numbers, seen: Seen::Pixels(Vec::new()) };
        shown.seen = match &self.cache {
            None => Seen::Pixels(self.pixels(sample, epoch, purpose)?),
            Some(known) => self.remembered(known, learner, sample, &shown, purpose)?,
        };
        Ok(shown)
    }

    /// What the cache has of the frame, or what is computed now and kept.
    fn remembered(
        &self,
        known: &Remembered,
        learner: &Learner<'_>,
        sample: &Sample,
        shown: &Shown,
        purpose: Purpose,
    ) -> Result<Seen, Error> {
        let variant = variant(&self.setup.augmenter, &sample.draw, self.setup.config.cache.variants, purpose);
        let (cache, key) = (&known.cache, known.key(sample.draw.frame, variant));
        let keeps_prefix = self.setup.config.cache.mode == CacheMode::Prefix;
        let tensors = match cache.get(key, &self.setup.device)? {
            Some(tensors) => tensors,
            None => {
                let pixels = self.pixels(sample, u64::from(variant), purpose)?;
                let mut tensors =
                    pixels.iter().map(|pixels| learner.vision(pixels)).collect::<Result<Vec<_>, _>>()?;
                if keeps_prefix {
                    let layers = learner.context(&tensors, &shown.numbers)?;
                    tensors = layers.into_iter().flat_map(|layer| [layer.key, layer.value]).collect();
                }
                cache.put(key, tensors)?
            }
        };
        Ok(if keeps_prefix { Seen::Context(pair_up(&tensors)) } else { Seen::Tokens(tensors) })
    }

    /// The vision tower's input of each camera slot. `time` is what a change of the picture depends on, besides the
    /// frame.
    fn pixels(&self, sample: &Sample, time: u64, purpose: Purpose) -> Result<Vec<Vec<f32>>, Error> {
        let frame = sample.draw.frame;
        let decoded;
        let pictures = if sample.pictures.is_empty() {
            decoded = self.decode(frame)?;
            &decoded
        } else {
            &sample.pictures
        };
        let changes = purpose == Purpose::Training && self.setup.augmenter.changes_pictures();
        let mut shown: Vec<Vec<f32>> = pictures
            .par_iter()
            .enumerate()
            .map(|(camera, picture)| {
                if changes {
                    let picture = self.setup.augmenter.picture(picture.clone(), frame, camera, time);
                    self.setup.preparer.pixels(&picture)
                } else {
                    self.setup.preparer.pixels(picture)
                }
            })
            .collect::<Result<_, Error>>()?;
        // What LeRobot shows for an absent camera; the mask keeps it from mattering.
        let blank_count = self.setup.slots.iter().filter(|slot| slot.is_none()).count();
        let size = self.setup.model.vision.image_size;
        shown.extend(std::iter::repeat_n(vec![-1.0; 3 * size * size], blank_count));
        Ok(shown)
    }

    /// A frame's pictures, when the cache turned out not to have it after all.
    fn decode(&self, frame: FrameId) -> Result<Vec<Picture>, Error> {
        let corpus = &self.setup.corpus;
        let episode = corpus.dataset(frame.dataset).episode(frame.episode_index)?;
        let picture = |place: &usize| {
            let decoded =
                episode.frames(&corpus.cameras()[*place].names[frame.dataset])?.frame_at(frame.row)?;
            Ok(Picture { width: decoded.width as usize, height: decoded.height as usize, rgb: decoded.rgb })
        };
        self.setup.slots.iter().flatten().map(picture).collect()
    }

    /// What the cache was good for, in words; nothing if there is none.
    pub fn cache_report(&self) -> Option<String> {
        let usage = self.cache.as_ref()?.cache.usage();
        Some(format!(
            "cache: {} frames in {} MB, {} found, {} computed, {} not stored, {} damaged",
            usage.entry_count,
            usage.byte_count / 1_000_000,
            usage.hit_count,
            usage.miss_count,
            usage.refused_count,
            usage.damaged_count
        ))
    }
}

/// Which picture of a frame a draw shows.
fn variant(augmenter: &Augmenter, draw: &Draw, variants: u32, purpose: Purpose) -> u32 {
    match purpose {
        Purpose::Validation if augmenter.changes_pictures() => UNCHANGED,
        _ => augmenter.variant(draw.frame, draw.epoch, variants),
    }
}

fn pair_up(tensors: &[Tensor]) -> Vec<LayerCache<Tensor>> {
    let pairs = tensors.chunks_exact(2);
    pairs.map(|pair| LayerCache { key: pair[0].clone(), value: pair[1].clone() }).collect()
}

/// A checksum of names and sizes of each episode's files.
fn sources(corpus: &Corpus) -> Result<HashMap<(usize, u64), u32>, Error> {
    let episodes = corpus.train_episodes().iter().chain(corpus.validation_episodes());
    let source = |episode: &EpisodeId| {
        let files = files_and_sizes(corpus, *episode)?;
        Ok(((episode.dataset, episode.episode_index), crc32c::crc32c(files.as_bytes())))
    };
    episodes.map(source).collect()
}

/// The cache of everything that the frozen part depends on.
fn open_cache(setup: &Setup, learner: &Learner<'_>, folder: &Path) -> Result<Option<FrozenCache>, Error> {
    let options = &setup.config.cache;
    let model = &setup.model;
    let shape = match options.mode {
        CacheMode::Off => return Ok(None),
        CacheMode::Vision => EntryShape {
            tensor_count: setup.slots.len(),
            rows: model.image_token_count(),
            width: model.text.hidden_size,
        },
        CacheMode::Prefix => EntryShape {
            tensor_count: 2 * model.layer_count(),
            rows: learner.context_token_count(setup.base.policy.tokenizer_max_length),
            width: model.heads().key_value_width(),
        },
    };
    let place =
        if options.folder.as_os_str().is_empty() { folder.join("cache") } else { options.folder.clone() };
    let limit = options.limit_mb.saturating_mul(1_000_000);
    Ok(Some(FrozenCache::open(&place, &cache_key(setup)?, shape, options.dtype, limit)?))
}

/// Weights, sizes, words: whatever changes all entries. Pictures have their part in each entry's own key.
fn cache_key(setup: &Setup) -> Result<CacheKey, Error> {
    let config = &setup.config;
    let names: Vec<&str> =
        setup.base.weights.names().filter(|name| name.starts_with("model.vlm_with_expert.vlm.")).collect();
    let json = |error| sinew_models::Error::file(&setup.base.folder, error);
    // State, actions and steps come after what is kept.
    let seen_by = ModelConfig {
        chunk_size: 0,
        max_state_dim: 0,
        max_action_dim: 0,
        denoise_step_count: 0,
        ..setup.model.clone()
    };
    let model = serde_json::to_vec(&seen_by).map_err(json)?;
    let augment = serde_json::to_vec(&config.augment).map_err(json)?;
    let mut key = CacheKey::new()
        // Another version may decode, resize or compute otherwise.
        .with("sinew", env!("CARGO_PKG_VERSION").as_bytes())
        .with("mode", format!("{:?} {:?}", config.cache.mode, config.run.dtype).as_bytes())
        .with("model", &model)
        .with("tokenizer", hash_file(&setup.base.tokenizer)?.sha256.as_bytes())
        .with("augment", &augment)
        .with("seed", &if setup.augmenter.changes_pictures() { config.run.seed } else { 0 }.to_le_bytes())
        .with("slots", format!("{:?} {:?}", setup.slots, setup.corpus.cameras()).as_bytes());
    for place in 0..setup.corpus.dataset_count() {
        key = key.with("dataset", metadata_hash(setup.corpus.dataset(place))?.as_bytes());
    }
    key.with_weights(&setup.base.weights, names)
}
