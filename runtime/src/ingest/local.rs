//! A camera of this computer: opened, read, and opened again when it goes away.

use crate::error::Error;
use sinew_sync::{Encoding, Picture};
use std::time::Duration;

/// What a camera sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalPicture {
    /// JPEG or pixels.
    pub layout: LocalLayout,
    /// The file, or the rows.
    pub data: Vec<u8>,
}

/// How a picture of a local camera is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LocalLayout {
    /// A JPEG file, passed on as it is.
    Jpeg,
    /// Rows of YUYV, of this width and height.
    Yuyv([usize; 2]),
}

impl LocalPicture {
    /// For the decoder.
    #[must_use]
    pub fn picture(&self) -> Picture<'_> {
        match self.layout {
            LocalLayout::Jpeg => Picture::Jpeg(&self.data),
            LocalLayout::Yuyv(size) => {
                // Drivers may pad rows; the length says by how much.
                let step = self.data.len() / size[1].max(1);
                Picture::Raw { encoding: Encoding::Yuyv, size, step, data: &self.data }
            }
        }
    }
}

/// A camera that can be opened.
pub trait LocalCamera {
    /// A camera that is open.
    type Open;

    /// Opens it.
    ///
    /// # Errors
    /// If it is not there, in use, or cannot do what is asked of it.
    fn open(&mut self) -> Result<Self::Open, Error>;

    /// Waits for the next picture.
    ///
    /// # Errors
    /// If the camera is gone.
    fn next(&mut self, camera: &mut Self::Open) -> Result<LocalPicture, Error>;
}

/// How long to wait before the next attempt to open a camera: twice as long each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Backoff(Duration);

impl Backoff {
    const SHORTEST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_secs(5);

    fn next(&mut self) -> Duration {
        let wait = self.0;
        self.0 = (2 * wait).min(Self::LONGEST);
        wait
    }
}

/// Reads a camera for ever: `deliver` gets each picture, `complain` each failure. `wait` waits so long and says whether to
/// go on; it is also asked after each picture, for no time at all.
pub fn read_camera<C: LocalCamera>(
    camera: &mut C,
    mut deliver: impl FnMut(LocalPicture),
    mut complain: impl FnMut(&Error),
    mut wait: impl FnMut(Duration) -> bool,
) {
    let mut backoff = Backoff(Backoff::SHORTEST);
    loop {
        let failure = match camera.open() {
            Err(error) => error,
            Ok(mut open) => loop {
                match camera.next(&mut open) {
                    Ok(picture) => {
                        // Not before: a camera that opens and never shows anything is not opened a thousand times a second.
                        backoff = Backoff(Backoff::SHORTEST);
                        deliver(picture);
                    }
                    Err(error) => break error,
                }
                if !wait(Duration::ZERO) {
                    return;
                }
            },
        };
        complain(&failure);
        if !wait(backoff.next()) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    /// What happens at each opening: nothing there, or so many pictures before it is unplugged.
    struct Scripted(std::vec::IntoIter<Option<usize>>);

    fn gone() -> Error {
        Error::Sample { what: "camera".into(), expected: "there".into(), found: "gone".into() }
    }

    impl LocalCamera for Scripted {
        type Open = usize;

        fn open(&mut self) -> Result<usize, Error> {
            self.0.next().flatten().ok_or_else(gone)
        }

        fn next(&mut self, left: &mut usize) -> Result<LocalPicture, Error> {
            *left = left.checked_sub(1).ok_or_else(gone)?;
            Ok(LocalPicture { layout: LocalLayout::Jpeg, data: Vec::new() })
        }
    }

    #[test]
    fn a_camera_that_goes_away_is_looked_for_less_and_less_often_and_anew_once_it_was_back() {
        let script = vec![None, None, Some(0), None, None, None, None, Some(2), None, Some(1)];
        let (mut delivered, mut complaints) = (0, 0);
        let waits = RefCell::new(Vec::new());
        read_camera(
            &mut Scripted(script.into_iter()),
            |_| delivered += 1,
            |_| complaints += 1,
            |time| {
                if !time.is_zero() {
                    waits.borrow_mut().push(time.as_millis());
                }
                waits.borrow().len() < 11
            },
        );
        assert_eq!(*waits.borrow(), [100, 200, 400, 800, 1600, 3200, 5000, 100, 200, 100, 200]);
        assert_eq!((delivered, complaints), (3, 11));
    }

    #[test]
    fn reading_ends_between_two_pictures_when_it_shall() {
        let mut left = 3;
        let stop_after = |_| {
            left -= 1;
            left > 0
        };
        let mut delivered = 0;
        read_camera(&mut Scripted(vec![Some(100)].into_iter()), |_| delivered += 1, |_| {}, stop_after);
        assert_eq!(delivered, 3);
    }

    #[test]
    fn padded_rows_are_found_by_the_length() {
        let picture = LocalPicture { layout: LocalLayout::Yuyv([4, 2]), data: vec![0; 2 * 12] };
        let Picture::Raw { step, size, .. } = picture.picture() else { panic!() };
        assert_eq!((step, size), (12, [4, 2]));
    }
}
