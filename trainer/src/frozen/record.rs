//! The bytes of a cache's file: a header, then records of equal size, each with checksums of its own.
//!
//! Nothing is ever changed in place. Whatever a record lost, to a crash while it was written or to a bad disk, its
//! checksums do not match; all numbers are little-endian.

use super::key::FrameKey;
use super::options::StoredDtype;
use crate::data::FrameId;
use half::f16;

pub(super) const FILE_HEADER_LEN: usize = 64;
pub(super) const RECORD_HEADER_LEN: usize = 32;

/// Names the format and its version.
const MAGIC: &[u8; 8] = b"sinewfz2";

/// The first bytes of a file: what it is, and of which cache.
pub(super) fn file_header(digest: &[u8; 32], value_count: usize) -> [u8; FILE_HEADER_LEN] {
    let mut header = [0; FILE_HEADER_LEN];
    header[..8].copy_from_slice(MAGIC);
    header[8..16].copy_from_slice(&(value_count as u64).to_le_bytes());
    header[16..48].copy_from_slice(digest);
    let checksum = crc32c::crc32c(&header[..60]);
    header[60..].copy_from_slice(&checksum.to_le_bytes());
    header
}

/// A record: whose it is, the checksum of its numbers, that of the header, the numbers.
pub(super) fn record(key: FrameKey, payload: &[u8]) -> Vec<u8> {
    let mut record = Vec::with_capacity(RECORD_HEADER_LEN + payload.len());
    record.extend((key.frame.dataset as u32).to_le_bytes());
    record.extend(key.variant.to_le_bytes());
    record.extend(key.frame.episode_index.to_le_bytes());
    record.extend((key.frame.row as u32).to_le_bytes());
    record.extend(key.source.to_le_bytes());
    record.extend(crc32c::crc32c(payload).to_le_bytes());
    record.extend(crc32c::crc32c(&record).to_le_bytes());
    record.extend(payload);
    record
}

/// Whose a record is and the checksum of its numbers, if the header is whole.
pub(super) fn parse_header(header: &[u8; RECORD_HEADER_LEN]) -> Option<(FrameKey, u32)> {
    let (fields, checksum) = header.split_last_chunk::<4>()?;
    if crc32c::crc32c(fields) != u32::from_le_bytes(*checksum) {
        return None;
    }
    let (dataset, rest) = fields.split_first_chunk::<4>()?;
    let (variant, rest) = rest.split_first_chunk::<4>()?;
    let (episode_index, rest) = rest.split_first_chunk::<8>()?;
    let (row, rest) = rest.split_first_chunk::<4>()?;
    let (source, rest) = rest.split_first_chunk::<4>()?;
    let frame = FrameId {
        dataset: u32::from_le_bytes(*dataset) as usize,
        episode_index: u64::from_le_bytes(*episode_index),
        row: u32::from_le_bytes(*row) as usize,
    };
    let key = FrameKey { frame, variant: u32::from_le_bytes(*variant), source: u32::from_le_bytes(*source) };
    Some((key, u32::from_le_bytes(*rest.first_chunk::<4>()?)))
}

/// Numbers as they are stored, or the first that cannot be.
pub(super) fn encode(values: &[f32], dtype: StoredDtype) -> Result<Vec<u8>, f32> {
    match dtype {
        StoredDtype::Float32 => Ok(values.iter().flat_map(|value| value.to_le_bytes()).collect()),
        StoredDtype::Float16 => {
            let mut bytes = Vec::with_capacity(2 * values.len());
            for value in values {
                let rounded = f16::from_f32(*value);
                if rounded.is_infinite() && value.is_finite() {
                    return Err(*value);
                }
                bytes.extend(rounded.to_le_bytes());
            }
            Ok(bytes)
        }
    }
}

/// Stored numbers as float32.
pub(super) fn decode(bytes: &[u8], dtype: StoredDtype) -> Vec<f32> {
    match dtype {
        StoredDtype::Float32 => bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
        StoredDtype::Float16 => bytes.as_chunks().0.iter().map(|b| f16::from_le_bytes(*b).to_f32()).collect(),
    }
}
