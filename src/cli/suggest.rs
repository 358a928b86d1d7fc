//! Which name somebody may have meant.
//! Never used instead of what was written: only told.

use super::question::shortened;
use crate::factors::Registry;

/// How alike two names must be, of 1.
const ALIKE: f64 = 0.86;

/// How many names are told.
const MOST: usize = 3;

/// Longer texts are no slips.
const LONGEST: usize = 80;

/// The names most like one, best first.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    if name.len() > LONGEST {
        return Vec::new();
    }
    let name = name.to_ascii_lowercase();
    let score = |other: &str| {
        let own = other.split_once('/').map_or(other, |(_, own)| own);
        strsim::jaro_winkler(&name, &other.to_ascii_lowercase())
            .max(strsim::jaro_winkler(&name, &own.to_ascii_lowercase()))
    };
    let mut scored: Vec<(f64, &str)> =
        known.map(|other| (score(other), other)).filter(|(score, _)| *score >= ALIKE).collect();
    scored.sort_by(|(one, one_name), (other, other_name)| other.total_cmp(one).then_with(|| one_name.cmp(other_name)));
    scored.dedup_by_key(|(_, name)| *name);
    scored.truncate(MOST);
    scored.into_iter().map(|(_, name)| name).collect()
}

/// `; did you mean ..?`, or what to write instead.
fn advice(names: &[&str], otherwise: &str) -> String {
    match names {
        [] => format!("; {otherwise}"),
        [only] => format!("; did you mean `{only}`?"),
        [first @ .., last] => {
            let first: Vec<String> = first.iter().map(|name| format!("`{name}`")).collect();
            format!("; did you mean {} or `{last}`?", first.join(", "))
        }
    }
}

/// What follows a model that nobody has.
pub(super) fn models(registry: &Registry, name: &str) -> String {
    let ids = registry.models().map(|(_, model)| model.id());
    advice(&nearest(name, ids), "`gramtrace factors list` has those that are known")
}

/// What follows a name that one provider does not have, of those that it has.
pub(super) fn among<'a>(name: &str, known: impl Iterator<Item = &'a str>, otherwise: &str) -> String {
    advice(&nearest(name, known), otherwise)
}

/// What to say about a provider that is one who is known but for a slip of the hand. Who is like nobody that is known may
/// be anybody.
pub(super) fn provider(registry: &Registry, name: &str) -> Option<String> {
    let name = name.trim();
    if name.len() > LONGEST || registry.knows_provider(name) {
        return None;
    }
    let whole = name.to_lowercase();
    let first = whole.split('.').next().unwrap_or_default();
    let distance = |known: &str| {
        let slips = |text: &str| match text.len().min(known.len()) {
            0..5 => None,
            length => Some(strsim::osa_distance(text, known)).filter(|slips| *slips <= if length < 8 { 1 } else { 2 }),
        };
        slips(&whole).into_iter().chain(slips(first)).min()
    };
    let mut near: Vec<(usize, &str)> =
        registry.providers().filter_map(|known| Some((distance(known)?, known))).collect();
    near.sort_unstable();
    near.dedup();
    let fewest = near.first()?.0;
    let names: Vec<&str> =
        near.iter().filter(|(slips, _)| *slips == fewest).map(|(_, known)| *known).take(MOST).collect();
    Some(format!("there is no provider `{}`{}", shortened(name), advice(&names, "")))
}

/// What follows a cloud region that nobody has.
pub(super) fn regions(registry: &Registry, region: &str) -> String {
    advice(&nearest(region, registry.regions()), "write one of AWS, Azure or Google, or the grid's zone as `zone`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_find_what_was_meant() {
        let registry = Registry::builtin().unwrap();
        assert!(models(&registry, "gpt-4o-mni").contains("`openai/gpt-4o-mini`"));
        assert!(models(&registry, "openai/gtp-4o").contains("`openai/gpt-4o`"));
        assert!(regions(&registry, "eu-wst-1").contains("`eu-west-1`"));
        for (name, meant) in [("openia", "openai"), ("Antropic.messages", "anthropic"), ("azuer", "azure")] {
            let told = provider(&registry, name).unwrap();
            assert!(told.ends_with(&format!("did you mean `{meant}`?")), "{told}");
        }
    }

    #[test]
    fn what_is_like_nothing_is_told_what_to_do() {
        let registry = Registry::builtin().unwrap();
        for name in [
            "",
            "openai",
            "OpenAI.chat",
            "azure.ai.inference",
            "my-gateway",
            "kyma",
            "xai",
            "zai",
            "vertex_ai-llama_models",
        ] {
            assert_eq!(provider(&registry, name), None, "{name}");
        }
        assert!(models(&registry, &"x".repeat(200)).contains("factors list"));
    }
}
