//! Reads the golden files: a header, rows, fields that may be quoted.

use std::collections::HashMap;

/// A row: column to field.
pub(crate) type Row = HashMap<String, String>;

/// Every row of a file.
pub(crate) fn rows(text: &str) -> Vec<Row> {
    let mut lines = text.lines();
    let header = fields(lines.next().expect("a header"));
    lines
        .map(|line| {
            let row = fields(line);
            assert_eq!(row.len(), header.len(), "{line}");
            header.iter().cloned().zip(row).collect()
        })
        .collect()
}

fn fields(line: &str) -> Vec<String> {
    let mut fields = vec![String::new()];
    let mut is_quoted = false;
    for character in line.chars() {
        match character {
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => fields.push(String::new()),
            other => fields.last_mut().expect("a field").push(other),
        }
    }
    fields
}
