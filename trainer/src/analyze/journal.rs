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

/// A file of answers, each of the same length. Its first line says what they are answers to.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    chunk_len: usize,
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
        let record_len = 4 * (1 + chunk_len + look_len);
        let bytes = fs::read(path).unwrap_or_default();
        let body = bytes.strip_prefix(header.as_slice());
        let mut known: Vec<Vec<Entry>> = Vec::new();
        let whole = body.map_or(0, |body| body.len() / record_len);
        for record in body.unwrap_or_default().chunks_exact(record_len) {
            let (part, numbers) = record.split_at(4);
            let part = u32::from_le_bytes([part[0], part[1], part[2], part[3]]) as usize;
            let numbers: Vec<f32> = numbers.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
            if known.len() <= part {
                known.resize(part + 1, Vec::new());
            }
            let (chunk, look) = numbers.split_at(chunk_len);
            known[part].push(Entry { chunk: chunk.to_vec(), look: look.to_vec() });
        }
        let file = OpenOptions::new().create(true).append(true).open(path).map_err(Error::io(path))?;
        let mut journal = Self { path: path.to_owned(), file, chunk_len, known };
        if body.is_none() {
            journal.file.set_len(0).map_err(Error::io(path))?;
            journal.file.write_all(&header).map_err(Error::io(path))?;
        } else {
            let len = (header.len() + whole * record_len) as u64;
            journal.file.set_len(len).map_err(Error::io(path))?;
        }
        Ok(journal)
    }

    /// The answers of a part that were there at the start.
    pub fn take(&mut self, part: usize) -> Vec<Entry> {
        self.known.get_mut(part).map(std::mem::take).unwrap_or_default()
    }

    /// Adds answers.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn append(&mut self, part: usize, entries: &[Entry]) -> Result<(), Error> {
        let mut bytes = Vec::new();
        for entry in entries {
            debug_assert_eq!(entry.chunk.len(), self.chunk_len);
            bytes.extend((part as u32).to_le_bytes());
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
