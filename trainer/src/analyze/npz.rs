//! Predictions as `predictions.npz`, for numpy.
//!
//! For each of `train`, `val`, `train_seq` and `val_seq` that has frames: `*_pred`, `*_gt` `[N, action_dim]` and
//! `*_obs` `[N, state_dim]` are each frame's first step and state; `*_pred_chunks`, `*_gt_chunks`
//! `[N, chunk, action_dim]` whole chunks, `*_is_pad` `[N, chunk]` the steps beyond the episode's end, `*_frames`
//! `[N, 4]` dataset, episode, row and the episode's rows. `resampled_chunks` `[noises, N, chunk, action_dim]` are the
//! first judged frames' chunks from other noises.

use crate::Error;
use crate::analyze::predictions::{PredictionSet, Predictions};
use crate::data::FrameId;
use ndarray::{Array2, Array3, Array4, Axis, s};
use ndarray_npy::{NpzReader, NpzWriter, ReadNpzError, WriteNpzError};
use std::fs::File;
use std::io::{BufReader, BufWriter};
use std::path::Path;

const SETS: [&str; 4] = ["train", "val", "train_seq", "val_seq"];

impl Predictions {
    /// Writes them.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write_npz(&self, path: &Path) -> Result<(), Error> {
        let file = File::create(path).map_err(Error::io(path))?;
        let mut npz = NpzWriter::new_compressed(BufWriter::new(file));
        let sets = [&self.train, &self.validation, &self.train_sequence, &self.validation_sequence];
        let written =
            sets.into_iter().zip(SETS).try_for_each(|(set, name)| self.write_set(&mut npz, name, set));
        written
            .and_then(|()| self.write_resampled(&mut npz))
            .and_then(|()| npz.finish().map(drop))
            .map_err(|error| Error::Npz { path: path.to_owned(), message: error.to_string() })
    }

    /// Reads what [`Self::write_npz`] wrote. Instructions are not in it.
    ///
    /// # Errors
    /// If the file cannot be read or lacks an array.
    pub fn read_npz(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(Error::io(path))?;
        let broken = |error: ReadNpzError| Error::Npz { path: path.to_owned(), message: error.to_string() };
        let mut npz = NpzReader::new(BufReader::new(file)).map_err(broken)?;
        let mut all = Self::default();
        let names = npz.names().map_err(broken)?;
        let has = |name: &str| names.iter().any(|known| known == name || *known == format!("{name}.npy"));
        for name in SETS.into_iter().filter(|name| has(&format!("{name}_pred_chunks"))) {
            let set = all.read_set(&mut npz, name).map_err(broken)?;
            match name {
                "train" => all.train = set,
                "val" => all.validation = set,
                "train_seq" => all.train_sequence = set,
                _ => all.validation_sequence = set,
            }
        }
        if has("resampled_chunks") {
            let chunks: Array4<f32> = npz.by_name("resampled_chunks").map_err(broken)?;
            all.noise_count = chunks.dim().0;
            all.resampled = chunks.into_iter().collect();
        }
        Ok(all)
    }

    fn write_set<W: std::io::Write + std::io::Seek>(
        &self,
        npz: &mut NpzWriter<W>,
        name: &str,
        set: &PredictionSet,
    ) -> Result<(), WriteNpzError> {
        if set.is_empty() {
            return Ok(());
        }
        let count = set.len();
        let chunks = |values: &[f32]| {
            Array3::from_shape_fn((count, self.chunk_size, self.action_dim), |(frame, step, dimension)| {
                values[(frame * self.chunk_size + step) * self.action_dim + dimension]
            })
        };
        let (predicted, truth) = (chunks(&set.predicted), chunks(&set.truth));
        let state = Array2::from_shape_fn((count, self.state_dim), |(frame, dimension)| {
            set.state[frame * self.state_dim + dimension]
        });
        let is_pad = Array2::from_shape_fn((count, self.chunk_size), |(frame, step)| {
            set.is_pad[frame * self.chunk_size + step]
        });
        let frames = Array2::from_shape_fn((count, 4), |(frame, column)| {
            let FrameId { dataset, episode_index, row } = set.frames[frame];
            [dataset as i64, episode_index as i64, row as i64, set.episode_lengths[frame] as i64][column]
        });
        npz.add_array(format!("{name}_pred"), &predicted.index_axis(Axis(1), 0))?;
        npz.add_array(format!("{name}_gt"), &truth.index_axis(Axis(1), 0))?;
        npz.add_array(format!("{name}_obs"), &state)?;
        npz.add_array(format!("{name}_pred_chunks"), &predicted)?;
        npz.add_array(format!("{name}_gt_chunks"), &truth)?;
        npz.add_array(format!("{name}_is_pad"), &is_pad)?;
        npz.add_array(format!("{name}_frames"), &frames)
    }

    fn write_resampled<W: std::io::Write + std::io::Seek>(
        &self,
        npz: &mut NpzWriter<W>,
    ) -> Result<(), WriteNpzError> {
        let chunk = self.chunk_size * self.action_dim;
        if self.noise_count == 0 || chunk == 0 {
            return Ok(());
        }
        let frames = self.resampled.len() / (self.noise_count * chunk);
        let shape = (self.noise_count, frames, self.chunk_size, self.action_dim);
        let chunks = Array4::from_shape_fn(shape, |(noise, frame, step, dimension)| {
            self.resampled[((noise * frames + frame) * self.chunk_size + step) * self.action_dim + dimension]
        });
        npz.add_array("resampled_chunks", &chunks)
    }

    fn read_set<R: std::io::Read + std::io::Seek>(
        &mut self,
        npz: &mut NpzReader<R>,
        name: &str,
    ) -> Result<PredictionSet, ReadNpzError> {
        let predicted: Array3<f32> = npz.by_name(&format!("{name}_pred_chunks"))?;
        let truth: Array3<f32> = npz.by_name(&format!("{name}_gt_chunks"))?;
        let state: Array2<f32> = npz.by_name(&format!("{name}_obs"))?;
        let is_pad: Array2<bool> = npz.by_name(&format!("{name}_is_pad"))?;
        let frames: Array2<i64> = npz.by_name(&format!("{name}_frames"))?;
        (_, self.chunk_size, self.action_dim) = predicted.dim();
        self.state_dim = state.dim().1;
        let frame = |row: ndarray::ArrayView1<'_, i64>| FrameId {
            dataset: row[0] as usize,
            episode_index: row[1] as u64,
            row: row[2] as usize,
        };
        Ok(PredictionSet {
            frames: frames.rows().into_iter().map(frame).collect(),
            episode_lengths: frames.slice(s![.., 3]).iter().map(|length| *length as usize).collect(),
            tasks: Vec::new(),
            predicted: predicted.into_iter().collect(),
            truth: truth.into_iter().collect(),
            is_pad: is_pad.into_iter().collect(),
            state: state.into_iter().collect(),
            look: Vec::new(),
        })
    }
}
