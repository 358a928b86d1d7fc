//! Dates and build numbers at the end of model names, as makers write them. Only what is a possible date is one:
//! `-2407` is no month and day, so `mistral-large-2407` keeps its version.

use super::any_case::strip_suffix;

/// The name without the date or build number at its end; `None` where there is none.
///
/// Forms: `-YYYY-MM-DD`, `-YYYYMMDD`, `-YYMMDD`, `-MM-YYYY`, `-MMDD`, `-00N`, and `-MM-DD` after `-preview` or `-exp`.
pub(super) fn without_date(name: &str) -> Option<&str> {
    let cut = |length: usize| name.len().checked_sub(length).and_then(|at| name.split_at_checked(at));
    if let Some((rest, date)) = cut(11)
        && let [b'-', year @ .., b'-', m1, m2, b'-', d1, d2] = date.as_bytes()
        && is_year(year)
        && is_month(&[*m1, *m2])
        && is_day(&[*d1, *d2])
    {
        return named(rest);
    }
    if let Some((rest, date)) = cut(9)
        && let [b'-', y1, y2, y3, y4, month_and_day @ ..] = date.as_bytes()
        && is_year(&[*y1, *y2, *y3, *y4])
        && is_month_and_day(month_and_day)
    {
        return named(rest);
    }
    if let Some((rest, date)) = cut(8)
        && let [b'-', m1, m2, b'-', year @ ..] = date.as_bytes()
        && is_month(&[*m1, *m2])
        && is_year(year)
    {
        return named(rest);
    }
    if let Some((rest, date)) = cut(7)
        && let [b'-', y1, y2, month_and_day @ ..] = date.as_bytes()
        && matches!(two_digits(&[*y1, *y2]), Some(20..=39))
        && is_month_and_day(month_and_day)
    {
        return named(rest);
    }
    if let Some((rest, date)) = cut(6)
        && let [b'-', m1, m2, b'-', d1, d2] = date.as_bytes()
        && is_month_and_day(&[*m1, *m2, *d1, *d2])
        && without_stage(rest).is_some()
    {
        return named(rest);
    }
    if let Some((rest, date)) = cut(5)
        && let [b'-', month_and_day @ ..] = date.as_bytes()
        && is_month_and_day(month_and_day)
    {
        return named(rest);
    }
    let (rest, build) = cut(4)?;
    if matches!(build.as_bytes(), [b'-', b'0', b'0', b'1'..=b'9']) { named(rest) } else { None }
}

/// The name without `-preview` or `-exp` at its end: what a dated preview is a preview of.
pub(super) fn without_stage(name: &str) -> Option<&str> {
    ["-preview", "-exp"].into_iter().find_map(|stage| strip_suffix(name, stage)).and_then(named)
}

/// Whether the name ends in a date in any form, `-YYMM` included, which tells versions of one line apart.
pub(super) fn is_dated(name: &str) -> bool {
    without_date(name).is_some() || ends_in_year_and_month(name)
}

fn ends_in_year_and_month(name: &str) -> bool {
    let Some((_, [b'-', y1, y2, m1, m2])) = name.as_bytes().split_last_chunk::<5>() else { return false };
    matches!(two_digits(&[*y1, *y2]), Some(20..=39)) && is_month(&[*m1, *m2])
}

fn named(rest: &str) -> Option<&str> {
    if rest.is_empty() { None } else { Some(rest) }
}

fn two_digits(digits: &[u8]) -> Option<u8> {
    match digits {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => Some((tens - b'0') * 10 + (ones - b'0')),
        _ => None,
    }
}

fn is_year(digits: &[u8]) -> bool {
    matches!(digits, [b'2', b'0', b'1'..=b'9', b'0'..=b'9'])
}

fn is_month(digits: &[u8]) -> bool {
    matches!(two_digits(digits), Some(1..=12))
}

fn is_day(digits: &[u8]) -> bool {
    matches!(two_digits(digits), Some(1..=31))
}

fn is_month_and_day(digits: &[u8]) -> bool {
    matches!(digits, [m1, m2, d1, d2] if is_month(&[*m1, *m2]) && is_day(&[*d1, *d2]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_date_is_dropped() {
        for (name, rest) in [
            ("gpt-4o-mini-2024-07-18", "gpt-4o-mini"),
            ("claude-haiku-4-5-20251001", "claude-haiku-4-5"),
            ("gpt-3.5-turbo-0125", "gpt-3.5-turbo"),
            ("command-r-plus-08-2024", "command-r-plus"),
            ("gemini-2.5-pro-exp-03-25", "gemini-2.5-pro-exp"),
            ("gemini-2.5-flash-preview-05-20", "gemini-2.5-flash-preview"),
            ("gemini-1.5-pro-002", "gemini-1.5-pro"),
            ("doubao-seed-2-0-pro-260215", "doubao-seed-2-0-pro"),
        ] {
            assert_eq!(without_date(name), Some(rest), "{name}");
        }
    }

    #[test]
    fn what_is_no_date_stays() {
        for name in [
            "gpt-4o",
            "gpt-5-pro",
            "mistral-large-2407",
            "mistral-medium-2508",
            "claude-opus-4-5",
            "mistral-large-4-0",
            "gpt-4-1106-preview",
            "gpt-4o-2024-13-01",
            "model-20249901",
            "phi-1_5",
            "-2024-07-18",
            "-0125",
            "0125",
            "",
            "é",
        ] {
            assert_eq!(without_date(name), None, "{name}");
        }
    }

    #[test]
    fn year_and_month_is_a_date_that_is_kept() {
        assert!(is_dated("mistral-large-2512"));
        assert!(!is_dated("mistral-large-2513"));
        assert!(is_dated("gpt-4-0613"));
        assert!(!is_dated("gpt-4"));
    }
}
