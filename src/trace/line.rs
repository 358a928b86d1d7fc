//! One receipt as one line for a console, and all its keys for those who want to see what backends get.
//! Pure text; knows nothing of where it goes.

use super::columns::{clean, fit};
use super::figures::{count, energy, mass_range};
use super::receipts::Receipt;

/// How wide one name may get.
const NAME: usize = 40;

/// Between the parts of a line.
const GAP: &str = "  ";

/// Hex digits of the trace id that tell one trace from another for a person.
const TRACE_DIGITS: usize = 8;

/// One receipt in one line, without the line feed: who, what, the figures, where, and how good they are.
///
/// ```
/// use gramtrace::trace::{Range, Receipt, line};
/// let receipt = Receipt {
///     trace_id: "4bf92f3577b34da6a3ce929d0e0e4736".to_owned(),
///     service: Some("shop".to_owned()),
///     name: "chat gpt-4o".to_owned(),
///     status: "ok".to_owned(),
///     model: Some("openai/gpt-4o".to_owned()),
///     input_tokens: Some(1200),
///     output_tokens: Some(340),
///     energy_wh: Some(Range { low: None, value: 0.812, high: None }),
///     co2e_g: Some(Range { low: Some(0.1), value: 0.25, high: Some(1.0) }),
///     grid_zone: Some("US-CAL-CISO".to_owned()),
///     grid_basis: Some("provider".to_owned()),
///     tier: Some("D".to_owned()),
///     ..Receipt::default()
/// };
/// assert_eq!(
///     line(&receipt),
///     "shop  chat gpt-4o  openai/gpt-4o  1200/340 tokens  812 mWh  CO2e 250 mg [100–1000]  \
///      US-CAL-CISO (provider)  tier D  trace 4bf92f35"
/// );
/// ```
#[must_use]
pub fn line(receipt: &Receipt) -> String {
    let name = |text: &str| fit(&clean(text), NAME);
    let mut parts = vec![receipt.service.as_deref().map_or_else(|| "–".to_owned(), name), name(&receipt.name)];
    parts.extend(receipt.model.as_deref().map(name));
    if receipt.status != "ok" {
        parts.push(reason(&receipt.status));
    }
    if let (Some(input), Some(output)) = (receipt.input_tokens, receipt.output_tokens) {
        parts.push(format!("{}/{} tokens", count(input), count(output)));
    }
    parts.extend(receipt.energy_wh.map(|range| energy(range.value)));
    parts.extend(receipt.co2e_g.map(|range| format!("CO2e {}", mass_range(range))));
    parts.extend(receipt.grid_zone.as_deref().map(|zone| match receipt.grid_basis.as_deref() {
        Some(basis) => format!("{} ({})", name(zone), name(basis)),
        None => name(zone),
    }));
    parts.extend(receipt.tier.as_deref().map(|tier| format!("tier {}", name(tier))));
    parts.push(format!("trace {}", receipt.trace_id.get(..TRACE_DIGITS).unwrap_or(&receipt.trace_id)));
    parts.join(GAP)
}

/// [`line()`], then every key of the receipt on a line of its own, without the last line feed.
#[must_use]
pub fn detail(receipt: &Receipt) -> String {
    let key = |(key, value): &(String, String)| format!("\n    {} = {}", clean(key), clean(value));
    line(receipt) + &receipt.keys.iter().map(key).collect::<String>()
}

/// A status with what it means.
fn reason(status: &str) -> String {
    let meaning = match status {
        "unknown_model" => "no factor for its model",
        "no_model" => "no model named",
        "no_tokens" => "no usage reported",
        "error" => "failed without usage",
        "aggregate" => "repeats its children",
        "duplicate" => "another report of a call",
        "repriced" => "the value of a call reported before",
        other => return fit(&clean(other), NAME),
    };
    format!("{status}: {meaning}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Range;

    fn receipt(status: &str) -> Receipt {
        Receipt {
            trace_id: "4bf92f3577b34da6a3ce929d0e0e4736".to_owned(),
            name: "chat".to_owned(),
            status: status.to_owned(),
            ..Receipt::default()
        }
    }

    #[test]
    fn a_receipt_without_a_value_says_why() {
        let unknown = Receipt { input_tokens: Some(7), output_tokens: Some(0), ..receipt("unknown_model") };
        assert_eq!(line(&unknown), "–  chat  unknown_model: no factor for its model  7/0 tokens  trace 4bf92f35");
        assert_eq!(line(&receipt("aggregate")), "–  chat  aggregate: repeats its children  trace 4bf92f35");
    }

    #[test]
    fn a_value_without_a_range_stands_alone() {
        let co2e_g = Some(Range { low: None, value: 0.25, high: None });
        assert_eq!(line(&Receipt { co2e_g, ..receipt("ok") }), "–  chat  CO2e 250 mg  trace 4bf92f35");
    }

    #[test]
    fn names_stay_on_the_line_and_within_reason() {
        let long = Receipt { service: Some("s\n".repeat(100)), trace_id: "é".to_owned(), ..receipt("x\u{1b}") };
        let text = line(&long);
        assert_eq!(text.lines().count(), 1);
        assert_eq!(text, format!("{}s…  chat  x\u{fffd}  trace é", "s\u{fffd}".repeat(19)));
    }

    #[test]
    fn detail_has_every_key() {
        let keys =
            vec![("gramtrace.status".to_owned(), "ok".to_owned()), ("gramtrace.pue".to_owned(), "1.1".to_owned())];
        let text = detail(&Receipt { keys, ..receipt("ok") });
        assert_eq!(text, "–  chat  trace 4bf92f35\n    gramtrace.status = ok\n    gramtrace.pue = 1.1");
    }
}
