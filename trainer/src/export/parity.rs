//! Do the graphs compute what the training model computes?
//!
//! Both run the same made-up observation from pixels to actions, stage by stage, one stage's weights in memory at
//! a time. Later stages get each side's own earlier results, so the last figure is the error a robot would see.

use super::engine::{Engine, run};
use super::graph_policy::{Cache, PrefixMasks, prefix_feed, velocity, vision_feed};
use super::graphs::Wiring;
use crate::Error;
use crate::candle_ops::CandleOps;
use candle_core::{Device, Tensor};
use sinew_models::contract::{StageParity, io};
use sinew_models::flow;
use sinew_models::masks::PrefixLayout;
use sinew_models::preprocess::Instruction;
use sinew_models::smolvla::{LayerCache, PrefixInputs, SmolVla, SuffixInputs};
use sinew_models::weights::Weights;
use std::path::Path;

/// What both sides are given.
struct Observation {
    pixels: Vec<Vec<f32>>,
    instruction: Instruction,
    state: Vec<f32>,
    noise: Vec<f32>,
    layout: PrefixLayout,
}

/// Compares the graphs in `folder` with the training model.
///
/// # Errors
/// If either side cannot compute.
pub fn measure(
    engine: &Engine,
    wiring: &Wiring<'_>,
    weights: &Weights,
    instruction: Instruction,
    folder: &Path,
) -> Result<Vec<StageParity>, Error> {
    let check = Check { engine, wiring, ops: CandleOps::new(weights, &Device::Cpu), folder };
    let observation = observe(wiring, instruction);
    let mut stages = Vec::new();
    let (ours, theirs) = check.vision(&observation, &mut stages)?;
    let (ours, theirs) = check.prefix(&observation, &ours, &theirs, &mut stages)?;
    check.denoise(&observation, &ours, &theirs, &mut stages)?;
    Ok(stages)
}

struct Check<'a> {
    engine: &'a Engine,
    wiring: &'a Wiring<'a>,
    ops: CandleOps<'a>,
    folder: &'a Path,
}

impl Check<'_> {
    /// Tokens of every camera, ours and the graph's.
    fn vision(
        &self,
        observation: &Observation,
        stages: &mut Vec<StageParity>,
    ) -> Result<(Vec<Tensor>, Vec<Vec<f32>>), Error> {
        let size = self.wiring.model.vision.image_size;
        let shape = vec![1, 3, size, size];
        let mut session = self.engine.open(&self.folder.join("vision.onnx"))?;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        let mut worst = Worst::default();
        for pixels in &observation.pixels {
            let tokens = self.network().vision(&self.ops, &self.ops.tensor(pixels, &shape)?)?;
            let mut outputs = run(&mut session, &vision_feed(self.wiring.model, pixels))?;
            let found = outputs.remove(io::IMAGE_TOKENS).unwrap_or_default();
            worst.compare(&numbers(&tokens)?, &found);
            ours.push(tokens);
            theirs.push(found);
        }
        self.ops.forget_params();
        stages.push(worst.stage("vision"));
        Ok((ours, theirs))
    }

    /// Keys and values of every layer. Rows of padding are compared no more than they are read.
    fn prefix(
        &self,
        observation: &Observation,
        our_tokens: &[Tensor],
        their_tokens: &[Vec<f32>],
        stages: &mut Vec<StageParity>,
    ) -> Result<(Vec<LayerCache<Tensor>>, Cache), Error> {
        let model = self.wiring.model;
        let (tokens, language) = (self.wiring.prefix_token_count(), model.language_token_count);
        let (mask, positions) = (observation.layout.mask(), observation.layout.positions());
        let ids = &observation.instruction.ids;
        let cache = self.network().prefix(
            &self.ops,
            &PrefixInputs {
                image_tokens: our_tokens,
                token_ids: &self.ops.ids(ids, &[1, language])?,
                state: &self.ops.tensor(&observation.state, &[1, model.max_state_dim])?,
                mask: &self.ops.tensor(&mask, &[1, tokens, tokens])?,
                positions: &self.ops.ids(&positions, &[1, tokens])?,
            },
        )?;
        self.ops.forget_params();
        let masks = PrefixMasks::new(&observation.layout);
        let inputs = prefix_feed(model, their_tokens, &observation.instruction, &observation.state, &masks);
        let theirs = run(&mut self.engine.open(&self.folder.join("prefix.onnx"))?, &inputs)?;
        for (kind, name) in [("keys", io::key as fn(usize) -> String), ("values", io::value)] {
            let mut worst = Worst::default();
            for (layer, cached) in cache.iter().enumerate() {
                let ours = numbers(if kind == "keys" { &cached.key } else { &cached.value })?;
                let found = theirs.get(&name(layer)).map(Vec::as_slice).unwrap_or_default();
                worst.compare(
                    &valid_rows(&ours, &observation.layout.valid),
                    &valid_rows(found, &observation.layout.valid),
                );
            }
            stages.push(worst.stage(kind));
        }
        Ok((cache, theirs))
    }

    /// One velocity, and the whole way from noise to normalised actions.
    fn denoise(
        &self,
        observation: &Observation,
        our_cache: &[LayerCache<Tensor>],
        their_cache: &Cache,
        stages: &mut Vec<StageParity>,
    ) -> Result<(), Error> {
        let model = self.wiring.model;
        let mut first = Vec::new();
        let mut ours = observation.noise.clone();
        flow::euler(model.denoise_step_count, &mut ours, |x_t, time| {
            let v = self.velocity(observation, our_cache, x_t, time)?;
            if first.is_empty() {
                first.clone_from(&v);
            }
            Ok::<_, Error>(v)
        })?;
        self.ops.forget_params();
        let mut session = self.engine.open(&self.folder.join("denoise.onnx"))?;
        let mut worst_velocity = Worst::default();
        let mut theirs = observation.noise.clone();
        flow::euler(model.denoise_step_count, &mut theirs, |x_t, time| {
            let v = velocity(&mut session, model, &observation.layout, their_cache, x_t, time)?;
            if time == 1.0 {
                worst_velocity.compare(&first, &v);
            }
            Ok::<_, Error>(v)
        })?;
        stages.push(worst_velocity.stage("velocity"));
        let mut actions = Worst::default();
        actions.compare(&ours, &theirs);
        stages.push(actions.stage("actions"));
        Ok(())
    }

    fn velocity(
        &self,
        observation: &Observation,
        cache: &[LayerCache<Tensor>],
        x_t: &[f32],
        time: f32,
    ) -> Result<Vec<f32>, Error> {
        let model = self.wiring.model;
        let chunk = model.chunk_size;
        let keys = self.wiring.prefix_token_count() + chunk;
        let inputs = SuffixInputs {
            x_t: &self.ops.tensor(x_t, &[1, chunk, model.max_action_dim])?,
            time: &self.ops.tensor(&vec![time; chunk], &[1, chunk])?,
            mask: &self.ops.tensor(&observation.layout.suffix_mask(chunk), &[1, chunk, keys])?,
            positions: &self.ops.ids(&observation.layout.suffix_positions(chunk), &[1, chunk])?,
        };
        numbers(&self.network().velocity(&self.ops, &inputs, cache)?)
    }

    fn network(&self) -> SmolVla<'_> {
        SmolVla::new(self.wiring.model)
    }
}

/// Smooth pictures, and numbers of order one: what the network was made for, without a dataset at hand.
fn observe(wiring: &Wiring<'_>, instruction: Instruction) -> Observation {
    let model = wiring.model;
    let size = model.vision.image_size;
    let wave = |i: usize, frequency: f32, phase: f32| (i as f32 / size as f32 * frequency + phase).sin();
    let picture = |camera: usize| {
        let pixel = |i: usize| {
            let (channel, y, x) = (i / (size * size), i / size % size, i % size);
            wave(x, 7.0 + channel as f32, camera as f32) * wave(y, 5.0, channel as f32)
        };
        (0..3 * size * size).map(pixel).collect()
    };
    // Evenly spread over the circle by the golden angle: order one, never repeating.
    let numbers = |count: usize| (0..count).map(|i| 1.5 * (i as f32 * 2.399_963).sin()).collect();
    Observation {
        pixels: (0..wiring.camera_count).map(picture).collect(),
        layout: PrefixLayout::new(model, &vec![true; wiring.camera_count], &instruction.valid),
        instruction,
        state: numbers(model.max_state_dim),
        noise: numbers(model.chunk_size * model.max_action_dim),
    }
}

/// The rows of `[rows, width]` that are real.
fn valid_rows(numbers: &[f32], valid: &[bool]) -> Vec<f32> {
    let rows = numbers.chunks_exact((numbers.len() / valid.len()).max(1));
    rows.zip(valid).filter(|(_, valid)| **valid).flat_map(|(row, _)| row.iter().copied()).collect()
}

fn numbers(tensor: &Tensor) -> Result<Vec<f32>, Error> {
    Ok(tensor.flatten_all()?.to_vec1()?)
}

/// The largest difference seen.
#[derive(Default)]
struct Worst {
    error: f64,
    reference: f64,
}

impl Worst {
    fn compare(&mut self, reference: &[f32], found: &[f32]) {
        if reference.len() != found.len() {
            self.error = f64::INFINITY;
        }
        for (reference, found) in reference.iter().zip(found) {
            let difference = f64::from((reference - found).abs());
            self.error = if difference.is_finite() { self.error.max(difference) } else { f64::INFINITY };
            self.reference = self.reference.max(f64::from(reference.abs()));
        }
    }

    fn stage(self, name: &str) -> StageParity {
        StageParity { stage: name.to_owned(), max_abs_error: self.error, max_abs_reference: self.reference }
    }
}
