//! Names and values of labels: what a value may look like, and how a set of them is told from others.
//! Values come from the network: they are cut and cleaned, whoever gives them.

use std::borrow::Cow;
use std::hash::BuildHasher as _;
use std::sync::Arc;

use smallvec::SmallVec;

use super::super::roll::OTHER;
use super::super::text::escape;
use crate::keyed::Keyed;

/// The labels that every series has.
pub(super) const FIXED: [&str; 5] = ["service", "provider", "model", "zone", "tier"];
/// The place of `tier`: a closed set, so that it stays where everything else is [`OTHER`].
const TIER: usize = 4;
/// A value that is not known.
const UNKNOWN: &str = "unknown";
/// The longest value, in bytes.
const LONGEST: usize = 128;

/// The values of one set of labels, in the order of a schema. Borrowed where they are as they are told: what is booked
/// has been booked before, nearly always.
pub(super) type Values<'a> = SmallVec<[Cow<'a, str>; FIXED.len() + 4]>;

/// The labels of one processor's series, with caps on their values; zones and tiers are closed sets.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Schema {
    /// Beside the fixed ones, in the order of their names, so that what is the same series to Prometheus is one here.
    pub(super) names: Arc<[Box<str>]>,
    /// For each of `names`, where its value stands in a booking.
    order: Vec<usize>,
    /// For each label, how many values are told apart; `None` for closed sets.
    pub(super) caps: Vec<Option<usize>>,
    pub(super) max_series: usize,
}

/// How many providers and models are told apart. Both are ids of the registry but where spans name a provider that it
/// does not know, or a model by its size.
const MAX_PROVIDERS: usize = 100;
const MAX_MODELS: usize = 1000;

impl Schema {
    pub(super) fn new(settings: &super::EmissionSettings) -> Self {
        let mut order: Vec<usize> = (0..settings.labels.len()).collect();
        order.sort_unstable_by_key(|&at| &settings.labels[at].0);
        let fixed = [Some(settings.max_services), Some(MAX_PROVIDERS), Some(MAX_MODELS), None, None];
        let chosen = order.iter().map(|&at| Some(settings.labels[at].1));
        Self {
            names: order.iter().map(|&at| settings.labels[at].0.as_str().into()).collect(),
            caps: fixed.into_iter().chain(chosen).collect(),
            order,
            max_series: settings.max_series,
        }
    }

    /// The name of the label at a place.
    pub(super) fn name(&self, place: usize) -> &str {
        FIXED
            .get(place)
            .copied()
            .or_else(|| self.names.get(place.checked_sub(FIXED.len())?).map(|name| &**name))
            .unwrap_or_default()
    }

    /// The values of a booking, cleaned, in the order of this schema.
    pub(super) fn values<'a>(&self, booking: &super::Booking<'a>) -> Values<'a> {
        let chosen = self.order.iter().map(|&at| booking.more_labels.get(at).map_or("", |value| &**value));
        booking.labels.into_iter().chain(chosen).map(cleaned).collect()
    }

    /// With what is many-valued folded away: services and configured labels, or everything but the tier.
    pub(super) fn folded<'a>(&self, values: &Values<'a>, everything: bool) -> Values<'a> {
        let folds = |place: usize| place != TIER && (everything || place == 0 || place >= FIXED.len());
        let fold = |(place, value): (usize, &Cow<'a, str>)| if folds(place) { OTHER.into() } else { value.clone() };
        values.iter().enumerate().map(fold).collect()
    }

    /// By which a set of labels is found: whoever sends values does not know which of them meet.
    pub(super) fn hash(&self, values: &Values<'_>) -> u64 {
        Keyed.hash_one((&*self.names, values.as_slice()))
    }

    /// `service="checkout",provider="openai",..`
    pub(super) fn rendered(&self, values: &Values<'_>) -> String {
        let mut text = String::with_capacity(160);
        for (place, value) in values.iter().enumerate() {
            if place > 0 {
                text.push(',');
            }
            text.push_str(self.name(place));
            text.push_str("=\"");
            escape(value, &mut text);
            text.push('"');
        }
        text
    }
}

/// Cut at a character's boundary, without control characters; [`UNKNOWN`] where nothing is left.
fn cleaned(value: &str) -> Cow<'_, str> {
    let value = value.trim();
    let end = value.floor_char_boundary(LONGEST);
    let value = value.get(..end).unwrap_or_default();
    if value.is_empty() {
        return UNKNOWN.into();
    }
    if value.contains(char::is_control) {
        return value
            .chars()
            .map(|it| if it.is_control() { char::REPLACEMENT_CHARACTER } else { it })
            .collect::<String>()
            .into();
    }
    value.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_cut_and_cleaned_and_never_empty() {
        assert_eq!(cleaned(" \n "), "unknown");
        assert_eq!(cleaned("a\u{1f}b\0c"), "a\u{fffd}b\u{fffd}c");
        assert_eq!(cleaned(&"é".repeat(100)), "é".repeat(64));
    }

    #[test]
    fn two_orders_of_the_same_labels_are_one_schema() {
        let schema = |labels: [&str; 2]| {
            let labels = labels.map(|name| (name.to_owned(), 10)).into();
            Schema::new(&super::super::EmissionSettings { labels, ..Default::default() })
        };
        let (one, other) = (schema(["team", "feature"]), schema(["feature", "team"]));
        assert_eq!(one.names, other.names);
        assert_eq!((one.name(5), one.name(6)), ("feature", "team"));
        assert_eq!((one.order, other.order), (vec![1, 0], vec![0, 1]));
    }
}
