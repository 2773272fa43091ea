//! A policy that learns: samples in, losses and gradients out.

use crate::Error;
use crate::candle_ops::CandleOps;
use crate::train::forward::{Forward, Loss, Observations, Prefix, Targets};
use crate::train::noising::Noised;
use crate::train::params::{Params, Selection};
use crate::train::prepare::Prepared;
use candle_core::Tensor;
use sinew_models::masks::PrefixLayout;
use sinew_models::preprocess::Instruction;
use sinew_models::smolvla::LayerCache;
use sinew_models::weights::Weights;

/// One sample as the model is shown it.
#[derive(Clone, Debug)]
pub struct Shown {
    /// Its numbers.
    pub numbers: Prepared,
    /// What it looks like.
    pub seen: Seen,
}

/// What is known of a sample's pictures and instruction.
#[derive(Clone, Debug)]
pub enum Seen {
    /// Pixels, one entry a camera slot, each `[3, image_size, image_size]`.
    Pixels(Vec<Vec<f32>>),
    /// What a frozen vision tower makes of them, one entry a slot, each `[1, tokens, hidden]`.
    Tokens(Vec<Tensor>),
    /// What a frozen VLM makes of pictures and instruction, one entry a layer, `[1, context tokens, width]`.
    Context(Vec<LayerCache<Tensor>>),
}

/// The policy and its trained weights.
#[derive(Debug)]
pub struct Learner<'a> {
    ops: CandleOps<'a>,
    selection: Selection<'a>,
    params: Params,
    camera_valid: Vec<bool>,
}

impl<'a> Learner<'a> {
    /// Loads the trained weights; `camera_valid` says of each camera slot whether it is there or a blank.
    ///
    /// # Errors
    /// If a weight is missing or misshapen.
    pub fn new(
        weights: &'a Weights,
        selection: Selection<'a>,
        camera_valid: Vec<bool>,
    ) -> Result<Self, Error> {
        let params = Params::new(weights, &selection)?;
        let ops = CandleOps::new(weights, selection.device).with_products_in(selection.product_dtype);
        Ok(Self { ops, selection, params, camera_valid })
    }

    /// The trained weights.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// Tokens of images and language together, for instructions padded to `max_token_count`.
    pub fn context_token_count(&self, max_token_count: usize) -> usize {
        let layout =
            PrefixLayout::new(self.selection.model, &self.camera_valid, &vec![true; max_token_count]);
        layout.context_token_count()
    }

    /// A camera slot's picture to tokens `[1, tokens, hidden]`.
    ///
    /// # Errors
    /// If the picture's size is wrong.
    pub fn vision(&self, pixels: &[f32]) -> Result<Tensor, Error> {
        self.forward().vision(pixels)
    }

    /// Image tokens and instruction through the frozen VLM, `[1, context tokens, width]` a layer.
    ///
    /// # Errors
    /// If a shape does not fit.
    pub fn context(&self, tokens: &[Tensor], numbers: &Prepared) -> Result<Vec<LayerCache<Tensor>>, Error> {
        let instructions = std::slice::from_ref(&numbers.instruction);
        let observations =
            Observations { instructions, state: &numbers.state, camera_valid: &self.camera_valid };
        self.forward().context(tokens, &observations)
    }

    /// The loss of samples, with gradients to the trained weights.
    ///
    /// # Shapes
    /// `noised` has as many entries for each sample, those of the first sample first; `error_weights` is
    /// `[noised, chunk, action_dim]`.
    ///
    /// # Errors
    /// If a shape does not fit.
    pub fn loss(
        &self,
        shown: &[Shown],
        noised: &[Noised],
        error_weights: &[f32],
        action_penalty: f64,
    ) -> Result<Loss, Error> {
        let targets = Targets { noised, error_weights, action_penalty };
        let draw_count = noised.len() / shown.len().max(1);
        self.forward().loss(&self.prefix(shown)?.repeated(draw_count)?, &targets)
    }

    /// Computes from now on with the trained weights as they are. To be said again after each step: what an adapter is
    /// merged into does not follow by itself.
    ///
    /// # Errors
    /// If candle fails.
    pub fn use_trained(&self) -> Result<(), Error> {
        self.params.bind(&self.ops)
    }

    /// Computes from now on with these numbers for the trained weights, in their order, and without gradients.
    ///
    /// # Errors
    /// If candle fails.
    pub fn use_values(&self, values: &[Tensor]) -> Result<(), Error> {
        let values: Vec<Tensor> = values.iter().map(Tensor::detach).collect();
        self.params.bind_values(&self.ops, &values)
    }

    /// Predicted chunks.
    ///
    /// # Shapes
    /// `noise` and the result are `[batch, chunk, max_action_dim]`, normalised.
    ///
    /// # Errors
    /// If a shape does not fit.
    pub fn predict(&self, shown: &[Shown], noise: &[f32]) -> Result<Vec<f32>, Error> {
        self.forward().sample(&self.prefix(shown)?, noise)
    }

    /// What the expert sees of samples. All of them are known as well as the least known one.
    fn prefix(&self, shown: &[Shown]) -> Result<Prefix, Error> {
        let instructions: Vec<Instruction> =
            shown.iter().map(|shown| shown.numbers.instruction.clone()).collect();
        let state: Vec<f32> = shown.iter().flat_map(|shown| shown.numbers.state.iter().copied()).collect();
        let observations =
            Observations { instructions: &instructions, state: &state, camera_valid: &self.camera_valid };
        if self.selection.context_is_frozen() {
            let contexts =
                shown.iter().map(|shown| self.frozen_context(shown)).collect::<Result<Vec<_>, _>>()?;
            return self.forward().append_state(&stack_layers(&contexts)?, &observations);
        }
        let tokens = shown.iter().map(|shown| self.tokens(&shown.seen)).collect::<Result<Vec<_>, _>>()?;
        self.forward().prefix(&stack(&tokens)?, &observations)
    }

    fn frozen_context(&self, shown: &Shown) -> Result<Vec<LayerCache<Tensor>>, Error> {
        match &shown.seen {
            Seen::Context(context) => Ok(context.clone()),
            seen => self.context(&self.tokens(seen)?, &shown.numbers),
        }
    }

    /// One picture at a time: a large batch's intermediate values would not stay in the processor's cache.
    fn tokens(&self, seen: &Seen) -> Result<Vec<Tensor>, Error> {
        match seen {
            Seen::Pixels(slots) => slots.iter().map(|pixels| self.vision(pixels)).collect(),
            Seen::Tokens(tokens) => Ok(tokens.clone()),
            Seen::Context(_) => Err(Error::Usage(
                "a VLM that is trained cannot learn from what a frozen one made of the frames".to_owned(),
            )),
        }
    }

    fn forward(&self) -> Forward<'_> {
        Forward { model: self.selection.model, ops: &self.ops }
    }
}

/// One batch entry each to one batch a slot.
fn stack(samples: &[Vec<Tensor>]) -> Result<Vec<Tensor>, Error> {
    let slots = samples.first().map_or(0, Vec::len);
    let slot = |slot: usize| {
        let parts: Vec<&Tensor> = samples.iter().map(|sample| &sample[slot]).collect();
        Ok(Tensor::cat(&parts, 0)?)
    };
    (0..slots).map(slot).collect()
}

fn stack_layers(samples: &[Vec<LayerCache<Tensor>>]) -> Result<Vec<LayerCache<Tensor>>, Error> {
    let part = |part: fn(&LayerCache<Tensor>) -> &Tensor| {
        let samples: Vec<Vec<Tensor>> =
            samples.iter().map(|layers| layers.iter().map(|layer| part(layer).clone()).collect()).collect();
        stack(&samples)
    };
    let (keys, values) = (part(|layer| &layer.key)?, part(|layer| &layer.value)?);
    Ok(keys.into_iter().zip(values).map(|(key, value)| LayerCache { key, value }).collect())
}
