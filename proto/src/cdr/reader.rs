//! Reading CDR, never past the end.

use super::HEADER_LEN;
use crate::{Error, Location};

/// A position in an encoded message.
#[derive(Debug)]
pub struct Reader<'a> {
    /// What follows the encapsulation header. Alignment is counted from its first byte.
    body: &'a [u8],
    position: usize,
    big_endian: bool,
    message: &'static str,
}

impl<'a> Reader<'a> {
    /// Starts behind the encapsulation header. `message` is the type name that errors carry.
    ///
    /// # Errors
    ///
    /// [`Error::Encapsulation`] where the header is short or names another encoding.
    pub fn new(bytes: &'a [u8], message: &'static str) -> Result<Self, Error> {
        let (big_endian, body) = match bytes {
            [0, 0, _, _, body @ ..] => (true, body),
            [0, 1, _, _, body @ ..] => (false, body),
            _ => {
                let found = bytes.iter().take(HEADER_LEN).copied().collect();
                return Err(Error::Encapsulation { message, found });
            }
        };
        Ok(Self { body, position: 0, big_endian, message })
    }

    /// Reads a count and checks that so many elements of at least `element_size` bytes each can follow.
    ///
    /// # Errors
    ///
    /// [`Error::Count`] where they cannot, [`Error::Truncated`] where the count itself is cut short.
    pub fn count(&mut self, element_size: usize) -> Result<usize, Error> {
        let count = <u32 as super::Cdr>::read(self)?;
        let remaining = self.remaining();
        usize::try_from(count)
            .ok()
            .filter(|count| count.checked_mul(element_size).is_some_and(|size| size <= remaining))
            .ok_or_else(|| Error::Count { at: self.location(), count, element_size, remaining })
    }

    /// The next `length` bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Truncated`] where fewer are left.
    pub fn take(&mut self, length: usize) -> Result<&'a [u8], Error> {
        let bytes = self.body[self.position..].get(..length).ok_or_else(|| self.truncated(length))?;
        self.position += length;
        Ok(bytes)
    }

    /// Ends the message.
    ///
    /// # Errors
    ///
    /// [`Error::Trailing`] where more than three bytes of padding are left.
    pub fn finish(self) -> Result<(), Error> {
        match self.remaining() {
            0..=3 => Ok(()),
            found => Err(Error::Trailing { at: self.location(), found }),
        }
    }

    /// The next `N` bytes, after alignment to `N`.
    pub(super) fn aligned<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        self.aligned_elements(1).map(|values| values[0])
    }

    /// The next `count` pieces of `N` bytes, after alignment to `N`.
    pub(super) fn aligned_elements<const N: usize>(&mut self, count: usize) -> Result<&'a [[u8; N]], Error> {
        let padding = self.position.next_multiple_of(N) - self.position;
        let bytes = self.take(padding + count * N)?;
        Ok(bytes[padding..].as_chunks().0)
    }

    pub(super) fn is_big_endian(&self) -> bool {
        self.big_endian
    }

    pub(super) fn location(&self) -> Location {
        Location { message: self.message, field: String::new(), offset: HEADER_LEN + self.position }
    }

    fn remaining(&self) -> usize {
        self.body.len() - self.position
    }

    fn truncated(&self, expected: usize) -> Error {
        Error::Truncated { at: self.location(), expected, found: self.remaining() }
    }
}
