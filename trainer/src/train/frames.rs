//! From draws to what the model is shown.

use crate::Error;
use crate::data::{Draw, Picture, Sample};
use crate::train::learner::{Learner, Seen, Shown};
use crate::train::setup::Setup;
use sinew_dataset::FrameReader;
use std::collections::HashMap;

/// Reads the frames of draws.
pub struct FrameSource<'a> {
    setup: &'a Setup,
    readers: HashMap<(usize, u64, usize), FrameReader>,
}

impl<'a> FrameSource<'a> {
    /// Over the training's data.
    pub fn new(setup: &'a Setup) -> Self {
        Self { setup, readers: HashMap::new() }
    }

    /// Numbers and pictures of draws.
    ///
    /// # Errors
    /// If a row or a picture cannot be read.
    pub fn samples(&mut self, draws: &[Draw]) -> Result<Vec<Sample>, Error> {
        draws.iter().map(|draw| self.sample(draw)).collect()
    }

    fn sample(&mut self, draw: &Draw) -> Result<Sample, Error> {
        let example = self.setup.corpus.example(draw.frame)?;
        let mut pictures = Vec::new();
        for place in self.setup.slots.iter().flatten() {
            pictures.push(self.picture(draw, *place)?);
        }
        Ok(Sample { draw: *draw, example, pictures })
    }

    fn picture(&mut self, draw: &Draw, camera: usize) -> Result<Picture, Error> {
        let frame = draw.frame;
        let key = (frame.dataset, frame.episode_index, camera);
        if !self.readers.contains_key(&key) {
            if self.readers.len() > 16 {
                self.readers.clear();
            }
            let dataset = self.setup.corpus.dataset(frame.dataset);
            let name = &self.setup.corpus.cameras()[camera].names[frame.dataset];
            let reader = dataset.episode(frame.episode_index)?.frames(name)?;
            self.readers.insert(key, reader);
        }
        let Some(reader) = self.readers.get_mut(&key) else { unreachable!() };
        let frame = reader.frame_at(frame.row)?;
        Ok(Picture { width: frame.width as usize, height: frame.height as usize, rgb: frame.rgb })
    }

    /// Samples as the model takes them.
    ///
    /// # Errors
    /// If a number or a picture is of no use.
    pub fn show(&mut self, _learner: &Learner<'_>, samples: &[Sample]) -> Result<Vec<Shown>, Error> {
        samples.iter().map(|sample| self.shown(sample)).collect()
    }

    /// Draws as the model takes them, without augmentation.
    ///
    /// # Errors
    /// If a row or a picture cannot be read.
    pub fn show_plain(&mut self, learner: &Learner<'_>, draws: &[Draw]) -> Result<Vec<Shown>, Error> {
        let samples = self.samples(draws)?;
        self.show(learner, &samples)
    }

    fn shown(&self, sample: &Sample) -> Result<Shown, Error> {
        let preparer = &self.setup.preparer;
        let mut pictures = sample.pictures.iter();
        let size = self.setup.model.vision.image_size;
        let slot = |slot: &Option<usize>| match (slot, pictures.next()) {
            (Some(_), Some(picture)) => preparer.pixels(picture),
            // What LeRobot shows for an absent camera; the mask keeps it from mattering.
            _ => Ok(vec![-1.0; 3 * size * size]),
        };
        let pixels = self.setup.slots.iter().map(slot).collect::<Result<_, Error>>()?;
        Ok(Shown { numbers: preparer.prepare(sample)?, seen: Seen::Pixels(pixels) })
    }
}
