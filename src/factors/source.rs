//! Where a number comes from: a document with its licence. No source, no factor.
//! Knows nothing of what is taken from it.

/// A source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// What it is called, with who made it and when.
    pub title: Box<str>,
    /// Where it is; empty where it is not public.
    pub url: Box<str>,
    /// Under which licence its figures are used here; empty where none was said.
    pub licence: Box<str>,
}
