//! What a policy has answered so far, on disk, so that an interrupted analysis goes on where it was.

use crate::Error;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// One frame's answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// `[chunk, action_dim]`, in the robot's units.
    pub chunk: Vec<f32>,
    /// What the cameras showed, in a few numbers.
    pub look: Vec<f32>,
}

/// A file of answers, batch by batch, as they were computed: numbers depend a little on what they are computed
/// together with, so that half a batch would not go on as if nothing had happened. Its first line says what they are
/// answers to.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    /// Answers by part, those that were there when it was opened.
    known: Vec<Vec<Entry>>,
}

impl Journal {
    /// Opens `path`. Answers in it count if it begins with the same `key`; else it begins anew. What a crash left half
    /// written at its end is cut off.
    ///
    /// # Errors
    /// If it cannot be read or written.
    pub fn open(path: &Path, key: &str, chunk_len: usize, look_len: usize) -> Result<Self, Error> {
        let header = format!("{key}\n").into_bytes();
        let bytes = fs::read(path).unwrap_or_default();
        let body = bytes.strip_prefix(header.as_slice());
        let mut rest = body.unwrap_or_default();
        let mut known: Vec<Vec<Entry>> = Vec::new();
        while let Some((part, entries, left)) = take_batch(rest, chunk_len, look_len) {
            if known.len() <= part {
                known.resize(part + 1, Vec::new());
            }
            known[part].extend(entries);
            rest = left;
        }
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(Error::io(path))?;
        let mut journal = Self { path: path.to_owned(), file, known };
        let whole_len = if body.is_some() { bytes.len() - rest.len() } else { 0 };
        journal.file.set_len(whole_len as u64).map_err(Error::io(path))?;
        if body.is_none() {
            journal.file.write_all(&header).map_err(Error::io(path))?;
        }
        Ok(journal)
    }

    /// The answers of a part that were there at the start.
    pub fn take(&mut self, part: usize) -> Vec<Entry> {
        self.known.get_mut(part).map(std::mem::take).unwrap_or_default()
    }

    /// Adds a batch of answers.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn append(&mut self, part: usize, entries: &[Entry]) -> Result<(), Error> {
        let mut bytes = Vec::new();
        bytes.extend((part as u32).to_le_bytes());
        bytes.extend((entries.len() as u32).to_le_bytes());
        for entry in entries {
            bytes.extend(entry.chunk.iter().chain(&entry.look).flat_map(|value| value.to_le_bytes()));
        }
        self.file.write_all(&bytes).map_err(Error::io(&self.path))
    }

    /// Removes it: the analysis is written.
    ///
    /// # Errors
    /// If it cannot be removed.
    pub fn finish(self) -> Result<(), Error> {
        fs::remove_file(&self.path).map_err(Error::io(&self.path))
    }
}

/// The first batch, if it is whole: its part, its answers, and what follows it.
fn take_batch(bytes: &[u8], chunk_len: usize, look_len: usize) -> Option<(usize, Vec<Entry>, &[u8])> {
    let (part, bytes) = bytes.split_first_chunk::<4>()?;
    let (count, bytes) = bytes.split_first_chunk::<4>()?;
    let entry_len = 4 * (chunk_len + look_len);
    let byte_count = (u32::from_le_bytes(*count) as usize).checked_mul(entry_len)?;
    let (batch, rest) = bytes.split_at_checked(byte_count)?;
    let entry = |record: &[u8]| {
        let numbers: Vec<f32> = record.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        let (chunk, look) = numbers.split_at(chunk_len);
        Entry { chunk: chunk.to_vec(), look: look.to_vec() }
    };
    Some((u32::from_le_bytes(*part) as usize, batch.chunks_exact(entry_len).map(entry).collect(), rest))
}
