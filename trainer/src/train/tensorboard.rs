//! TensorBoard's event files: protobuf records with checksums.
//!
//! A record is its length (u64), the length's checksum, the bytes, their checksum; all little endian. Checksums are
//! CRC-32C, rotated right by 15 bits plus 0xa282ead8, as TFRecord files have them.

use crate::Error;
use prost::Message;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
    #[prost(message, optional, tag = "7")]
    session_log: Option<SessionLog>,
}

#[derive(Clone, PartialEq, Message)]
struct SessionLog {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// Says that numbers of this step and later ones, in files before this one, are no longer true.
const START: SessionLog = SessionLog { status: 1 };

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Scalar>,
}

#[derive(Clone, PartialEq, Message)]
struct Scalar {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, tag = "2")]
    simple_value: f32,
}

impl Event {
    fn now(step: i64) -> Self {
        Self { wall_time: wall_time(), step, ..Self::default() }
    }
}

/// An event file that is being written.
#[derive(Debug)]
pub struct EventFile {
    path: PathBuf,
    file: File,
}

impl EventFile {
    /// Begins a file in `folder` for what comes after `step`. A resumed run gets one of its own; TensorBoard shows them as one.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn create(folder: &Path, step: u64) -> Result<Self, Error> {
        let seconds = wall_time() as u64;
        let path = folder.join(format!("events.out.tfevents.{seconds:010}.sinew.{step}"));
        let file = OpenOptions::new().create(true).append(true).open(&path).map_err(Error::io(&path))?;
        let mut events = Self { path, file };
        let file_version = Some("brain.Event:2".to_owned());
        events.write(&Event { file_version, ..Event::now(0) })?;
        events.write(&Event { session_log: Some(START), ..Event::now(step as i64 + 1) })?;
        Ok(events)
    }

    /// Writes numbers of a step by their tags.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn scalars(&mut self, step: u64, scalars: &[(String, f32)]) -> Result<(), Error> {
        let value =
            scalars.iter().map(|(tag, value)| Scalar { tag: tag.clone(), simple_value: *value }).collect();
        let summary = Some(Summary { value });
        self.write(&Event { summary, ..Event::now(step as i64) })
    }

    fn write(&mut self, event: &Event) -> Result<(), Error> {
        let bytes = event.encode_to_vec();
        let length = (bytes.len() as u64).to_le_bytes();
        let mut record = Vec::with_capacity(bytes.len() + 16);
        record.extend(length);
        record.extend(masked_checksum(&length).to_le_bytes());
        record.extend(&bytes);
        record.extend(masked_checksum(&bytes).to_le_bytes());
        self.file.write_all(&record).map_err(Error::io(&self.path))
    }
}

fn masked_checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// Seconds since 1970; 0 on a machine whose clock is before that.
fn wall_time() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |elapsed| elapsed.as_secs_f64())
}
