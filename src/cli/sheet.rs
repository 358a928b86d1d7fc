//! Tables of questions in CSV: the first line, which says what stands under it, and the rows. What is no table is refused
//! with what to write instead, before any row is answered.

use std::io::Read;

use csv::{ByteRecord, Reader};

use super::console::CommandError;
use super::question::shortened;

/// What a table must and may have.
pub(super) struct Wanted<const N: usize> {
    /// The columns that are read.
    pub(super) columns: [&'static str; N],
    /// Columns that the answer has, which the question must not.
    pub(super) reserved: &'static [&'static str],
    /// What to write.
    pub(super) advice: String,
}

/// A table that is read row by row.
pub(super) struct Sheet<'i, const N: usize> {
    reader: Reader<&'i mut dyn Read>,
    /// Whose table it is, as errors say.
    name: String,
    /// Every column, in order.
    pub(super) columns: Vec<String>,
    /// For each column that is read, its place in a row.
    pub(super) places: [Option<usize>; N],
}

impl<'i, const N: usize> Sheet<'i, N> {
    /// Reads the first line.
    ///
    /// # Errors
    /// [`CommandError::Usage`] where the input is no table, or a column stands twice, is misspelt, or is the answer's.
    pub(super) fn open((name, input): (&str, &'i mut dyn Read), wanted: &Wanted<N>) -> Result<Self, CommandError> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(input);
        let mut head = ByteRecord::new();
        let refused = |why: String| CommandError::Usage(format!("{name} {why}"));
        match reader.read_byte_record(&mut head) {
            Ok(true) => {}
            Ok(false) => return Err(refused(format!("is empty; write {}", wanted.advice))),
            Err(error) => return Err(refused(format!("cannot be read: {error}"))),
        }
        let names = names(&head).map_err(|why| refused(format!("{why}, with {}", wanted.advice)))?;
        let mut sheet = Self { reader, name: name.to_owned(), columns: Vec::new(), places: [None; N] };
        for column in names {
            sheet.column(column, wanted)?;
        }
        Ok(sheet)
    }

    fn column(&mut self, name: String, wanted: &Wanted<N>) -> Result<(), CommandError> {
        let refused = |why: String| Err(CommandError::Usage(format!("column `{}`{why}", shortened(&name))));
        if wanted.reserved.contains(&name.as_str()) {
            return refused(" is one of the answer's; rename it, or leave it out".to_owned());
        }
        match wanted.columns.iter().position(|known| *known == name) {
            Some(known) if self.places[known].is_some() => {
                return refused(" stands twice; write it once".to_owned());
            }
            Some(known) => self.places[known] = Some(self.columns.len()),
            None => {
                if let Some(near) = slip(&name, &wanted.columns) {
                    return refused(format!("; did you mean `{near}`?"));
                }
            }
        }
        self.columns.push(name);
        Ok(())
    }

    /// What to say where a column is missing.
    pub(super) fn lacks(&self, wanted: &Wanted<N>) -> CommandError {
        let found: Vec<String> = self.columns.iter().take(12).map(|name| format!("`{}`", shortened(name))).collect();
        let others = [(';', "`;`"), ('\t', "tabs"), ('|', "`|`")];
        let other = others.iter().find(|(separator, _)| self.columns.iter().any(|name| name.contains(*separator)));
        let advice = &wanted.advice;
        let message = match other {
            Some((_, told)) => {
                format!("columns seem to have {told} between them; write commas, and in the first line {advice}")
            }
            None => format!("the first line has no {advice}; it has {}", found.join(", ")),
        };
        CommandError::Usage(message)
    }

    /// Reads the next row; `false` where there is none.
    ///
    /// # Errors
    /// [`CommandError::Failed`] where the input cannot be read on.
    pub(super) fn row(&mut self, record: &mut ByteRecord) -> Result<bool, CommandError> {
        let failed = |error: csv::Error| CommandError::Failed(format!("{} cannot be read on: {error}", self.name));
        self.reader.read_byte_record(record).map_err(failed)
    }
}

/// The names in a first line.
///
/// # Errors
/// What the input is instead of text, and what to write.
fn names(head: &ByteRecord) -> Result<Vec<String>, &'static str> {
    let start = head.get(0).unwrap_or_default();
    for (magic, what) in [
        (&b"\x1f\x8b"[..], "is packed by gzip; unpack it, and write a table in CSV"),
        (b"PK\x03\x04", "is a spreadsheet or an archive; save it as CSV in UTF-8"),
        (b"\xff\xfe", "is text in UTF-16; save it as CSV in UTF-8"),
        (b"\xfe\xff", "is text in UTF-16; save it as CSV in UTF-8"),
    ] {
        if start.starts_with(magic) {
            return Err(what);
        }
    }
    let name = |field| {
        let text = std::str::from_utf8(field).ok().filter(|text| !text.contains('\0'));
        text.map(|text| text.trim_start_matches('\u{feff}').trim().to_owned())
    };
    head.iter().map(name).collect::<Option<_>>().ok_or("is no text in UTF-8; write a table in CSV")
}

/// The column that a name differs from by a slip of the hand; others are nobody's, and are passed on.
fn slip(name: &str, columns: &[&'static str]) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    let is_slip = |known: &&&str| strsim::osa_distance(&lower, known) <= if known.len() > 8 { 2 } else { 1 };
    columns.iter().find(is_slip).copied()
}
