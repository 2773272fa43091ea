//! What Sinew says on the wire and writes into its logs.
//!
//! A message is one Rust struct, one `.msg` text and one CDR encoding, held together by [`Message`].
//! Everything that arrives from outside is decoded within its own length: a malformed message is an
//! [`Error`] that names the message, the field and the byte, never a panic and never a large allocation.

pub mod cdr;
mod error;
pub mod key;
pub mod msg;
pub mod rmw_zenoh;
pub mod schema;
pub mod stamp;
mod type_hash;

pub use error::{Error, Location};
pub use msg::Message;
pub use stamp::Stamp;
pub use type_hash::type_hash;
