//! One cache: a file that only grows, and where in it each frame's entry is.

use super::entry::EntryShape;
use super::key::{CacheKey, FrameKey};
use super::options::StoredDtype;
use super::record::{self, FILE_HEADER_LEN, RECORD_HEADER_LEN};
use crate::Error;
use candle_core::{Device, Tensor};
use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

const EXTENSION: &str = "frozen";

/// Entries of one [`CacheKey`]. May be used from several threads, but by one process at a time.
///
/// Safe to kill at any moment: a record that was not written whole is found by its length or its checksums, and its frame
/// counts as not there. Entries are read through the system's page cache rather than mapped: they have to be copied into
/// tensors anyway, and a bad disk then is an error, not a signal.
#[derive(Debug)]
pub struct FrozenCache {
    path: PathBuf,
    file: File,
    shape: EntryShape,
    dtype: StoredDtype,
    /// Most bytes that the file may have.
    limit: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Record and checksum of each frame.
    places: HashMap<FrameKey, (u64, u32)>,
    /// Records in the file, whole or not.
    record_count: u64,
    is_closed: bool,
    usage: Usage,
}

/// What a cache holds and was good for since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Entries it holds.
    pub entry_count: u64,
    /// Size of its file in bytes.
    pub byte_count: u64,
    /// Entries that were asked for and there.
    pub hit_count: u64,
    /// Entries that were asked for and not there.
    pub miss_count: u64,
    /// Entries that were not stored: no room, no disk, or too large for their data type.
    pub refused_count: u64,
    /// Records that were found incomplete or changed.
    pub damaged_count: u64,
}

impl FrozenCache {
    /// Opens the cache of this key in `folder`, or makes it. All caches in the folder together may have `limit_bytes`.
    ///
    /// # Errors
    /// If the folder or the file cannot be used, is in use by another process, or is no cache.
    pub fn open(
        folder: &Path,
        key: &CacheKey,
        shape: EntryShape,
        dtype: StoredDtype,
        limit_bytes: u64,
    ) -> Result<Self, Error> {
        std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
        let digest = key.clone().with("entry", format!("{shape:?} {dtype:?}").as_bytes()).digest();
        let name: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        let path = folder.join(format!("{name}.{EXTENSION}"));
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(Error::io(&path))?;
        lock(&file, &path)?;
        let limit = limit_bytes.saturating_sub(size_of_others(folder, &path)?);
        let cache = Self { path, file, shape, dtype, limit, state: Mutex::default() };
        cache.read_index(&digest).map_err(Error::io(&cache.path))?;
        Ok(cache)
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the frame has an entry, as far as its header tells.
    #[must_use]
    pub fn contains(&self, key: FrameKey) -> bool {
        self.state().places.contains_key(&key)
    }

    /// A frame's entry, or nothing if it was never stored or is damaged.
    ///
    /// # Shapes
    /// As many `[1, rows, width]` as the cache's shape says.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn get(&self, key: FrameKey, device: &Device) -> Result<Option<Vec<Tensor>>, Error> {
        let place = self.state().places.get(&key).copied();
        let Some((number, checksum)) = place else {
            self.state().usage.miss_count += 1;
            return Ok(None);
        };
        let mut payload = vec![0; self.payload_len()];
        let offset = self.offset(number) + RECORD_HEADER_LEN as u64;
        self.file.read_exact_at(&mut payload, offset).map_err(Error::io(&self.path))?;
        if crc32c::crc32c(&payload) != checksum {
            let mut state = self.state();
            state.places.remove(&key);
            state.usage.damaged_count += 1;
            state.usage.miss_count += 1;
            return Ok(None);
        }
        self.state().usage.hit_count += 1;
        let values = record::decode(&payload, self.dtype);
        Ok(Some(self.shape.unpack(&values, device)?))
    }

    /// Stores a frame's entry, unless it is there already or cannot be: then the training goes on without. Returns the entry as
    /// [`Self::get`] gives it, stored or not, so that a training does not depend on what was stored when.
    ///
    /// # Shapes
    /// As [`Self::get`].
    ///
    /// # Errors
    /// If the tensors are not what the cache holds.
    pub fn put(&self, key: FrameKey, tensors: Vec<Tensor>) -> Result<Vec<Tensor>, Error> {
        let values = self.shape.pack(&tensors)?;
        let payload = record::encode(&values, self.dtype);
        let kept = match (&payload, tensors.first()) {
            (Ok(payload), Some(first)) if self.dtype != StoredDtype::Float32 => {
                self.shape.unpack(&record::decode(payload, self.dtype), first.device())?
            }
            _ => tensors,
        };
        let mut state = self.state();
        if state.places.contains_key(&key) {
            return Ok(kept);
        }
        match payload {
            Ok(payload) if !state.is_closed => self.append(&mut state, key, &payload),
            Ok(_) => state.usage.refused_count += 1,
            Err(value) => {
                if state.usage.refused_count == 0 {
                    tracing::warn!("{}: float16 cannot hold {value}: not cached", self.path.display());
                }
                state.usage.refused_count += 1;
            }
        }
        Ok(kept)
    }

    /// What it holds and was good for.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let state = self.state();
        let byte_count = self.offset(state.record_count);
        Usage { entry_count: state.places.len() as u64, byte_count, ..state.usage }
    }

    fn append(&self, state: &mut State, key: FrameKey, payload: &[u8]) {
        let place = self.offset(state.record_count);
        if self.offset(state.record_count + 1) > self.limit {
            tracing::warn!(
                "{}: the limit is reached: what is not cached yet will not be",
                self.path.display()
            );
            state.is_closed = true;
            state.usage.refused_count += 1;
            return;
        }
        let record = record::record(key, payload);
        if let Err(error) = self.file.write_all_at(&record, place) {
            tracing::warn!("{}: {error}: what is not cached yet will not be", self.path.display());
            state.is_closed = true;
            state.usage.refused_count += 1;
            return;
        }
        state.places.insert(key, (state.record_count, crc32c::crc32c(payload)));
        state.record_count += 1;
    }

    /// Finds the whole records of the file, and cuts off what is not a record's length.
    fn read_index(&self, digest: &[u8; 32]) -> std::io::Result<()> {
        let expected = record::file_header(digest, self.shape.value_count());
        let length = self.file.metadata()?.len();
        if length < FILE_HEADER_LEN as u64 {
            self.file.set_len(0)?;
            return self.file.write_all_at(&expected, 0);
        }
        let mut header = [0; FILE_HEADER_LEN];
        self.file.read_exact_at(&mut header, 0)?;
        if header != expected {
            return Err(std::io::Error::other("is no cache of this version, or damaged: remove it"));
        }
        let mut state = self.state();
        state.record_count = (length - FILE_HEADER_LEN as u64) / self.record_len();
        self.file.set_len(self.offset(state.record_count))?;
        for number in 0..state.record_count {
            let mut header = [0; RECORD_HEADER_LEN];
            self.file.read_exact_at(&mut header, self.offset(number))?;
            match record::parse_header(&header) {
                Some((key, checksum)) => {
                    state.places.insert(key, (number, checksum));
                }
                None => state.usage.damaged_count += 1,
            }
        }
        Ok(())
    }

    fn payload_len(&self) -> usize {
        self.shape.value_count() * self.dtype.size()
    }

    fn record_len(&self) -> u64 {
        (RECORD_HEADER_LEN + self.payload_len()) as u64
    }

    fn offset(&self, record: u64) -> u64 {
        FILE_HEADER_LEN as u64 + record * self.record_len()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lock(file: &File, path: &Path) -> Result<(), Error> {
    file.try_lock().map_err(|error| {
        Error::io(path)(match error {
            TryLockError::WouldBlock => std::io::Error::other("another training is using this cache"),
            TryLockError::Error(error) => error,
        })
    })
}

/// Bytes of the other caches in a folder.
fn size_of_others(folder: &Path, own: &Path) -> Result<u64, Error> {
    let mut size = 0;
    for entry in std::fs::read_dir(folder).map_err(Error::io(folder))? {
        let path = entry.map_err(Error::io(folder))?.path();
        if path != own && path.extension().is_some_and(|extension| extension == EXTENSION) {
            size += std::fs::metadata(&path).map_err(Error::io(&path))?.len();
        }
    }
    Ok(size)
}
