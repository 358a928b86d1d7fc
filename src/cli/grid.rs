//! Tables for people: columns as wide as what is in them, those of text cut where the page ends.
//! Pure text; knows nothing of what it says.

use super::arithmetic::{Emphasis, WIDTH};
use crate::trace::{clean, left, right, width};

/// Between two columns.
const GAP: usize = 2;

/// No column is cut to less.
const LEAST: usize = 12;

/// Rows under a head. The columns `texts` stand at the left and are cut where they must, the widest first; all others are
/// numbers, which stand at the right and whole.
pub(super) fn table(head: &[&str], rows: &[Vec<String>], texts: &[usize], emphasis: Emphasis) -> String {
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| clean(cell)).collect()).collect();
    let mut widths: Vec<usize> = head.iter().map(|title| width(title)).collect();
    for row in &rows {
        for (column, cell) in widths.iter_mut().zip(row) {
            *column = (*column).max(width(cell));
        }
    }
    let gaps = GAP * widths.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > WIDTH {
        let yielding = texts.iter().copied().filter(|at| widths.get(*at).is_some_and(|width| *width > LEAST));
        let Some(widest) = yielding.max_by_key(|at| (widths[*at], usize::MAX - at)) else { break };
        widths[widest] -= 1;
    }
    let line = |cells: &[&str]| {
        let cells = cells.iter().zip(&widths).enumerate().map(|(at, (cell, columns))| {
            if texts.contains(&at) { left(cell, *columns) } else { right(cell, *columns) }
        });
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
        assert_eq!(table(&["name", "n"], &rows, &[0], Emphasis::None), "name    n\na       1\nbbb   100\n");
        let long = vec![vec!["x".repeat(200), "100".to_owned()]];
        let text = table(&["name", "n"], &long, &[0], Emphasis::None);
        assert!(text.lines().all(|line| width(line) <= WIDTH), "{text}");
        // Of two texts the longer gives way first: 100 columns, less 3 for the number and 4 between, are 46 and 47.
        let both = vec![vec!["x".repeat(90), "100".to_owned(), "y".repeat(80)]];
        let text = table(&["name", "n", "by"], &both, &[0, 2], Emphasis::None);
        let row = text.lines().nth(1).unwrap();
        assert_eq!(row, format!("{}…  100  {}…", "x".repeat(45), "y".repeat(46)), "{text}");
    }
}
