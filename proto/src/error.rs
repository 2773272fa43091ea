//! The one error type of this crate.

use std::fmt;

/// Where in a message decoding stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// Type name of the message, such as `sensor_msgs/msg/JointState`.
    pub message: &'static str,
    /// Path of the field, such as `points[3].positions`; empty outside any field.
    pub field: String,
    /// Byte offset from the start of the message, encapsulation header included.
    pub offset: usize,
}

impl Location {
    /// Puts an enclosing field in front of the path.
    fn prepend(&mut self, outer: &str) {
        let joint = if self.field.is_empty() || self.field.starts_with('[') { "" } else { "." };
        self.field = format!("{outer}{joint}{}", self.field);
    }
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { message, field, offset } = self;
        let space = if field.is_empty() { "" } else { " " };
        write!(formatter, "{message}{space}{field} at byte {offset}")
    }
}

/// Why bytes, a name or a time were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The message does not start with the header of plain CDR version 1.
    #[error("{message}: expected encapsulation 00 00 or 00 01 and two option bytes, found {found:02x?}")]
    Encapsulation {
        /// Type name of the message.
        message: &'static str,
        /// The first bytes of the message, at most four.
        found: Vec<u8>,
    },
    /// The message ends inside a value.
    #[error("{at}: expected {expected} more bytes, found {found}")]
    Truncated {
        /// Where the value starts.
        at: Location,
        /// Bytes the value takes, alignment included.
        expected: usize,
        /// Bytes left in the message.
        found: usize,
    },
    /// A sequence or string claims more than the rest of the message can hold.
    #[error(
        "{at}: count {count} of elements of at least {element_size} bytes, but {remaining} bytes are left"
    )]
    Count {
        /// Where the count ends.
        at: Location,
        /// The claimed number of elements.
        count: u32,
        /// Fewest bytes one element takes.
        element_size: usize,
        /// Bytes left after the count.
        remaining: usize,
    },
    /// A string does not end with a NUL byte.
    #[error("{at}: expected a string ending in NUL, found {}", last_byte(.found))]
    StringEnd {
        /// Where the string's bytes end.
        at: Location,
        /// The last byte of the string; `None` where its length is 0.
        found: Option<u8>,
    },
    /// A string is not UTF-8.
    #[error("{at}: expected UTF-8, which ends after {valid} bytes of the string")]
    StringEncoding {
        /// Where the string's bytes end.
        at: Location,
        /// Number of leading bytes that are UTF-8.
        valid: usize,
    },
    /// A bool is neither 0 nor 1.
    #[error("{at}: expected a bool of 0 or 1, found {found}")]
    Bool {
        /// Where the bool ends.
        at: Location,
        /// The byte found.
        found: u8,
    },
    /// The message goes on after its last field, by more than padding.
    #[error("{at}: expected the end and at most 3 bytes of padding, found {found} more bytes")]
    Trailing {
        /// Where the last field ends.
        at: Location,
        /// Number of bytes after it.
        found: usize,
    },
    /// An action chunk that contradicts itself.
    #[error("ActionChunk {field}: expected {expected}, found {found}")]
    Chunk {
        /// The field at fault.
        field: &'static str,
        /// What the other fields call for.
        expected: String,
        /// What is there.
        found: String,
    },
    /// The nanoseconds of a time or duration make a full second.
    #[error("nanosec: expected less than 1000000000, found {found}")]
    Nanosec {
        /// The nanoseconds found.
        found: u32,
    },
    /// A time or duration whose seconds do not fit the 32 bits ROS gives them (for times: after January 2038).
    #[error("expected nanoseconds that make {}..={} seconds, found {ns}", i32::MIN, i32::MAX)]
    Range {
        /// The nanoseconds that were to be converted.
        ns: i64,
    },
    /// A name that cannot be a zenoh key.
    #[error("key {key:?}: {problem}")]
    Key {
        /// The key as it would have been.
        key: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Not the name of a ROS 2 message type.
    #[error("type name: expected package/msg/Type, found {found:?}")]
    TypeName {
        /// The name given.
        found: String,
    },
}

fn last_byte(found: &Option<u8>) -> String {
    found.map_or_else(|| "length 0".to_owned(), |byte| format!("{byte:#04x}"))
}

impl Error {
    /// The same error, seen from the field that encloses it. Called on the way out of a failed
    /// decode only, so that a decode that succeeds pays nothing for the path.
    pub(crate) fn within(mut self, outer: &str) -> Self {
        if let Self::Truncated { at, .. }
        | Self::Count { at, .. }
        | Self::StringEnd { at, .. }
        | Self::StringEncoding { at, .. }
        | Self::Bool { at, .. }
        | Self::Trailing { at, .. } = &mut self
        {
            at.prepend(outer);
        }
        self
    }
}
