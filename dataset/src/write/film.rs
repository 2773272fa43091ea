//! A camera's pictures to a video of the episode's alone.

use std::path::PathBuf;

use super::candidate::Candidate;
use super::description::{Pictures, View};
use super::encode::{Encoder, VideoCodec};
use super::join::Part;
use super::summary::{self, Summary, sampled_rows};
use crate::catalog::VideoSpan;
use crate::error::{Error, Result};
use crate::frames::Frame;
use crate::video::{Fault, Video};

/// What becomes a camera's video.
pub(crate) enum Footage<'a> {
    Pictures(Pictures<'a>),
    /// A video of the episode's alone in the staging folder, and the statistics of its pictures.
    Encoded(Part, Summary),
}

impl<'p> Candidate<'p> {
    /// The cameras' footage in the order of the description.
    pub(crate) fn in_order<'a>(
        self,
        mut footage: Vec<(String, Footage<'a>)>,
    ) -> Result<Vec<(&'p View, Footage<'a>)>> {
        let mut in_order = Vec::new();
        for view in &self.plan.views {
            let what = format!("pictures of {}", view.name);
            let place = footage.iter().position(|(name, _)| *name == view.name);
            let place = place.ok_or_else(|| self.refused(&what, "some", "none"))?;
            in_order.push((view, footage.swap_remove(place).1));
        }
        match footage.first() {
            Some((name, _)) => {
                Err(self.refused(&format!("pictures of {name}"), "a camera of the dataset, once", "another"))
            }
            None => Ok(in_order),
        }
    }

    /// Makes a video of the episode's alone, with the statistics of its pictures.
    pub(crate) fn film(
        self,
        view: &View,
        footage: Footage,
        codec: VideoCodec,
        aside: PathBuf,
        row_count: usize,
    ) -> Result<(Part, Summary)> {
        match footage {
            Footage::Encoded(part, summary) => Ok((part, summary)),
            Footage::Pictures(pictures) => {
                let part = Part { path: aside, first_picture: 0, picture_count: row_count as u64 };
                let summary = self.encode(view, pictures, codec, &part)?;
                Ok((part, summary))
            }
        }
    }

    fn encode(self, view: &View, pictures: Pictures, codec: VideoCodec, part: &Part) -> Result<Summary> {
        let (episode_index, fps) = (self.episode_index, self.plan.description.fps);
        let fault = |fault| video_error(part, episode_index, fps, fault);
        let encoder = codec.find_encoder()?;
        let size = (view.width as u32, view.height as u32);
        let mut encoder = Encoder::create(&part.path, encoder, codec, fps, size).map_err(fault)?;
        let mut summary = summary::Pictures::new();
        let row_count = part.picture_count as usize;
        let mut sampled = sampled_rows(row_count).into_iter().peekable();
        let mut count = 0;
        for frame in pictures {
            let frame = frame.map_err(|source| Error::NoFrame {
                path: self.root.to_owned(),
                episode_index,
                camera: view.name.clone(),
                row: count,
                source,
            })?;
            if count == row_count {
                return Err(self.wrong_count(view, row_count, "more"));
            }
            self.check_frame(view, &frame, count)?;
            if sampled.next_if_eq(&count).is_some() {
                summary.add(&frame.rgb, (view.width, view.height));
            }
            encoder.push(&frame.rgb).map_err(fault)?;
            count += 1;
        }
        if count != row_count {
            return Err(self.wrong_count(view, row_count, &count.to_string()));
        }
        encoder.finish().map_err(fault)?;
        Ok(summary.finish())
    }

    fn check_frame(self, view: &View, frame: &Frame, row: usize) -> Result<()> {
        let what = |of: &str| format!("{of} of picture {row} of {}", view.name);
        if frame.row != row {
            return Err(self.refused(&what("row"), &row.to_string(), &frame.row.to_string()));
        }
        let found = (frame.width as usize, frame.height as usize);
        if found != (view.width, view.height) {
            let [expected, found] = [(view.width, view.height), found].map(|(w, h)| format!("{w} x {h}"));
            return Err(self.refused(&what("size"), &expected, &found));
        }
        let expected = view.width * view.height * 3;
        if frame.rgb.len() != expected {
            return Err(self.refused(&what("bytes"), &expected.to_string(), &frame.rgb.len().to_string()));
        }
        Ok(())
    }

    fn wrong_count(self, view: &View, row_count: usize, found: &str) -> Error {
        let expected = format!("{row_count}, one a row");
        self.refused(&format!("pictures of {}", view.name), &expected, found)
    }
}

/// Reads back how many pictures a video has, and the last of them.
pub(crate) fn check_video(part: &Part, episode_index: u64, fps: u32) -> Result<()> {
    let end = part.first_picture + part.picture_count;
    let check = || {
        let mut video = Video::open(&part.path, f64::from(fps))?;
        match video.picture_count() {
            Some(found) if found != end => Err(Fault::Ended(found)),
            _ => video.picture(end - 1).map(drop),
        }
    };
    check().map_err(|fault| video_error(part, episode_index, fps, fault))
}

pub(crate) fn video_error(part: &Part, episode_index: u64, fps: u32, fault: Fault) -> Error {
    let span = VideoSpan {
        path: part.path.clone(),
        episode_index,
        first_picture: part.first_picture,
        picture_count: part.picture_count as usize,
        is_whole_file: false,
    };
    span.error(0, f64::from(fps), fault)
}
