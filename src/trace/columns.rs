//! Text in columns of a terminal: how wide it is, cut to fit, padded, and harmless whoever wrote it.
//! Knows nothing of what the text says.

use std::iter::repeat_n;

/// What stands for what was cut off.
const CUT: char = '…';

/// `text` without anything that moves the cursor, ends a line, or turns the direction of writing: names come from
/// the network and end on a terminal.
pub(crate) fn clean(text: &str) -> String {
    let harmless = |character: char| {
        let turns = matches!(character, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if character.is_control() || turns { char::REPLACEMENT_CHARACTER } else { character }
    };
    text.chars().map(harmless).collect()
}

/// How many columns `text` takes.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

/// `text` in at most `columns` columns, at least one; what is cut off is marked.
pub(crate) fn fit(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut taken = 0;
    let fits = |character: &char| {
        taken += char_width(*character);
        taken < columns
    };
    text.chars().take_while(fits).chain([CUT]).collect()
}

/// `text` in exactly `columns` columns, cut or with spaces after it.
pub(crate) fn left(text: &str, columns: usize) -> String {
    let text = fit(text, columns);
    let spaces = columns.saturating_sub(width(&text));
    text.chars().chain(repeat_n(' ', spaces)).collect()
}

/// `text` in exactly `columns` columns, cut or with spaces before it.
pub(crate) fn right(text: &str, columns: usize) -> String {
    let text = fit(text, columns);
    let spaces = columns.saturating_sub(width(&text));
    repeat_n(' ', spaces).chain(text.chars()).collect()
}

/// The columns of one character: the wide and the combining blocks of UAX #11 that occur in names, all else as one.
fn char_width(character: char) -> usize {
    match character {
        '\u{300}'..='\u{36f}' | '\u{200b}'..='\u{200d}' | '\u{20d0}'..='\u{20ff}' | '\u{fe00}'..='\u{fe0f}' => 0,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe6f}'
        | '\u{ff00}'..='\u{ff60}'
        | '\u{ffe0}'..='\u{ffe6}'
        | '\u{1f300}'..='\u{1faff}'
        | '\u{20000}'..='\u{3fffd}' => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn width_counts_columns_and_not_bytes() {
        let cases = [("", 0), ("abc", 3), ("Grüße", 5), ("e\u{301}", 1), ("環境", 4), ("🌱", 2), ("12.3 mg [4–5]", 13)];
        for (text, expected) in cases {
            assert_eq!(width(text), expected, "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_cut_between_characters_and_marked() {
        assert_eq!(fit("checkout", 8), "checkout");
        assert_eq!(fit("checkout", 5), "chec…");
        assert_eq!(fit("環境環境", 6), "環境…");
        assert_eq!(fit("e\u{301}e\u{301}e\u{301}", 2), "e\u{301}…");
        assert_eq!(fit("ab", 1), "…");
    }

    #[test]
    fn padding_fills_up_also_where_a_wide_character_was_cut() {
        assert_eq!(left("環境環境", 6), "環境… ");
        assert_eq!(left("ab", 4), "ab  ");
        assert_eq!(right("ab", 4), "  ab");
    }

    #[test]
    fn a_name_cannot_move_the_cursor() {
        assert_eq!(clean("a\u{1b}[2Jb\r\nc\u{202e}d"), "a\u{fffd}[2Jb\u{fffd}\u{fffd}c\u{fffd}d");
    }
}
