//! The table of measurements: a row a configuration of a model.
//! Knows no fit.

use serde::Deserialize;

/// A measured configuration.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Row {
    /// The repository on Hugging Face.
    pub(crate) model: String,
    pub(crate) task: String,
    pub(crate) total_params_b: f64,
    pub(crate) active_params_b: f64,
    pub(crate) precision: String,
    pub(crate) gpu: String,
    /// The most requests at a time.
    pub(crate) max_num_seqs: u32,
    /// Requests at a time, on average.
    pub(crate) avg_batch: f64,
    /// GPU energy of an output token, the prompt included.
    pub(crate) j_per_output_token: f64,
}

pub(crate) const CHAT: &str = "lm-arena-chat";
pub(crate) const PROBLEMS: &str = "gpqa";
pub(crate) const CODE: &str = "sourcegraph-fim";
pub(crate) const H100: &str = "H100";
pub(crate) const B200: &str = "B200";

/// Beyond it no server that answers people goes.
const MAX_BATCH: f64 = 512.0;

pub(crate) fn rows(path: &str) -> Result<Vec<Row>, csv::Error> {
    csv::Reader::from_path(path)?.deserialize().collect()
}

impl Row {
    /// Whether the fit rests on it: text tasks, with a batch of up to 512.
    pub(crate) fn is_fitted(&self) -> bool {
        [CHAT, PROBLEMS, CODE].contains(&self.task.as_str()) && self.avg_batch <= MAX_BATCH
    }

    pub(crate) fn is_reduced(&self) -> bool {
        self.precision != "bfloat16"
    }
}
