//! A sample as the robot's numbers to a sample as the model's.

use crate::Error;
use crate::data::{Picture, Sample};
use sinew_models::config::ModelConfig;
use sinew_models::preprocess::{Instruction, InstructionTokenizer, Normalizer, ResizePlan};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Normalises, tokenises and resizes, with the one copy of the rules that the robot uses too.
#[derive(Debug)]
pub struct Preparer {
    model: ModelConfig,
    state: Normalizer,
    action: Normalizer,
    tokenizer: InstructionTokenizer,
    instructions: Mutex<HashMap<Arc<str>, Instruction>>,
    plans: Mutex<HashMap<(usize, usize), Arc<ResizePlan>>>,
}

/// A sample's numbers as the model takes them.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepared {
    /// The instruction, padded to its full length.
    pub instruction: Instruction,
    /// `[max_state_dim]`.
    pub state: Vec<f32>,
    /// `[chunk, max_action_dim]`.
    pub actions: Vec<f32>,
    /// `[chunk]`.
    pub action_is_pad: Vec<bool>,
}

impl Preparer {
    /// For a model and the statistics it is trained with.
    pub fn new(
        model: ModelConfig,
        state: Normalizer,
        action: Normalizer,
        tokenizer: InstructionTokenizer,
    ) -> Self {
        Self { model, state, action, tokenizer, instructions: Mutex::default(), plans: Mutex::default() }
    }

    /// How actions are normalised.
    pub fn action(&self) -> &Normalizer {
        &self.action
    }

    /// A sample's numbers; pictures are apart, as they may not be needed.
    ///
    /// # Errors
    /// If a number is not finite, or the tokenizer fails.
    pub fn prepare(&self, sample: &Sample) -> Result<Prepared, Error> {
        let example = &sample.example;
        let width = self.action.dimension_count();
        let mut actions = Vec::with_capacity(example.action_is_pad.len() * self.model.max_action_dim);
        for row in example.actions.chunks_exact(width) {
            actions.extend(self.action.normalize(row, self.model.max_action_dim)?);
        }
        Ok(Prepared {
            instruction: self.instruction(&example.task)?,
            state: self.state.normalize(&example.state, self.model.max_state_dim)?,
            actions,
            action_is_pad: example.action_is_pad.clone(),
        })
    }

    /// A picture as the vision tower takes it.
    ///
    /// # Shapes
    /// `[3, image_size, image_size]`.
    ///
    /// # Errors
    /// If the picture is of no use.
    pub fn pixels(&self, picture: &Picture) -> Result<Vec<f32>, Error> {
        let plan = {
            let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
            match plans.get(&(picture.width, picture.height)) {
                Some(plan) => plan.clone(),
                None => {
                    let size = self.model.vision.image_size;
                    let plan = Arc::new(ResizePlan::new(picture.width, picture.height, size)?);
                    plans.insert((picture.width, picture.height), plan.clone());
                    plan
                }
            }
        };
        let mut pixels = vec![0.0; plan.output_len()];
        plan.apply(&picture.rgb, &mut pixels)?;
        Ok(pixels)
    }

    fn instruction(&self, task: &Arc<str>) -> Result<Instruction, Error> {
        let mut known = self.instructions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(instruction) = known.get(task) {
            return Ok(instruction.clone());
        }
        let instruction = self.tokenizer.encode(task)?;
        known.insert(task.clone(), instruction.clone());
        Ok(instruction)
    }
}
