//! Documents that users write, as trees that remember their lines: parsing, typed access key by key, and everything
//! that is wrong at once with line, path and cure. Knows how values are written; nothing of what any key means.

mod error;
pub(crate) mod json;
pub(crate) mod problems;
pub(crate) mod section;
pub(crate) mod tree;

pub use error::{DocumentError, DocumentErrors};
