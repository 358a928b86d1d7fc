//! Receipts: what spans say of the footprint of their calls, added up a trace at a time and shown to people.
//! This is the reader's side, as a backend sees it: it shares no code with what writes the attributes. What a running
//! service knows of its traces is in [`ledger`].

mod columns;
pub mod figures;
pub mod ledger;
mod line;
pub mod receipts;
mod sum;
mod table;
mod totals;

pub(crate) use columns::{clean, fit, left, right, width};
pub use line::{detail, line};
pub use receipts::{Range, Receipt, Receipts};
pub use table::{Row, Style, table};
pub use totals::{Totals, by_trace};
