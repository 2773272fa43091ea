//! Plain CDR version 1 (XCDR1), the encoding ROS 2 puts on the wire and into its logs.
//!
//! # Layout
//!
//! Four bytes of encapsulation header, then the fields one after another. `std_msgs/msg/Header` with
//! stamp 7.000000009 s and frame `base`, little endian:
//!
//! ```text
//!   byte   0  1  2  3 | 4  5  6  7 | 8  9 10 11 | 12 13 14 15 | 16 17 18 19 20 | 21 22 23
//!         00 01 00 00 |07 00 00 00 |09 00 00 00 | 05 00 00 00 | 62 61 73 65 00 | 00 00 00
//!         ----- -----   sec          nanosec      length       b  a  s  e NUL   padding
//!         order options |
//!                       alignment is counted from here
//! ```
//!
//! | part | rule |
//! |---|---|
//! | byte order | `00 00` big endian, `00 01` little endian. Both are read, little endian is written. |
//! | options | ignored: some writers put the number of padding bytes at the end into the low two bits |
//! | number | its own size, aligned to its own size |
//! | bool | one byte, 0 or 1 |
//! | string | u32 length that counts the NUL, UTF-8 bytes, NUL |
//! | sequence | u32 count, then the elements; aligned for the element only where there is one |
//! | fixed array | the elements, no count |
//! | nested message | its fields, no alignment of its own |
//! | end | up to three bytes of padding may follow; more is an error |
//!
//! # Memory
//!
//! A count is compared with the rest of the message before anything is allocated: `count` elements take
//! at least `count * MIN_SIZE` bytes ([`Cdr::MIN_SIZE`]). The vector is then allocated once, at its exact length. Its
//! memory can still exceed its encoding, since an empty string takes 5 bytes encoded and 24 in memory, and
//! an empty diagnostic status 20 and 104. With one nested claim on the same bytes (an empty key and value take 10 and
//! 48), **decoding allocates less than eleven times the length of the message**, whatever the message says.

mod reader;
mod writer;

pub use reader::Reader;
pub use writer::Writer;

use crate::Error;
use std::borrow::Cow;

/// Bytes before the first field.
pub(crate) const HEADER_LEN: usize = 4;

/// A value with a CDR encoding: a field of a message, or a whole message.
///
/// `'a` is the life of the bytes decoded from, which image data may borrow.
pub trait Cdr<'a>: Sized {
    /// Fewest bytes one value takes, alignment left out. Never 0.
    const MIN_SIZE: usize;

    /// Reads one value.
    ///
    /// # Errors
    ///
    /// The bytes end early or are not such a value.
    fn read(reader: &mut Reader<'a>) -> Result<Self, Error>;

    /// Writes one value.
    fn write(&self, writer: &mut Writer<'_>);

    /// Reads `count` values, where `count` is at least 1 and was checked by [`Reader::count`].
    ///
    /// # Errors
    ///
    /// As [`Cdr::read`].
    fn read_elements(reader: &mut Reader<'a>, count: usize) -> Result<Vec<Self>, Error> {
        let mut values = Vec::with_capacity(count);
        for index in 0..count {
            values.push(Self::read(reader).map_err(|error| error.within(&format!("[{index}]")))?);
        }
        Ok(values)
    }

    /// Writes the elements of a sequence that is not empty.
    fn write_elements(values: &[Self], writer: &mut Writer<'_>) {
        for value in values {
            value.write(writer);
        }
    }
}

/// Numbers: aligned to their size, and moved in bulk where they come in sequences.
macro_rules! number {
    ($($number:ty),*) => {$(
        impl Cdr<'_> for $number {
            const MIN_SIZE: usize = size_of::<Self>();

            fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
                let bytes = reader.aligned()?;
                Ok(if reader.is_big_endian() { Self::from_be_bytes(bytes) } else { Self::from_le_bytes(bytes) })
            }

            fn write(&self, writer: &mut Writer<'_>) {
                writer.aligned(std::iter::once(self.to_le_bytes()));
            }

            fn read_elements(reader: &mut Reader<'_>, count: usize) -> Result<Vec<Self>, Error> {
                let bytes = reader.aligned_elements(count)?.iter();
                Ok(if reader.is_big_endian() {
                    bytes.map(|value| Self::from_be_bytes(*value)).collect()
                } else {
                    bytes.map(|value| Self::from_le_bytes(*value)).collect()
                })
            }

            fn write_elements(values: &[Self], writer: &mut Writer<'_>) {
                writer.aligned(values.iter().map(|value| value.to_le_bytes()));
            }
        }
    )*};
}

number!(u8, i32, u32, u64, f32, f64);

impl Cdr<'_> for bool {
    const MIN_SIZE: usize = 1;

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        match u8::read(reader)? {
            0 => Ok(false),
            1 => Ok(true),
            found => Err(Error::Bool { at: reader.location(), found }),
        }
    }

    fn write(&self, writer: &mut Writer<'_>) {
        u8::from(*self).write(writer);
    }
}

impl Cdr<'_> for String {
    const MIN_SIZE: usize = 5;

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let length = reader.count(1)?;
        let bytes = reader.take(length)?;
        let Some((0, text)) = bytes.split_last() else {
            return Err(Error::StringEnd { at: reader.location(), found: bytes.last().copied() });
        };
        let text = std::str::from_utf8(text)
            .map_err(|error| Error::StringEncoding { at: reader.location(), valid: error.valid_up_to() })?;
        Ok(text.to_owned())
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.count(self.len() + 1);
        writer.bytes(self.as_bytes());
        writer.bytes(&[0]);
    }
}

/// A sequence.
impl<'a, T: Cdr<'a>> Cdr<'a> for Vec<T> {
    const MIN_SIZE: usize = 4;

    fn read(reader: &mut Reader<'a>) -> Result<Self, Error> {
        match reader.count(T::MIN_SIZE)? {
            0 => Ok(Self::new()),
            count => T::read_elements(reader, count),
        }
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.count(self.len());
        if !self.is_empty() {
            T::write_elements(self, writer);
        }
    }
}

/// A sequence of bytes, borrowed from the message when decoded.
impl<'a> Cdr<'a> for Cow<'a, [u8]> {
    const MIN_SIZE: usize = 4;

    fn read(reader: &mut Reader<'a>) -> Result<Self, Error> {
        let count = reader.count(1)?;
        reader.take(count).map(Cow::Borrowed)
    }

    fn write(&self, writer: &mut Writer<'_>) {
        writer.count(self.len());
        writer.bytes(self);
    }
}

/// A fixed array, such as a covariance.
impl<const N: usize> Cdr<'_> for [f64; N] {
    const MIN_SIZE: usize = 8 * N;

    fn read(reader: &mut Reader<'_>) -> Result<Self, Error> {
        let mut values = [0.0; N];
        for value in &mut values {
            *value = f64::read(reader)?;
        }
        Ok(values)
    }

    fn write(&self, writer: &mut Writer<'_>) {
        for value in self {
            value.write(writer);
        }
    }
}
