//! The Prometheus text format 0.0.4 and OpenMetrics 1.0, as far as counters and gauges need them:
//! <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>,
//! <https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md>.
//! Knows nothing of which metrics there are.

use std::fmt::{Display, Write};

/// A way to write metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextFormat {
    /// The Prometheus text format 0.0.4.
    Prometheus,
    /// OpenMetrics 1.0: the only one with exemplars.
    OpenMetrics,
}

impl TextFormat {
    /// What stands behind everything.
    pub(super) const fn end(self) -> &'static str {
        match self {
            Self::Prometheus => "",
            Self::OpenMetrics => "# EOF\n",
        }
    }
}

/// What a family is said to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Only grows; its name ends in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A counter whose name does not end in `_total`: readers of the format disagree on whether they may add the
    /// suffix to a counter, and leave an untyped name alone.
    Untyped,
}

impl Kind {
    const fn name(self, format: TextFormat) -> &'static str {
        match (self, format) {
            (Self::Counter, _) => "counter",
            (Self::Gauge, _) => "gauge",
            (Self::Untyped, TextFormat::Prometheus) => "untyped",
            (Self::Untyped, TextFormat::OpenMetrics) => "unknown",
        }
    }
}

/// A family of metrics, without its samples.
#[derive(Debug, Clone, Copy)]
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
}

/// One family with its samples in the order of their labels.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub(super) family: Family,
    pub(super) samples: Vec<Sample>,
}

/// One sample: labels, and the value as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sample {
    pub(super) labels: Vec<(&'static str, String)>,
    pub(super) value: String,
}

/// Collects families.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    readings: Vec<Reading>,
}

impl Exposition {
    /// Takes a family and its samples; a family without samples is left out.
    pub(super) fn family<'a, V: Display>(
        &mut self,
        family: Family,
        samples: impl IntoIterator<Item = (Vec<(&'static str, &'a str)>, V)>,
    ) {
        let sample = |(labels, value): (Vec<(&'static str, &str)>, V)| Sample {
            labels: labels.into_iter().map(|(label, text)| (label, text.to_owned())).collect(),
            value: value.to_string(),
        };
        let mut samples: Vec<_> = samples.into_iter().map(sample).collect();
        if !samples.is_empty() {
            samples.sort_by(|a, b| a.labels.cmp(&b.labels));
            self.readings.push(Reading { family, samples });
        }
    }

    /// What was collected, for other formats.
    pub(super) fn into_readings(self) -> Vec<Reading> {
        self.readings
    }

    /// The whole in the Prometheus text format.
    #[cfg(test)]
    pub(super) fn finish(self) -> String {
        let mut text = String::new();
        self.write(TextFormat::Prometheus, &mut text);
        text
    }

    /// Writes the whole as text: every line ends with a line feed.
    pub(super) fn write(self, format: TextFormat, text: &mut String) {
        for Reading { family: Family { name, kind, help }, samples } in &self.readings {
            // In OpenMetrics the suffix is of the samples, not of the family.
            let family = match format {
                TextFormat::OpenMetrics if *kind == Kind::Counter => name.trim_end_matches("_total"),
                TextFormat::OpenMetrics | TextFormat::Prometheus => name,
            };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "# HELP {family} {help}\n# TYPE {family} {}", kind.name(format));
            samples.iter().for_each(|sample| sample.write(name, text));
        }
    }
}

impl Sample {
    fn write(&self, name: &str, text: &mut String) {
        text.push_str(name);
        for (at, (label, value)) in self.labels.iter().enumerate() {
            text.push(if at == 0 { '{' } else { ',' });
            text.push_str(label);
            text.push_str("=\"");
            escape(value, text);
            text.push('"');
        }
        if !self.labels.is_empty() {
            text.push('}');
        }
        let _ = writeln!(text, " {}", self.value);
    }
}

/// A label's value between its quotes.
pub(super) fn escape(value: &str, text: &mut String) {
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAMILY: Family = Family { name: "gramtrace_test_total", kind: Kind::Counter, help: "A test." };

    #[test]
    fn a_family_is_written_as_the_format_says() {
        let mut exposition = Exposition::default();
        exposition.family(FAMILY, [(vec![("a", "2"), ("b", "x")], 7), (vec![("a", "1"), ("b", "y")], 0)]);
        let expected = "# HELP gramtrace_test_total A test.\n# TYPE gramtrace_test_total counter\n\
                        gramtrace_test_total{a=\"1\",b=\"y\"} 0\ngramtrace_test_total{a=\"2\",b=\"x\"} 7\n";
        assert_eq!(exposition.finish(), expected);
    }

    #[test]
    fn open_metrics_names_a_counter_without_its_suffix() {
        let mut exposition = Exposition::default();
        exposition.family(FAMILY, [(vec![], 7)]);
        exposition.family(Family { name: "otelcol_x", kind: Kind::Untyped, help: "Theirs." }, [(vec![], 1)]);
        let expected = "# HELP gramtrace_test A test.\n# TYPE gramtrace_test counter\ngramtrace_test_total 7\n\
                        # HELP otelcol_x Theirs.\n# TYPE otelcol_x unknown\notelcol_x 1\n";
        let mut text = String::new();
        exposition.write(TextFormat::OpenMetrics, &mut text);
        assert_eq!(text, expected);
    }

    #[test]
    fn a_label_value_is_escaped() {
        let mut exposition = Exposition::default();
        exposition.family(FAMILY, [(vec![("a", "q\"b\\n\nend")], 1)]);
        assert!(exposition.finish().ends_with("{a=\"q\\\"b\\\\n\\nend\"} 1\n"));
    }

    #[test]
    fn a_family_without_samples_is_left_out() {
        let mut exposition = Exposition::default();
        exposition.family(FAMILY, Vec::<(Vec<_>, u64)>::new());
        assert_eq!(exposition.finish(), "");
    }
}
