//! Model names as they arrive, freed of what platforms, routers and exporters put around them. Only ever takes known
//! pieces off the ends, never looks inside and adds nothing, so what is left is a slice of what came.
//! Knows no models: whether something is left that means one is for the index to say.

use super::any_case::strip_prefix;

/// Longer names mean no model.
const MAX_BYTES: usize = 256;

/// A name with its packing taken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CleanName<'n> {
    /// What is left; empty where the packing holds no model name (an opaque ARN).
    pub(super) text: &'n str,
    /// What was taken off.
    pub(super) packing: Packing,
    /// The maker that the packing names; the model must be of that maker.
    pub(super) maker: Option<&'n str>,
    /// The first router in front that is more than a gateway to others.
    pub(super) router: Option<&'n str>,
    /// A cloud region or an area such as `eu`, where the packing names one.
    pub(super) region: Option<&'n str>,
}

/// What stood around a name, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Packing {
    /// Nothing.
    Bare,
    /// A tag of the maker's own: a fine-tune, a context length.
    Tagged,
    /// The id of a platform or router.
    Platform,
}

/// First segments of `router/model`. A list, since `organisation/model` is somebody's model on a hub.
const ROUTERS: &[&str] = &[
    "openai",
    "anthropic",
    "azure",
    "azure_ai",
    "bedrock",
    "bedrock_converse",
    "vertex_ai",
    "gemini",
    "google",
    "google_genai",
    "mistral",
    "mistralai",
    "cohere",
    "cohere_chat",
    "openrouter",
    "litellm",
    "litellm_proxy",
    "huggingface",
    "together_ai",
    "groq",
    "deepinfra",
    "fireworks_ai",
    "vercel_ai_gateway",
    "github",
    "github_copilot",
];

/// Routers that say nothing of who is called.
const GATEWAYS: &[&str] = &["openrouter", "litellm", "litellm_proxy", "vercel_ai_gateway", "github", "github_copilot"];

/// Second segments that routers put between themselves and the model, besides regions.
const ROUTES: &[&str] =
    &["converse", "converse_like", "invoke", "global", "global-standard", "eu", "us", "apac", "us-gov", "responses"];

/// Makers in Bedrock's ids, with our name for each.
const BEDROCK_MAKERS: &[(&str, &str)] = &[
    ("ai21", "ai21"),
    ("amazon", "amazon"),
    ("anthropic", "anthropic"),
    ("cohere", "cohere"),
    ("deepseek", "deepseek"),
    ("google", "google"),
    ("luma", "luma"),
    ("meta", "meta"),
    ("minimax", "minimax"),
    ("mistral", "mistral"),
    ("moonshot", "moonshot"),
    ("moonshotai", "moonshot"),
    ("nvidia", "nvidia"),
    ("openai", "openai"),
    ("qwen", "qwen"),
    ("stability", "stability"),
    ("twelvelabs", "twelvelabs"),
    ("writer", "writer"),
    ("zai", "zai"),
];

/// Areas in front of Bedrock's inference profiles.
const AREAS: &[&str] = &["us", "eu", "apac", "global", "us-gov", "jp", "au", "ca"];

/// Variants that routers append after a colon.
const VARIANTS: &[&str] = &["free", "nitro", "floor", "online", "extended", "exacto", "beta", "thinking"];

/// Versions that Vertex appends after an at sign, besides dates.
const VERTEX_VERSIONS: &[&str] = &["default", "latest"];

/// The cloud region, or an area such as `eu`, that a model's name carries: in an ARN, a Vertex resource name, a
/// router's path or the prefix of an inference profile. Also where the name means no known model.
#[must_use]
pub fn region_hint(name: &str) -> Option<&str> {
    clean(bare(name)?).region
}

/// The name without white space and quotes around it; `None` where it is empty or too long to mean anything.
pub(super) fn bare(name: &str) -> Option<&str> {
    if name.len() > 4 * MAX_BYTES {
        return None;
    }
    let mut text = name.trim();
    // JSON in JSON: quotes around escaped quotes.
    for quotes in ["\"", "\\\"", "'", "`"] {
        if let Some(inner) = text.strip_prefix(quotes).and_then(|rest| rest.strip_suffix(quotes)) {
            text = inner.trim();
        }
    }
    if text.is_empty() || text.len() > MAX_BYTES { None } else { Some(text) }
}

/// Takes the packing off.
pub(super) fn clean(text: &str) -> CleanName<'_> {
    let mut name = CleanName { text, packing: Packing::Bare, maker: None, router: None, region: None };
    // Packings nest (`bedrock/arn:..`), but each head names another thing: there are never more than a few.
    for _ in 0..6 {
        if !strip_head(&mut name) {
            break;
        }
    }
    for _ in 0..4 {
        if !strip_tail(&mut name) {
            break;
        }
    }
    name
}

fn strip_head(name: &mut CleanName<'_>) -> bool {
    strip_arn(name)
        || strip_vertex_resource(name)
        || strip_fine_tune(name)
        || strip_router(name)
        || strip_bedrock_maker(name)
}

/// `arn:aws:bedrock:REGION:ACCOUNT:KIND/ID`: foundation models and system profiles name their model, all else is
/// opaque.
fn strip_arn(name: &mut CleanName<'_>) -> bool {
    let mut parts = name.text.splitn(6, ':');
    if !parts.next().is_some_and(|scheme| scheme.eq_ignore_ascii_case("arn")) {
        return false;
    }
    let (Some(_), Some(service), Some(region), Some(_), Some(resource)) =
        (parts.next(), parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return false;
    };
    let id = match resource.split_once('/') {
        Some(("foundation-model" | "inference-profile", id)) if service == "bedrock" => id,
        _ => "",
    };
    *name = CleanName { text: id, packing: Packing::Platform, region: non_empty(region).or(name.region), ..*name };
    true
}

/// `projects/../locations/REGION/publishers/../models/ID`, `publishers/../models/ID` and `models/ID`.
fn strip_vertex_resource(name: &mut CleanName<'_>) -> bool {
    let mut region = name.region;
    let mut rest = name.text;
    if let Some(project) = strip_prefix(rest, "projects/") {
        let Some((_, location)) = project.split_once("/locations/") else { return false };
        let (place, path) = location.split_once('/').unwrap_or((location, ""));
        region = region.or(non_empty(place));
        rest = path;
    }
    let id = if let Some(publisher) = strip_prefix(rest, "publishers/") {
        publisher.split_once("/models/").map(|(_, id)| id)
    } else if region == name.region {
        strip_prefix(rest, "models/")
    } else {
        // A model or endpoint of the project's own: its id says nothing.
        Some("")
    };
    let Some(id) = id else { return false };
    *name = CleanName { text: id, packing: Packing::Platform, region, ..*name };
    true
}

/// OpenAI's `ft:BASE:organisation:suffix:id`.
fn strip_fine_tune(name: &mut CleanName<'_>) -> bool {
    let Some(rest) = strip_prefix(name.text, "ft:") else { return false };
    name.text = rest.split(':').next().unwrap_or_default();
    name.packing = name.packing.max(Packing::Tagged);
    true
}

/// `router/model`, `router/region/model` and `router/route/model`.
fn strip_router(name: &mut CleanName<'_>) -> bool {
    let Some((router, mut rest)) = name.text.split_once('/') else { return false };
    if rest.is_empty() || !is_any(router, ROUTERS) {
        return false;
    }
    if let Some((segment, model)) = rest.split_once('/')
        && !model.is_empty()
        && (is_any(segment, ROUTES) || is_region_shaped(segment))
    {
        if is_any(segment, AREAS) || is_region_shaped(segment) {
            name.region = name.region.or(Some(segment));
        }
        rest = model;
    }
    name.router = name.router.or(if is_any(router, GATEWAYS) { None } else { Some(router) });
    name.text = rest;
    name.packing = Packing::Platform;
    true
}

/// `area.maker.model` and `maker.model`.
fn strip_bedrock_maker(name: &mut CleanName<'_>) -> bool {
    if name.maker.is_some() {
        return false;
    }
    let Some((mut head, mut rest)) = name.text.split_once('.') else { return false };
    let mut area = None;
    if is_any(head, AREAS) {
        area = Some(head);
        let Some((maker, model)) = rest.split_once('.') else { return false };
        (head, rest) = (maker, model);
    }
    let Some((_, maker)) = BEDROCK_MAKERS.iter().find(|(prefix, _)| prefix.eq_ignore_ascii_case(head)) else {
        return false;
    };
    // An ARN's region is more than an area.
    *name =
        CleanName { text: rest, packing: Packing::Platform, maker: Some(maker), region: name.region.or(area), ..*name };
    true
}

fn strip_tail(name: &mut CleanName<'_>) -> bool {
    if let Some(rest) = without_context_tag(name.text) {
        name.text = rest;
        name.packing = name.packing.max(Packing::Tagged);
        return true;
    }
    let rest = without_bedrock_version(name.text, name.maker.is_some())
        .or_else(|| without_vertex_version(name.text))
        .or_else(|| without_variant(name.text));
    let Some(rest) = rest else { return false };
    name.text = rest;
    name.packing = Packing::Platform;
    true
}

/// `model[1m]`: the context length that a client asked for.
fn without_context_tag(text: &str) -> Option<&str> {
    let (rest, tag) = text.strip_suffix(']')?.rsplit_once('[')?;
    let is_length = tag.len() <= 6 && has_unit(tag, &['k', 'm']);
    if is_length { non_empty(rest) } else { None }
}

/// `model-vN:M`, `model-vN:M:200k`, and after a maker's prefix `model-vN` and `model-N:M`.
fn without_bedrock_version(text: &str, after_maker: bool) -> Option<&str> {
    let text = match text.rsplit_once(':') {
        Some((rest, context)) if rest.contains(':') && (has_unit(context, &['k']) || context == "mm") => rest,
        _ => text,
    };
    let (versioned, has_minor) = match text.rsplit_once(':') {
        Some((rest, minor)) if is_number(minor) => (rest, true),
        _ => (text, false),
    };
    let (rest, version) = versioned.rsplit_once('-')?;
    let is_version = match version.strip_prefix(['v', 'V']) {
        Some(number) => is_number(number) && (has_minor || after_maker),
        None => is_number(version) && has_minor && after_maker,
    };
    if is_version { non_empty(rest) } else { None }
}

/// `model@20251001`, `model@001`, `model@default`.
fn without_vertex_version(text: &str) -> Option<&str> {
    let (rest, version) = text.rsplit_once('@')?;
    // `@2405` tells versions of one line apart: it is no date to drop.
    let is_version = matches!(version.len(), 3 | 8) && is_number(version) || is_any(version, VERTEX_VERSIONS);
    if is_version { non_empty(rest) } else { None }
}

/// `model:free`.
fn without_variant(text: &str) -> Option<&str> {
    let (rest, variant) = text.rsplit_once(':')?;
    if is_any(variant, VARIANTS) { non_empty(rest) } else { None }
}

/// `eu-west-1`: lower-case words and a digit, joined by dashes. The table says whether it is one.
fn is_region_shaped(text: &str) -> bool {
    let Some((words, digit)) = text.rsplit_once('-') else { return false };
    words.contains('-')
        && is_number(digit)
        && digit.len() <= 2
        && words.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
}

fn has_unit(text: &str, units: &[char]) -> bool {
    text.strip_suffix(|last: char| units.contains(&last.to_ascii_lowercase())).is_some_and(is_number)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_any(text: &str, list: &[&str]) -> bool {
    list.iter().any(|entry| entry.eq_ignore_ascii_case(text))
}

fn non_empty(text: &str) -> Option<&str> {
    if text.is_empty() { None } else { Some(text) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn packing_is_taken_off_and_told() {
        use Packing::{Bare, Platform, Tagged};
        for (name, text, packing, region) in [
            ("gpt-4o", "gpt-4o", Bare, None),
            ("ft:gpt-4o-mini-2024-07-18:my-org:suffix:id", "gpt-4o-mini-2024-07-18", Tagged, None),
            ("claude-sonnet-4-5-20250929[1m]", "claude-sonnet-4-5-20250929", Tagged, None),
            ("models/gemini-2.5-flash", "gemini-2.5-flash", Platform, None),
            ("publishers/google/models/gemini-2.5-flash", "gemini-2.5-flash", Platform, None),
            (
                "projects/p/locations/europe-west4/publishers/google/models/gemini-2.5-pro",
                "gemini-2.5-pro",
                Platform,
                Some("europe-west4"),
            ),
            ("projects/p/locations/europe-west4/endpoints/123", "", Platform, Some("europe-west4")),
            ("openai/gpt-4o-mini", "gpt-4o-mini", Platform, None),
            ("openrouter/anthropic/claude-sonnet-4-6:free", "claude-sonnet-4-6", Platform, None),
            ("azure/eu/gpt-4o-2024-08-06", "gpt-4o-2024-08-06", Platform, Some("eu")),
            ("azure/global/gpt-4o", "gpt-4o", Platform, Some("global")),
            ("bedrock/us-east-1/anthropic.claude-opus-4-6-v1", "claude-opus-4-6", Platform, Some("us-east-1")),
            ("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "claude-sonnet-4-5-20250929", Platform, Some("eu")),
            ("anthropic.claude-3-5-sonnet-20240620-v1:0:200k", "claude-3-5-sonnet-20240620", Platform, None),
            ("openai.gpt-oss-120b-1:0", "gpt-oss-120b", Platform, None),
            ("claude-haiku-4-5@20251001", "claude-haiku-4-5", Platform, None),
            ("claude-opus-5@default", "claude-opus-5", Platform, None),
            (
                "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
                "claude-sonnet-4-5-20250929",
                Platform,
                Some("eu-west-1"),
            ),
            (
                "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abcd1234",
                "",
                Platform,
                Some("us-east-1"),
            ),
        ] {
            let cleaned = clean(name);
            assert_eq!((cleaned.text, cleaned.packing, cleaned.region), (text, packing, region), "{name}");
        }
    }

    #[test]
    fn what_is_no_packing_stays() {
        for name in [
            "meta-llama/Meta-Llama-3.1-8B-Instruct",
            "someone/gpt-4o",
            "@cf/meta/llama-3.1-8b-instruct",
            "llama3.1:8b",
            "deepseek-r1:7b",
            "gemini-2.5-flash",
            "mistralai.something-else/x",
            "codestral@2405",
            "model[beta]",
            "[1m]",
            "openai/",
        ] {
            assert_eq!(
                clean(name),
                CleanName { text: name, packing: Packing::Bare, maker: None, router: None, region: None }
            );
        }
    }

    #[test]
    fn quotes_are_no_part_of_a_name() {
        for name in ["\"gpt-4o\"", "'gpt-4o'", " \"gpt-4o\" ", "\\\"gpt-4o\\\"", "\"\\\"gpt-4o\\\"\""] {
            assert_eq!(bare(name), Some("gpt-4o"), "{name}");
        }
        assert_eq!(bare(" \"\" "), None);
        assert_eq!(bare(&"x".repeat(257)), None);
    }

    proptest! {
        #[test]
        fn any_name_is_cleaned_to_a_piece_of_itself(name in "\\PC{0,300}") {
            if let Some(text) = bare(&name) {
                prop_assert!(text.contains(clean(text).text));
            }
        }
    }
}
