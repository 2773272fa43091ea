//! Writing CDR, little endian.

use super::HEADER_LEN;

/// Appends an encoded message to a buffer.
#[derive(Debug)]
pub struct Writer<'b> {
    buffer: &'b mut Vec<u8>,
}

impl<'b> Writer<'b> {
    /// Empties the buffer and writes the encapsulation header. Nothing is allocated where the buffer's
    /// capacity suffices for the message.
    pub fn new(buffer: &'b mut Vec<u8>) -> Self {
        buffer.clear();
        buffer.extend_from_slice(&[0, 1, 0, 0]);
        Self { buffer }
    }

    /// Writes the count of a sequence or the length of a string.
    ///
    /// # Panics
    ///
    /// Where the count does not fit CDR's 32 bits. Such a value takes more than 4 GiB of memory before it
    /// gets here, as an allocation of more than `isize::MAX` bytes does before it panics.
    pub fn count(&mut self, count: usize) {
        assert!(count <= u32::MAX as usize, "a CDR sequence holds at most 2^32 - 1 elements, found {count}");
        self.aligned(std::iter::once((count as u32).to_le_bytes()));
    }

    /// Writes bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Writes pieces of `N` bytes, after alignment to `N`.
    pub(super) fn aligned<const N: usize>(&mut self, values: impl ExactSizeIterator<Item = [u8; N]>) {
        let position = self.buffer.len() - HEADER_LEN;
        let start = HEADER_LEN + position.next_multiple_of(N);
        self.buffer.resize(start + values.len() * N, 0);
        let (pieces, _) = self.buffer[start..].as_chunks_mut();
        for (piece, value) in pieces.iter_mut().zip(values) {
            *piece = value;
        }
    }
}
