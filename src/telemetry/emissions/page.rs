//! The sums in Prometheus' text format and in OpenMetrics', which has units and exemplars:
//! <https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md>.
//! Advice for changes: a page of ten thousand series is read every few seconds; labels are written as they were rendered.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use super::super::text::TextFormat;
use super::row::Row;
use super::{Exemplar, FAMILIES};
use crate::hex;

/// Writes every family that has something to say.
pub(super) fn write(rows: &[Row], format: TextFormat, text: &mut String) {
    for family in FAMILIES {
        let mut is_begun = false;
        for row in rows {
            for (by, value) in row.samples(family.figure) {
                if !is_begun {
                    begin(family.name, family.unit, family.help, format, text);
                    is_begun = true;
                }
                text.push_str(family.name);
                text.push_str("_total{");
                text.push_str(&row.labels.rendered);
                // Writing to a String cannot fail.
                let _ = match by {
                    None => write!(text, "}} {value}"),
                    Some((label, of)) => write!(text, ",{label}=\"{of}\"}} {value}"),
                };
                if format == TextFormat::OpenMetrics
                    && let Some((exemplar, part, booked)) = row.exemplar(family.figure)
                {
                    write_exemplar(exemplar, part, booked, text);
                }
                text.push('\n');
            }
        }
    }
}

fn begin(name: &str, unit: Option<&str>, help: &str, format: TextFormat, text: &mut String) {
    let suffix = if format == TextFormat::OpenMetrics { "" } else { "_total" };
    let _ = writeln!(text, "# HELP {name}{suffix} {help}\n# TYPE {name}{suffix} counter");
    if let (Some(unit), TextFormat::OpenMetrics) = (unit, format) {
        let _ = writeln!(text, "# UNIT {name} {unit}");
    }
}

fn write_exemplar(exemplar: &Exemplar, part: f64, booked: SystemTime, text: &mut String) {
    let Exemplar { trace_id, span_id, .. } = exemplar;
    text.push_str(" # {trace_id=\"");
    text.push_str(&hex::encode(trace_id));
    text.push_str("\",span_id=\"");
    text.push_str(&hex::encode(span_id));
    let seconds = booked.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs_f64();
    let _ = write!(text, "\"}} {part} {seconds:.3}");
}

#[cfg(test)]
mod tests {
    use smallvec::smallvec;

    use super::super::labels::Schema;
    use super::super::{Booking, EmissionSettings, table::Table};
    use super::*;
    use crate::units::Sum;

    fn sum(of: f64) -> Sum {
        let mut sum = Sum::default();
        sum.add(of);
        sum
    }

    fn page(format: TextFormat) -> String {
        let schema = Schema::new(&EmissionSettings { labels: vec![("team".into(), 5)], ..EmissionSettings::default() });
        let mut table = Table::default();
        let exemplar = Exemplar { trace_id: [0xab; 16], span_id: [1; 8], co2e_g: 0.25, energy_j: Some(9.0) };
        let booking = Booking {
            labels: ["a\"b", "openai", "openai/gpt-4o", "US", "C"],
            more_labels: &["red".into()],
            calls: smallvec![("ok", 2.0)],
            tokens: smallvec![("input", 40.0), ("output", 1.5)],
            energy_j: Some(sum(18.0)),
            co2e_g: Some([0.5, 0.25, 1e-7].map(sum)),
            embodied_co2e_g: None,
            exemplar: Some(exemplar),
        };
        table.add(&schema, &booking, false, SystemTime::UNIX_EPOCH + Duration::from_millis(1_500));
        let mut text = String::new();
        write(table.rows(), format, &mut text);
        text
    }

    /// The labels of the page's only row.
    const LABELS: &str = r#"service="a\"b",provider="openai",model="openai/gpt-4o",zone="US",tier="C",team="red""#;

    #[test]
    fn prometheus_text_has_the_whole_name_in_its_type_and_no_exemplar() {
        let page = page(TextFormat::Prometheus);
        assert!(page.contains("# TYPE gramtrace_energy_joules_total counter\n"));
        assert!(page.contains(&format!("gramtrace_energy_joules_total{{{LABELS}}} 18\n")));
        assert!(page.contains(&format!("gramtrace_co2e_high_grams_total{{{LABELS}}} 0.0000001\n")));
        assert!(page.contains(&format!("gramtrace_tokens_total{{{LABELS},class=\"output\"}} 1.5\n")));
        assert!(page.contains(&format!("gramtrace_calls_total{{{LABELS},status=\"ok\"}} 2\n")));
        assert!(!page.contains("embodied"), "what is not known is not there");
        assert!(!page.contains(" # {"));
    }

    #[test]
    fn open_metrics_has_the_family_s_name_in_its_type_its_unit_and_the_trace() {
        let page = page(TextFormat::OpenMetrics);
        assert!(page.contains("# TYPE gramtrace_co2e_grams counter\n# UNIT gramtrace_co2e_grams grams\n"));
        let trace = "ab".repeat(16);
        let exemplar = format!("# {{trace_id=\"{trace}\",span_id=\"{}\"}} 0.25 1.500", "01".repeat(8));
        assert!(page.contains(&format!("gramtrace_co2e_grams_total{{{LABELS}}} 0.5 {exemplar}\n")), "{page}");
        assert!(page.contains(" 9 1.500\n"), "energy has its own part");
    }
}
