//! The Prometheus text format 0.0.4, as far as counters and gauges need it:
//! <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>.
//! Knows nothing of which metrics there are. This format has no unit lines: a unit is in the name.

use std::fmt::{Display, Write};

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
    const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Untyped => "untyped",
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

/// Collects families into one text.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    text: String,
}

impl Exposition {
    /// Writes a family and its samples in the order of their labels; a family without samples is left out.
    pub(super) fn family<'a, V: Display>(
        &mut self,
        family: Family,
        samples: impl IntoIterator<Item = (Vec<(&'static str, &'a str)>, V)>,
    ) {
        let mut samples: Vec<_> = samples.into_iter().collect();
        if samples.is_empty() {
            return;
        }
        samples.sort_by(|a, b| a.0.cmp(&b.0));
        let Family { name, kind, help } = family;
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {}", kind.name());
        for (labels, value) in samples {
            self.sample(name, &labels, &value);
        }
    }

    /// The whole text: every line ends with a line feed.
    pub(super) fn finish(self) -> String {
        self.text
    }

    fn sample(&mut self, name: &str, labels: &[(&'static str, &str)], value: &impl Display) {
        self.text.push_str(name);
        for (at, (label, text)) in labels.iter().enumerate() {
            self.text.push(if at == 0 { '{' } else { ',' });
            self.text.push_str(label);
            self.text.push_str("=\"");
            self.escaped(text);
            self.text.push('"');
        }
        if !labels.is_empty() {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }

    fn escaped(&mut self, text: &str) {
        for character in text.chars() {
            match character {
                '\\' => self.text.push_str("\\\\"),
                '"' => self.text.push_str("\\\""),
                '\n' => self.text.push_str("\\n"),
                other => self.text.push(other),
            }
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
