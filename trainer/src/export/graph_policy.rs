//! The three graphs as a policy: what each is fed, and the way from pixels to a chunk.

use super::engine::{Engine, Input, run};
use crate::Error;
use ort::session::Session;
use sinew_models::config::ModelConfig;
use sinew_models::contract::{Bundle, io};
use sinew_models::flow;
use sinew_models::masks::PrefixLayout;
use sinew_models::preprocess::Instruction;
use std::collections::HashMap;

/// Inputs of a graph by name.
pub type Feed<'a> = Vec<(String, Input<'a>)>;

/// Keys and values by their names in the graphs.
pub type Cache = HashMap<String, Vec<f32>>;

/// One image, `[3, image_size, image_size]`.
pub fn vision_feed<'a>(model: &ModelConfig, pixels: &'a [f32]) -> Feed<'a> {
    let size = model.vision.image_size;
    vec![(io::PIXELS.to_owned(), Input::Numbers(pixels, vec![1, 3, size, size]))]
}

/// What the prefix's masks are made of; kept beside the feed that borrows it.
#[derive(Debug)]
pub struct PrefixMasks {
    mask: Vec<f32>,
    positions: Vec<i64>,
}

impl PrefixMasks {
    /// Of a prefix.
    pub fn new(layout: &PrefixLayout) -> Self {
        Self { mask: layout.mask(), positions: layout.positions() }
    }
}

/// Image tokens of every slot, the instruction and the state.
pub fn prefix_feed<'a>(
    model: &ModelConfig,
    image_tokens: &'a [Vec<f32>],
    instruction: &'a Instruction,
    state: &'a [f32],
    masks: &'a PrefixMasks,
) -> Feed<'a> {
    let (tokens, language) = (masks.positions.len(), model.language_token_count);
    let image = vec![1, model.image_token_count(), model.text.hidden_size];
    let slots = image_tokens.iter().enumerate();
    let mut feed: Feed<'_> =
        slots.map(|(slot, tokens)| (io::image_tokens(slot), Input::Numbers(tokens, image.clone()))).collect();
    feed.push((io::TOKEN_IDS.to_owned(), Input::Ids(&instruction.ids, vec![1, language])));
    feed.push((io::STATE.to_owned(), Input::Numbers(state, vec![1, model.max_state_dim])));
    feed.push((io::MASK.to_owned(), Input::Numbers(&masks.mask, vec![1, tokens, tokens])));
    feed.push((io::POSITIONS.to_owned(), Input::Ids(&masks.positions, vec![1, tokens])));
    feed
}

/// One velocity of the noisy chunk `x_t`, every step at the same time.
///
/// # Errors
/// If the graph cannot compute.
pub fn velocity(
    session: &mut Session,
    model: &ModelConfig,
    layout: &PrefixLayout,
    cache: &Cache,
    x_t: &[f32],
    time: f32,
) -> Result<Vec<f32>, Error> {
    let (chunk, tokens) = (model.chunk_size, layout.token_count());
    let (time, mask) = (vec![time; chunk], layout.suffix_mask(chunk));
    let positions = layout.suffix_positions(chunk);
    let width = model.heads().key_value_width();
    let cached = cache.iter().filter(|(name, _)| name.starts_with("k.") || name.starts_with("v."));
    let mut feed: Feed<'_> = cached
        .map(|(name, numbers)| (name.clone(), Input::Numbers(numbers, vec![1, tokens, width])))
        .collect();
    feed.push((io::X_T.to_owned(), Input::Numbers(x_t, vec![1, chunk, model.max_action_dim])));
    feed.push((io::TIME.to_owned(), Input::Numbers(&time, vec![1, chunk])));
    feed.push((io::MASK.to_owned(), Input::Numbers(&mask, vec![1, chunk, tokens + chunk])));
    feed.push((io::POSITIONS.to_owned(), Input::Ids(&positions, vec![1, chunk])));
    Ok(run(session, &feed)?.remove(io::VELOCITY).unwrap_or_default())
}

/// A bundle's graphs, open.
#[derive(Debug)]
pub struct GraphPolicy {
    model: ModelConfig,
    vision: Session,
    prefix: Session,
    denoise: Session,
}

impl GraphPolicy {
    /// Opens them on the GPU of this number, or on the CPU.
    ///
    /// # Errors
    /// If the GPU cannot be had, or ONNX Runtime refuses a graph.
    pub fn open(engine: &Engine, bundle: &Bundle, gpu: Option<usize>) -> Result<Self, Error> {
        let graphs = &bundle.manifest.graphs;
        let open = |file: &str| match gpu {
            Some(ordinal) => engine.open_on_gpu(&bundle.path(file), ordinal),
            None => engine.open(&bundle.path(file)),
        };
        Ok(Self {
            model: bundle.manifest.model.clone(),
            vision: open(&graphs.vision.file)?,
            prefix: open(&graphs.prefix.file)?,
            denoise: open(&graphs.denoise.file)?,
        })
    }

    /// The chunk that `noise` becomes.
    ///
    /// # Shapes
    /// `pixels` has one `[3, image_size, image_size]` a camera, `state` is `[max_state_dim]`; `noise` and the result
    /// are `[chunk, max_action_dim]`, normalised.
    ///
    /// # Errors
    /// If a graph cannot compute.
    pub fn predict(
        &mut self,
        pixels: &[Vec<f32>],
        instruction: &Instruction,
        state: &[f32],
        noise: &[f32],
    ) -> Result<Vec<f32>, Error> {
        let Self { model, vision, prefix, denoise } = self;
        let tokens = pixels
            .iter()
            .map(|pixels| {
                Ok(run(vision, &vision_feed(model, pixels))?.remove(io::IMAGE_TOKENS).unwrap_or_default())
            })
            .collect::<Result<Vec<_>, Error>>()?;
        let layout = PrefixLayout::new(model, &vec![true; pixels.len()], &instruction.valid);
        let masks = PrefixMasks::new(&layout);
        let cache = run(prefix, &prefix_feed(model, &tokens, instruction, state, &masks))?;
        let mut chunk = noise.to_vec();
        flow::euler(model.denoise_step_count, &mut chunk, |x_t, time| {
            velocity(denoise, model, &layout, &cache, x_t, time)
        })?;
        Ok(chunk)
    }
}
