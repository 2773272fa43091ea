//! `sinew-trainer train`: steps, log, validation and checkpoints, until done or told to stop.

use crate::Error;
use crate::checkpoint::policy_folder::PolicyFolder;
use crate::checkpoint::store::Store;
use crate::checkpoint::training_state::{Progress, TrainingState, restore};
use crate::config::TrainConfig;
use crate::data::{Draw, Order, Sample};
use crate::train::advice;
use crate::train::average::Average;
use crate::train::draws::{DrawStream, Place};
use crate::train::frames::{FrameSource, Purpose};
use crate::train::handover::Handover;
use crate::train::learner::{Learner, Shown};
use crate::train::metrics::Metrics;
use crate::train::noising::{Draws, Noised, error_weights};
use crate::train::optimizer::{AdamW, AdamWOptions, Gradients};
use crate::train::prepare::Prepared;
use crate::train::progress::{Display, Log};
use crate::train::setup::Setup;
use crate::train::validate::{Report, Validation};
use candle_core::{DType, Tensor};
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Steps taken, those before a resumption included.
    pub step: u64,
    /// Whether it was told to stop before its last step.
    pub was_stopped: bool,
    /// The newest checkpoint.
    pub last: PathBuf,
    /// The best one, if anything was validated.
    pub best: Option<PathBuf>,
    /// The bundle, if one was asked for and the run was not stopped.
    pub bundle: Option<PathBuf>,
}

/// Trains until the last step, or until `stop` is set; then too a checkpoint is written. With `resume` the run in the
/// output folder goes on as if it had never stopped.
///
/// # Errors
/// If something of the configuration or the data is wrong, a loss is not finite, or a checkpoint cannot be written;
/// earlier checkpoints stay as they are.
pub fn train(config: TrainConfig, command: &str, resume: bool, stop: &AtomicBool) -> Result<Outcome, Error> {
    let folder = crate::config::required("run.output", &config.run.output, "the run's folder")?.to_owned();
    if folder.exists() && !resume {
        return Err(Error::Exists { path: folder });
    }
    if resume && !folder.exists() {
        return Err(Error::Usage(format!("--resume: there is no run in {}", folder.display())));
    }
    let setup = Setup::new(config)?;
    if let Some(advice) = advice::without_validation(&setup.config, &setup.corpus) {
        tracing::warn!("{advice}");
    }
    let handover = Handover::prepare(&setup)?;
    let order = Order::new(&setup.corpus, &setup.config.data, setup.config.run.seed)?;
    let store = Store::open(&folder, setup.config.checkpoints.keep_last)?;
    let last = if resume { store.resumable()? } else { None };
    let mut run = Run::new(&setup, store, &folder)?;
    if let Some(last) = &last {
        run.restore(last)?;
    }
    crate::train::record::write(&folder, &setup, command)?;
    let mut outcome = run.go(order, stop)?;
    if let Some(handover) = handover.filter(|_| !outcome.was_stopped) {
        let checkpoint = outcome.best.as_ref().unwrap_or(&outcome.last);
        outcome.bundle = Some(handover.write(checkpoint, &folder, command)?);
    }
    Ok(outcome)
}

/// A training in progress.
struct Run<'a> {
    setup: &'a Setup,
    policy: PolicyFolder,
    store: Store,
    folder: &'a Path,
    learner: Learner<'a>,
    optimizer: AdamW,
    average: Option<Average>,
    progress: Progress,
    saved_step: Option<u64>,
}

impl<'a> Run<'a> {
    fn new(setup: &'a Setup, store: Store, folder: &'a Path) -> Result<Self, Error> {
        let mut policy = PolicyFolder::new(&setup.base, &setup.changes())?;
        policy.set_train_config(setup.train_config(policy.config()));
        let camera_valid = setup.slots.iter().map(Option::is_some).collect();
        let learner = Learner::new(&setup.base.weights, setup.selection(), camera_valid)?;
        let optimizer = AdamW::new(optimizer_options(setup), learner.params())?;
        let decay = setup.config.optimizer.ema_decay;
        let average = if decay > 0.0 { Some(Average::new(decay, learner.params())?) } else { None };
        let progress = Progress { fingerprint: setup.fingerprint()?, ..Progress::default() };
        tracing::info!(
            "{} of {} numbers are trained",
            learner.params().number_count(),
            sinew_models::weights::expected_tensors(&setup.model)
                .iter()
                .map(|spec| spec.shape.iter().product::<usize>())
                .sum::<usize>()
        );
        Ok(Self { setup, policy, store, folder, learner, optimizer, average, progress, saved_step: None })
    }

    fn restore(&mut self, checkpoint: &Path) -> Result<(), Error> {
        let options = optimizer_options(self.setup);
        let restored = restore(checkpoint, self.learner.params(), options, &self.setup.device)?;
        if restored.progress.fingerprint != self.progress.fingerprint {
            return Err(sinew_models::Error::Mismatch {
                what: "base policy, episodes, [data], [policy], [augment], [loss], dtype, seed and batch size of the training"
                    .to_owned(),
                left_name: "the run".to_owned(),
                left: restored.progress.fingerprint,
                right_name: "the configuration".to_owned(),
                right: self.progress.fingerprint.clone(),
            }
            .into());
        }
        let decay = self.setup.config.optimizer.ema_decay;
        self.average = match restored.average {
            _ if decay == 0.0 => None,
            Some(values) => Some(Average::restored(decay, values)),
            // Asked for only now: it begins here.
            None => Some(Average::new(decay, self.learner.params())?),
        };
        self.optimizer = restored.optimizer;
        self.progress = restored.progress;
        self.saved_step = Some(self.progress.step);
        if let Some((_, step)) = self.progress.best {
            // A kill may have come between the checkpoint and its mark.
            self.store.mark_best(step)?;
        }
        tracing::info!("goes on after step {}", self.progress.step);
        Ok(())
    }

    fn go(mut self, order: Order, stop: &AtomicBool) -> Result<Outcome, Error> {
        let frames = FrameSource::new(self.setup, &self.learner, self.folder)?;
        let mut said = Said {
            metrics: Metrics::open(self.folder, self.progress.step)?,
            display: Display::new(self.setup.config.run.steps, self.progress.step),
            log: Log::new(self.setup),
        };
        if let Err(error) = self.advance(order, &frames, &mut said, stop) {
            // What was learned until then is kept, unless the weights themselves are in doubt.
            let is_sound = self.progress.step > 0 && !matches!(error, Error::NotFinite { .. });
            if is_sound && let Err(second) = self.save() {
                tracing::warn!("the steps since the last checkpoint are lost: {second}");
            }
            return Err(error);
        }
        self.save()?;
        said.display.finish();
        if let Some(report) = frames.cache_report() {
            tracing::info!("{report}");
        }
        self.outcome()
    }

    /// Steps, until the last one or the stop.
    fn advance(
        &mut self,
        order: Order,
        frames: &FrameSource<'_>,
        said: &mut Said,
        stop: &AtomicBool,
    ) -> Result<(), Error> {
        let config = &self.setup.config;
        let mut place = Place { epoch: self.progress.epoch, draw_count: self.progress.epoch_position };
        let mixed = order.group_draw_count();
        let mut samples = frames.read(DrawStream::new(order, place)?, Purpose::Training)?;
        if let Some(advice) = advice::window_beyond_memory(config, mixed, samples.window_draw_count()) {
            tracing::warn!("{advice}");
        }
        while self.progress.step < config.run.steps && !stop.load(Ordering::Relaxed) {
            let batch = samples.by_ref().take(config.run.batch_size).collect::<Result<Vec<_>, _>>()?;
            let taken = self.step(&batch, frames)?;
            place = batch.iter().fold(place, |place, sample| place.after(&sample.draw));
            (self.progress.epoch, self.progress.epoch_position) = (place.epoch, place.draw_count);
            said.log.add(&mut self.progress.log, &taken, batch.len());
            let step = self.progress.step;
            said.display.show(step, &taken);
            if step.is_multiple_of(config.run.log_every) || step == config.run.steps {
                let line = said.log.line(&mut self.progress.log, self.progress.epoch);
                said.metrics.record("train", step, &line)?;
                said.display.tell(format!("step {step}: {line}"), &line);
            }
            let validates = config.validation.every > 0 && step.is_multiple_of(config.validation.every);
            if validates || (config.validation.every > 0 && step == config.run.steps) {
                self.validate(said, frames)?;
            }
            if step.is_multiple_of(config.checkpoints.every) {
                self.save()?;
            }
        }
        Ok(())
    }

    /// One optimiser step.
    fn step(&mut self, samples: &[Sample], frames: &FrameSource<'_>) -> Result<StepReport, Error> {
        let setup = self.setup;
        let learning_rate = setup.schedule().rate(self.progress.step);
        let shown = frames.show(&self.learner, samples, Purpose::Training)?;
        let noised = self.noised(&shown);
        let counts: Vec<&[bool]> = noised.iter().map(|noised| noised.counts.as_slice()).collect();
        let draw_count = setup.config.loss.draws_per_sample;
        let sample_weights: Vec<f32> =
            samples.iter().flat_map(|sample| std::iter::repeat_n(sample.draw.weight, draw_count)).collect();
        let weights = error_weights(&counts, &sample_weights, &setup.dimension_weights);
        let (loss, squared_errors, gradients) = self.gradients(&shown, &noised, &weights)?;
        if !loss.is_finite() {
            return Err(self.not_finite(loss, samples, &squared_errors));
        }
        let gradient_norm = self.optimizer.step(self.learner.params(), &gradients, learning_rate)?;
        self.progress.step += 1;
        self.progress.sample_count += samples.len() as u64;
        if let Some(average) = &mut self.average {
            average.update(self.learner.params(), self.progress.step)?;
        }
        Ok(StepReport { loss, gradient_norm, learning_rate, squared_errors, counts: count_flags(&counts) })
    }

    /// Each sample's chunk as the model is shown it, as often as noise and time are drawn for it.
    fn noised(&self, shown: &[Shown]) -> Vec<Noised> {
        let config = &self.setup.config;
        let (seed, clean, count) =
            (config.run.seed, config.loss.max_clean_steps, config.loss.draws_per_sample);
        let draw = |(shown, number): (&Shown, u64)| {
            let Prepared { actions, action_is_pad, .. } = &shown.numbers;
            let draws = Draws::several(count, seed, number, actions.len(), clean);
            draws.iter().map(|draws| Noised::new(actions, action_is_pad, draws)).collect::<Vec<_>>()
        };
        shown.iter().zip(self.progress.sample_count..).flat_map(draw).collect()
    }

    /// Loss and gradients of a batch. They do not depend on how many of its parts are computed at once: gradients are
    /// summed in the parts' order.
    fn gradients(
        &self,
        shown: &[Shown],
        noised: &[Noised],
        weights: &[f32],
    ) -> Result<(f64, Vec<f32>, Gradients), Error> {
        let config = &self.setup.config;
        let sample_count = shown.len() / config.run.accumulation;
        let of_part = |total: usize| total / shown.len() * sample_count;
        let parts: Vec<_> = shown
            .chunks(sample_count)
            .zip(noised.chunks(of_part(noised.len())))
            .zip(weights.chunks(of_part(weights.len())))
            .collect();
        let (mut total, mut squared_errors, mut gradients) = (0.0, Vec::new(), None::<Gradients>);
        for at_once in parts.chunks(config.run.parts_at_once) {
            self.learner.use_trained()?;
            let part = |((shown, noised), weights): &((&[Shown], &[Noised]), &[f32])| {
                self.part_gradients(shown, noised, weights)
            };
            let found: Vec<_> = match at_once {
                [only] => vec![part(only)],
                several => several.par_iter().map(part).collect(),
            };
            for part in found {
                let (loss, errors, part_gradients) = part?;
                total += loss;
                squared_errors.extend(errors);
                match &mut gradients {
                    Some(gradients) => gradients.add(part_gradients)?,
                    None => gradients = Some(part_gradients),
                }
            }
        }
        let gradients = gradients.ok_or_else(|| Error::Usage("a batch without samples".to_owned()))?;
        Ok((total, squared_errors, gradients))
    }

    fn part_gradients(
        &self,
        shown: &[Shown],
        noised: &[Noised],
        weights: &[f32],
    ) -> Result<(f64, Vec<f32>, Gradients), Error> {
        let loss = self.learner.loss(shown, noised, weights, self.setup.config.loss.action_penalty)?;
        let total = f64::from(loss.total.to_dtype(DType::F32)?.to_scalar::<f32>()?);
        let squared_errors = loss.squared_errors.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
        let gradients = Gradients::collect(self.learner.params(), &mut loss.total.backward()?)?;
        Ok((total, squared_errors, gradients))
    }

    /// Names the first sample whose errors are not finite, and says how many others there are: where it is all of them, it is
    /// hardly the data.
    fn not_finite(&self, loss: f64, samples: &[Sample], squared_errors: &[f32]) -> Error {
        let row = squared_errors.len() / samples.len();
        let errors = samples.iter().zip(squared_errors.chunks_exact(row));
        let culprits: Vec<&Sample> = errors
            .filter(|(_, errors)| errors.iter().any(|error| !error.is_finite()))
            .map(|(sample, _)| sample)
            .collect();
        let sample = culprits.first().map(|sample| {
            let frame = sample.draw.frame;
            let dataset = self.setup.corpus.dataset_name(frame.dataset);
            let first = format!("row {} of episode {} of {dataset}", frame.row, frame.episode_index);
            match (culprits.len(), samples.len()) {
                (1, _) => first,
                (all, of) if all == of => {
                    format!("all {of} samples of the batch, {first} the first of them: the training diverges")
                }
                (some, of) => format!("{some} of the batch's {of} samples, {first} the first of them"),
            }
        });
        Error::NotFinite { what: format!("loss of step {}", self.progress.step), found: loss, sample }
    }

    fn validate(&mut self, said: &mut Said, frames: &FrameSource<'_>) -> Result<(), Error> {
        let config = &self.setup.config;
        let chosen = self.setup.corpus.validation_frames(config.validation.frames)?;
        if chosen.is_empty() {
            return Ok(());
        }
        let names = self.setup.corpus.action_names();
        let mean = self.setup.mean_action()?;
        let mut validation = Validation::new(names, self.setup.preparer.action(), mean);
        self.learner.use_values(&self.policy_values())?;
        let draws = chosen.into_iter().map(Draw::of);
        let mut samples = frames.read(draws, Purpose::Validation)?;
        for first in (0..).step_by(config.run.batch_size) {
            let part = samples.by_ref().take(config.run.batch_size).collect::<Result<Vec<_>, _>>()?;
            if part.is_empty() {
                break;
            }
            let shown = frames.show(&self.learner, &part, Purpose::Validation)?;
            validation.add(&self.learner, &shown, first)?;
        }
        let report = validation.report();
        said.metrics.record("validation", self.progress.step, &report)?;
        said.display.say(&format!(
            "step {}: validation error {:.4} (always the mean: {:.4}), loss {:.4}",
            self.progress.step, report.error, report.error_of_mean, report.loss
        ));
        self.note_best(&report)
    }

    fn note_best(&mut self, report: &Report) -> Result<(), Error> {
        if !report.error.is_finite() || self.progress.best.is_some_and(|(error, _)| error <= report.error) {
            return Ok(());
        }
        self.progress.best = Some((report.error, self.progress.step));
        self.save()?;
        self.store.mark_best(self.progress.step)?;
        self.store.prune()
    }

    /// The numbers that make up the policy: the average's, if there is one.
    fn policy_values(&self) -> Vec<Tensor> {
        match &self.average {
            Some(average) => average.values().to_vec(),
            None => self.learner.params().values(),
        }
    }

    /// Writes a checkpoint, unless this step has one.
    fn save(&mut self) -> Result<(), Error> {
        if self.saved_step == Some(self.progress.step) {
            return Ok(());
        }
        let params = self.learner.params();
        let weights = params.policy_weights(&self.policy_values())?;
        let state = TrainingState {
            progress: &self.progress,
            params,
            optimizer: &self.optimizer,
            options: optimizer_options(self.setup),
            learning_rate: self.setup.schedule().rate(self.progress.step),
            peak_learning_rate: self.setup.config.optimizer.lr,
            parameter_count: sinew_models::weights::expected_tensors(&self.setup.model).len(),
            seed: self.setup.config.run.seed,
            average: self.average.as_ref().map(Average::values),
            policy_has_weights: self.average.is_none() && params.are_weights(),
        };
        self.store.save(self.progress.step, |folder| {
            self.policy.write(&folder.join("pretrained_model"), &self.setup.base, &weights)?;
            state.write(&folder.join("training_state"))
        })?;
        self.store.prune()?;
        self.saved_step = Some(self.progress.step);
        Ok(())
    }

    fn outcome(self) -> Result<Outcome, Error> {
        let last = self.store.last().unwrap_or_else(|| self.folder.to_owned());
        Ok(Outcome {
            step: self.progress.step,
            was_stopped: self.progress.step < self.setup.config.run.steps,
            last,
            best: self.store.best(),
            bundle: None,
        })
    }
}

/// Where a run is spoken of.
struct Said {
    metrics: Metrics,
    display: Display,
    log: Log,
}

/// What one step did.
#[derive(Clone, Debug, PartialEq)]
pub struct StepReport {
    /// The loss before the step.
    pub loss: f64,
    /// The gradients' norm before clipping.
    pub gradient_norm: f64,
    /// The learning rate.
    pub learning_rate: f64,
    /// `[batch · draws, chunk, action_dim]`, unweighted.
    pub squared_errors: Vec<f32>,
    /// `[batch · draws, chunk]`: which of them count.
    pub counts: Vec<bool>,
}

fn count_flags(counts: &[&[bool]]) -> Vec<bool> {
    counts.iter().flat_map(|steps| steps.iter().copied()).collect()
}

fn optimizer_options(setup: &Setup) -> AdamWOptions {
    let options = &setup.config.optimizer;
    AdamWOptions {
        betas: options.betas,
        eps: options.eps,
        weight_decay: options.weight_decay,
        grad_clip_norm: options.grad_clip_norm,
    }
}
