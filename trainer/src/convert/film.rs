//! A camera's pictures, row after row, out of the log.

use super::gather::{in_message, not_a_picture};
use crate::Error;
use sinew_dataset::{Frame, Log, LogChannel, LogItem, PictureError};
use sinew_proto::Message;
use sinew_proto::msg::sensor_msgs::{CompressedImage, Image};
use sinew_sync::{Encoding, Picture, PictureDecoder};
use std::path::{Path, PathBuf};
use std::vec::IntoIter;

/// Reads the log once more and decodes the pictures that rows show. One at a time is in memory.
pub(super) struct Film {
    path: PathBuf,
    log: Log,
    /// Number of the log's next item.
    next: u64,
    /// Number of the item that each further row shows.
    wanted: IntoIter<u64>,
    row: usize,
    decoder: PictureDecoder,
    /// The item that was decoded last, and its size.
    decoded: Option<(u64, [usize; 2])>,
}

impl Film {
    /// # Shapes
    /// `wanted` has an entry a row and ascends, though not strictly.
    ///
    /// # Errors
    /// If the log cannot be opened.
    pub(super) fn open(path: &Path, wanted: Vec<u64>) -> Result<Self, Error> {
        Ok(Self {
            path: path.to_owned(),
            log: Log::open(path)?,
            next: 0,
            wanted: wanted.into_iter(),
            row: 0,
            decoder: PictureDecoder::new()?,
            decoded: None,
        })
    }

    fn frame(&mut self, wanted: u64) -> Result<Frame, Error> {
        let [width, height] = match self.decoded {
            Some((item, size)) if item == wanted => size,
            _ => self.decode(wanted)?,
        };
        let row = self.row;
        self.row += 1;
        Ok(Frame { row, width: width as u32, height: height as u32, rgb: self.decoder.rgb().to_vec() })
    }

    fn decode(&mut self, wanted: u64) -> Result<[usize; 2], Error> {
        let skip = wanted.saturating_sub(self.next);
        let item = self.log.nth(usize::try_from(skip).unwrap_or(usize::MAX)).transpose()?;
        self.next = wanted + 1;
        let Some(LogItem::Message { channel, at_ns, data }) = item else {
            let message = "it has changed since it was read first".to_owned();
            return Err(Error::Log { path: self.path.clone(), message });
        };
        let size = decode(&mut self.decoder, &channel, &data);
        let size = size.map_err(in_message(&self.path, &channel.topic, at_ns))?;
        self.decoded = Some((wanted, size));
        Ok(size)
    }
}

fn decode(decoder: &mut PictureDecoder, channel: &LogChannel, data: &[u8]) -> Result<[usize; 2], Error> {
    match channel.message.as_str() {
        CompressedImage::TYPE_NAME => {
            let image = CompressedImage::from_cdr(data)?;
            Ok(decoder.decode(Picture::Jpeg(&image.data))?)
        }
        Image::TYPE_NAME => {
            let image = Image::from_cdr(data)?;
            let encoding = Encoding::of_ros(&image.encoding)?;
            let size = [image.width as usize, image.height as usize];
            Ok(decoder.decode(Picture::Raw {
                encoding,
                size,
                step: image.step as usize,
                data: &image.data,
            })?)
        }
        other => Err(not_a_picture(other)),
    }
}

impl Iterator for Film {
    type Item = Result<Frame, PictureError>;

    fn next(&mut self) -> Option<Self::Item> {
        let wanted = self.wanted.next()?;
        Some(self.frame(wanted).map_err(|error| Box::new(error) as PictureError))
    }
}
