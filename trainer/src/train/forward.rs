//! One batch through the model: its loss, with gradients to whatever is trained.

use crate::Error;
use crate::candle_ops::CandleOps;
use crate::train::noising::Noised;
use candle_core::Tensor;
use sinew_models::config::ModelConfig;
use sinew_models::flow;
use sinew_models::masks::PrefixLayout;
use sinew_models::preprocess::Instruction;
use sinew_models::smolvla::{ContextInputs, LayerCache, PrefixInputs, SmolVla, StateInputs, SuffixInputs};

/// What the prefix of a batch is made of, besides pictures.
#[derive(Debug)]
pub struct Observations<'a> {
    /// One a sample, all padded to the same length.
    pub instructions: &'a [Instruction],
    /// `[batch, max_state_dim]`, normalised and zero-padded.
    pub state: &'a [f32],
    /// One entry a camera slot: whether it is there or a blank.
    pub camera_valid: &'a [bool],
}

/// What the expert is to learn of a batch.
#[derive(Debug)]
pub struct Targets<'a> {
    /// One a sample of the prefix.
    pub noised: &'a [Noised],
    /// `[batch, chunk, action_dim]`, of [`crate::train::noising::error_weights`].
    pub error_weights: &'a [f32],
    /// What the mean square of the predicted actions adds to the loss.
    pub action_penalty: f64,
}

/// A batch's loss.
#[derive(Debug)]
pub struct Loss {
    /// The number that is minimised.
    pub total: Tensor,
    /// Squared errors `[batch, chunk, action_dim]`, unweighted, without history.
    pub squared_errors: Tensor,
}

/// The model on a batch.
#[derive(Debug)]
pub struct Forward<'a> {
    /// Its sizes.
    pub model: &'a ModelConfig,
    /// Its interpreter, with the trained weights bound.
    pub ops: &'a CandleOps<'a>,
}

impl Forward<'_> {
    /// One camera slot's pictures to tokens.
    ///
    /// # Shapes
    /// `pixels` is `[batch, 3, image_size, image_size]`.
    ///
    /// # Errors
    /// If a shape does not fit.
    pub fn vision(&self, pixels: &[f32]) -> Result<Tensor, Error> {
        let size = self.model.vision.image_size;
        let batch = pixels.len() / (3 * size * size);
        let pixels = self.ops.tensor(pixels, &[batch, 3, size, size])?;
        SmolVla::new(self.model).vision(self.ops, &pixels)
    }

    /// The whole prefix, with gradients through all of it.
    ///
    /// # Errors
    /// If a shape does not fit.
    pub fn prefix(&self, image_tokens: &[Tensor], observations: &Observations<'_>) -> Result<Prefix, Error> {
        let layouts = self.layouts(observations);
        let (batch, tokens) = (layouts.len(), layouts.first().map_or(0, PrefixLayout::token_count));
        let mask: Vec<f32> = layouts.iter().flat_map(PrefixLayout::mask).collect();
        let positions: Vec<i64> = layouts.iter().flat_map(PrefixLayout::positions).collect();
        let inputs = PrefixInputs {
            image_tokens,
            token_ids: &self.token_ids(observations)?,
            state: &self.ops.tensor(observations.state, &[batch, self.model.max_state_dim])?,
            mask: &self.ops.tensor(&mask, &[batch, tokens, tokens])?,
            positions: &self.ops.ids(&positions, &[batch, tokens])?,
        };
        let cache = SmolVla::new(self.model).prefix(self.ops, &inputs)?;
        Ok(Prefix { cache, layouts })
    }

    /// Images and language through a frozen VLM: constants of the frames, without gradients.
    ///
    /// # Errors
    /// If a shape does not fit.
    pub fn context(
        &self,
        image_tokens: &[Tensor],
        observations: &Observations<'_>,
    ) -> Result<Vec<LayerCache<Tensor>>, Error> {
        let layouts = self.layouts(observations);
        let (batch, tokens) = (layouts.len(), layouts.first().map_or(0, PrefixLayout::context_token_count));
        let mask: Vec<f32> = layouts.iter().flat_map(PrefixLayout::context_mask).collect();
        let positions: Vec<i64> = layouts.iter().flat_map(PrefixLayout::context_positions).collect();
        let inputs = ContextInputs {
            image_tokens,
            token_ids: &self.token_ids(observations)?,
            mask: &self.ops.tensor(&mask, &[batch, tokens, tokens])?,
            positions: &self.ops.ids(&positions, &[batch, tokens])?,
        };
        SmolVla::new(self.model).context(self.ops, &inputs)
    }

    /// The prefix of a context and the state, which is all that a gradient passes through.
    ///
    /// # Errors
    /// If a shape does not fit.
    pub fn append_state(
        &self,
        context: &[LayerCache<Tensor>],
        observations: &Observations<'_>,
    ) -> Result<Prefix, Error> {
        let layouts = self.layouts(observations);
        let (batch, tokens) = (layouts.len(), layouts.first().map_or(0, PrefixLayout::context_token_count));
        let mask: Vec<f32> = layouts.iter().flat_map(PrefixLayout::state_mask).collect();
        let positions: Vec<i64> = layouts.iter().map(PrefixLayout::state_position).collect();
        let inputs = StateInputs {
            state: &self.ops.tensor(observations.state, &[batch, self.model.max_state_dim])?,
            mask: &self.ops.tensor(&mask, &[batch, 1, tokens + 1])?,
            position: &self.ops.ids(&positions, &[batch, 1])?,
        };
        let cache = SmolVla::new(self.model).append_state(self.ops, context, &inputs)?;
        Ok(Prefix { cache, layouts })
    }

    /// Action chunks from noise.
    ///
    /// # Shapes
    /// `noise` and the result are `[batch, chunk, max_action_dim]`, normalised.
    ///
    /// # Errors
    /// If a shape does not fit.
    pub fn sample(&self, prefix: &Prefix, noise: &[f32]) -> Result<Vec<f32>, Error> {
        let (batch, chunk) = (prefix.layouts.len(), self.model.chunk_size);
        let shape = [batch, chunk, self.model.max_action_dim];
        let mut x_t = noise.to_vec();
        flow::euler(self.model.denoise_step_count, &mut x_t, |x_t, time| {
            let x_t = self.ops.tensor(x_t, &shape)?;
            let velocity = self.velocity(prefix, &x_t, &vec![time; batch * chunk])?;
            Ok::<_, Error>(velocity.detach().flatten_all()?.to_vec1()?)
        })?;
        Ok(x_t)
    }

    /// The loss of a batch whose prefix is known.
    ///
    /// # Errors
    /// If a shape does not fit.
    pub fn loss(&self, prefix: &Prefix, targets: &Targets<'_>) -> Result<Loss, Error> {
        let (batch, chunk, width) = (prefix.layouts.len(), self.model.chunk_size, self.model.max_action_dim);
        let gather = |part: fn(&Noised) -> &Vec<f32>| -> Vec<f32> {
            targets.noised.iter().flat_map(|noised| part(noised).iter().copied()).collect()
        };
        let time = gather(|noised| &noised.time);
        let x_t = self.ops.tensor(&gather(|noised| &noised.x_t), &[batch, chunk, width])?;
        let velocity = self.ops.tensor(&gather(|noised| &noised.velocity), &[batch, chunk, width])?;
        let predicted = self.velocity(prefix, &x_t, &time)?;
        let action_dim = targets.error_weights.len() / (batch * chunk).max(1);
        let weights = self.ops.tensor(targets.error_weights, &[batch, chunk, action_dim])?;
        let errors = (velocity - &predicted)?.narrow(2, 0, action_dim)?.sqr()?;
        let mut total = (&errors * &weights)?.sum_all()?;
        if targets.action_penalty > 0.0 {
            let time = self.ops.tensor(&time, &[batch, chunk, 1])?;
            let actions = (x_t - predicted.broadcast_mul(&time)?)?.narrow(2, 0, action_dim)?;
            total = (total + ((actions.sqr()? * weights)?.sum_all()? * targets.action_penalty)?)?;
        }
        Ok(Loss { total, squared_errors: errors.detach() })
    }

    /// The velocity at `x_t`.
    ///
    /// # Shapes
    /// `x_t` is `[batch, chunk, max_action_dim]`, `time` `[batch, chunk]`.
    ///
    /// # Errors
    /// If a shape does not fit.
    pub fn velocity(&self, prefix: &Prefix, x_t: &Tensor, time: &[f32]) -> Result<Tensor, Error> {
        let (batch, chunk) = (prefix.layouts.len(), self.model.chunk_size);
        let keys = prefix.layouts.first().map_or(0, PrefixLayout::token_count) + chunk;
        let mask: Vec<f32> = prefix.layouts.iter().flat_map(|layout| layout.suffix_mask(chunk)).collect();
        let positions = prefix.layouts.iter().flat_map(|layout| layout.suffix_positions(chunk));
        let positions: Vec<i64> = positions.collect();
        let inputs = SuffixInputs {
            x_t,
            time: &self.ops.tensor(time, &[batch, chunk])?,
            mask: &self.ops.tensor(&mask, &[batch, chunk, keys])?,
            positions: &self.ops.ids(&positions, &[batch, chunk])?,
        };
        SmolVla::new(self.model).velocity(self.ops, &inputs, &prefix.cache)
    }

    fn token_ids(&self, observations: &Observations<'_>) -> Result<Tensor, Error> {
        let ids = observations.instructions.iter().flat_map(|text| text.ids.iter().copied());
        let ids: Vec<i64> = ids.collect();
        let batch = observations.instructions.len();
        self.ops.ids(&ids, &[batch, ids.len() / batch.max(1)])
    }

    fn layouts(&self, observations: &Observations<'_>) -> Vec<PrefixLayout> {
        let layout =
            |text: &Instruction| PrefixLayout::new(self.model, observations.camera_valid, &text.valid);
        observations.instructions.iter().map(layout).collect()
    }
}

/// What the expert sees of a batch.
#[derive(Debug)]
pub struct Prefix {
    /// One entry a layer.
    pub cache: Vec<LayerCache<Tensor>>,
    /// One a sample.
    pub layouts: Vec<PrefixLayout>,
}

impl Prefix {
    /// Each sample so many times, one after another.
    ///
    /// # Errors
    /// If candle fails.
    pub fn repeated(self, count: usize) -> Result<Self, Error> {
        if count == 1 {
            return Ok(self);
        }
        let repeat = |x: &Tensor| -> Result<Tensor, Error> {
            let (batch, tokens, width) = x.dims3()?;
            let each = x.unsqueeze(1)?.broadcast_as((batch, count, tokens, width))?;
            Ok(each.reshape((batch * count, tokens, width))?)
        };
        let layer = |layer: &LayerCache<Tensor>| -> Result<_, Error> {
            Ok(LayerCache { key: repeat(&layer.key)?, value: repeat(&layer.value)? })
        };
        let layouts = self.layouts.into_iter();
        Ok(Self {
            cache: self.cache.iter().map(layer).collect::<Result<_, _>>()?,
            layouts: layouts.flat_map(|layout| std::iter::repeat_n(layout, count)).collect(),
        })
    }
}
