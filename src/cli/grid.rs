//! Tables for people: columns as wide as what is in them, the first one cut where the page ends.
//! Pure text; knows nothing of what it says.

use super::arithmetic::{Emphasis, WIDTH};
use crate::trace::{clean, left, right, width};

/// Between two columns.
const GAP: usize = 2;

/// No first column is narrower.
const LEAST: usize = 12;

/// Rows under a head; numbers, which is all but the first `texts` columns, stand at the right.
pub(super) fn table(head: &[&str], rows: &[Vec<String>], texts: usize, emphasis: Emphasis) -> String {
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| clean(cell)).collect()).collect();
    let mut widths: Vec<usize> = head.iter().map(|title| width(title)).collect();
    for row in &rows {
        for (column, cell) in widths.iter_mut().zip(row) {
            *column = (*column).max(width(cell));
        }
    }
    let total = widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
    if let Some(first) = widths.first_mut() {
        *first = first.saturating_sub(total.saturating_sub(WIDTH)).max(LEAST.min(*first));
    }
    let line = |cells: &[&str]| {
        let cells = cells
            .iter()
            .zip(&widths)
            .enumerate()
            .map(|(at, (cell, columns))| if at < texts { left(cell, *columns) } else { right(cell, *columns) });
        cells.collect::<Vec<_>>().join(&" ".repeat(GAP)).trim_end().to_owned()
    };
    let mut text = emphasis.bold(&line(head)) + "\n";
    for row in &rows {
        let cells: Vec<&str> = row.iter().map(String::as_str).collect();
        text.push_str(&line(&cells));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_the_first_gives_way() {
        let rows = vec![vec!["a".to_owned(), "1".to_owned()], vec!["bbb".to_owned(), "100".to_owned()]];
        assert_eq!(table(&["name", "n"], &rows, 1, Emphasis::None), "name    n\na       1\nbbb   100\n");
        let long = vec![vec!["x".repeat(200), "100".to_owned()]];
        let text = table(&["name", "n"], &long, 1, Emphasis::None);
        assert!(text.lines().all(|line| width(line) <= WIDTH), "{text}");
    }
}
