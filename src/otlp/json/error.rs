//! Why an OTLP/JSON body was refused: where, what is wrong there, and what to send instead.
//! Knows nothing of HTTP: what a refusal is answered with is decided by the receiver.

use std::fmt;

use super::MAX_DEPTH;

/// Why a body is no OTLP/JSON request. The message is meant for the person who runs the sender.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// The body is not JSON; both numbers count from 1, the column in characters.
    #[error("line {line}, column {column}: {fault}")]
    Syntax {
        /// The line.
        line: usize,
        /// The character within the line.
        column: usize,
        /// What is wrong there.
        fault: SyntaxFault,
    },
    /// The body is JSON, but a value is not what its field takes.
    #[error("{path}: {fault}")]
    Value {
        /// The field, as in `resourceSpans[0].scopeSpans[0].spans[3].traceId`; `the body` for the outermost value.
        path: String,
        /// What is wrong with its value.
        fault: ValueFault,
    },
}

/// How a body breaks the grammar of JSON (RFC 8259).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SyntaxFault {
    /// Something else had to stand here.
    #[error("expected {0}")]
    Expected(&'static str),
    /// The body stops before its outermost value is complete.
    #[error("the body ends too early; send it whole")]
    End,
    /// A byte below 0x20 in a string.
    #[error("a control character in a string must be escaped as \\u00XX")]
    Control,
    /// A backslash that begins no escape of JSON.
    #[error("not an escape that JSON knows")]
    Escape,
    /// The body is not UTF-8.
    #[error("not UTF-8; OTLP/JSON is sent as UTF-8")]
    Encoding,
}

/// How a value fails its field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ValueFault {
    /// Another type of JSON value is needed.
    #[error("expected {0}")]
    Type(&'static str),
    /// An id with a character that is no hex digit.
    #[error("not hex; write ids as hex digits, not as base64")]
    Hex,
    /// An id with half a byte.
    #[error("an odd number of hex digits; write two for each byte of an id")]
    OddHex,
    /// Bytes that are in neither alphabet of base64.
    #[error("not base64 (RFC 4648, standard or URL-safe)")]
    Base64,
    /// A string where a number is needed, and its text is none.
    #[error("not a number")]
    Number,
    /// A number with a fraction where a whole one is needed.
    #[error("not a whole number")]
    Fraction,
    /// A number that the field's type cannot hold.
    #[error("out of the range of {0}")]
    Range(&'static str),
    /// An enum's name that does not exist.
    #[error("not a name of {0}; write enums as integers")]
    EnumName(&'static str),
    /// `null` among numbers: leaving it out would move its neighbours, and every other number would be invented.
    #[error("null among numbers; every element needs a number")]
    NullNumber,
    /// Objects and lists within each other beyond the limit.
    #[error("nested deeper than {MAX_DEPTH} levels; flatten the value")]
    Depth,
}

/// What stops the decoder, before line, column and path are known. An offset is in bytes from the body's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Syntax(SyntaxFault, usize),
    Value(ValueFault),
}

impl From<ValueFault> for Fault {
    fn from(fault: ValueFault) -> Self {
        Self::Value(fault)
    }
}

/// One step from the request down to a value.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    Field(&'static str),
    Element(usize),
}

impl JsonError {
    /// The error for `fault`, which stopped the decoder of `text` at the value that `path` leads to.
    pub(super) fn new(fault: Fault, text: &str, path: &[Step]) -> Self {
        match fault {
            Fault::Syntax(fault, offset) => Self::syntax(fault, text.get(..offset).unwrap_or(text)),
            Fault::Value(fault) => Self::Value { path: Path(path).to_string(), fault },
        }
    }

    /// The error for a `fault` that stands right behind `before`.
    pub(super) fn syntax(fault: SyntaxFault, before: &str) -> Self {
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self::Syntax {
            line: before.bytes().filter(|&byte| byte == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            fault,
        }
    }
}

struct Path<'a>(&'a [Step]);

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("the body");
        }
        for (i, step) in self.0.iter().enumerate() {
            match step {
                Step::Field(name) if i == 0 => f.write_str(name)?,
                Step::Field(name) => write!(f, ".{name}")?,
                Step::Element(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}
