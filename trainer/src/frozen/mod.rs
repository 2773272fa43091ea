//! What the frozen part of the model makes of each frame, kept on disk from epoch to epoch.
//!
//! The pictures of a frame go through most of the network's multiplications and come out the same in every epoch, as
//! long as neither the weights that they pass nor the pictures change. [`CacheKey`] says on what an entry depends,
//! [`EntryShape`] what it holds, [`FrozenCache`] keeps it.

mod cache;
mod entry;
mod key;
mod options;
mod record;

pub use cache::{FrozenCache, Usage};
pub use entry::EntryShape;
pub use key::{CacheKey, FrameKey};
pub use options::{CacheMode, CacheOptions, StoredDtype};
