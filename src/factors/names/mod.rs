//! Model names as they arrive, freed of what platforms, routers and exporters put around them. Only ever takes known
//! pieces off the ends, never looks inside and adds nothing, so what is left is a slice of what came.
//! Knows no models: whether something is left that means one is for the index to say.

mod lists;
mod size;
mod spelling;
mod tail;

use super::any_case::strip_prefix;
use lists::{
    AREAS, COLON_HEADS, DOTTED_MAKERS, GATEWAYS, ORGANISATIONS, OWN_MODELS, PLATFORM_HEADS, ROUTERS, ROUTES, TAG_WORDS,
};

pub(super) use size::{NamedSize, is_specific, size_in};
pub(super) use spelling::Spelling;
pub(super) use tail::{strip_serving, strip_tail};

/// Longer names mean no model.
pub(super) const MAX_BYTES: usize = 256;

/// A name with its packing taken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CleanName<'n> {
    /// What is left; empty where the packing holds no model name (an opaque ARN).
    pub(super) text: &'n str,
    /// What is left with the maker before a dot still before it, where there is one: `deepseek.r1`.
    pub(super) dotted: Option<&'n str>,
    /// What was taken off.
    pub(super) packing: Packing,
    /// The maker that the packing names; the model must be of that maker.
    pub(super) maker: Option<&'n str>,
    /// The maker that is the router in front; the model must be of that maker, too.
    pub(super) owner: Option<&'n str>,
    /// The first router in front that is more than a gateway to others.
    pub(super) router: Option<&'n str>,
    /// A cloud region or an area such as `eu`, where the packing names one.
    pub(super) region: Option<&'n str>,
    /// Whether a version's minor part was taken off, so that the major one is known to be a platform's.
    pub(super) has_minor: bool,
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

/// The cloud region, or an area such as `eu`, that a model's name carries: in an ARN, a Vertex resource name, a
/// router's path or the prefix of an inference profile. Also where the name means no known model.
#[must_use]
pub fn region_hint(name: &str) -> Option<&str> {
    clean(bare(name)?).region
}

/// Whether a word is that of somebody who serves or makes models.
pub(super) fn is_serving(word: &str) -> bool {
    serving().any(|known| known.eq_ignore_ascii_case(word))
}

/// The words of those who serve or make models.
pub(super) fn serving() -> impl Iterator<Item = &'static str> {
    let makers = DOTTED_MAKERS.iter().chain(ORGANISATIONS).map(|(word, _)| *word);
    ROUTERS.iter().copied().chain(makers)
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

/// Takes the packing off the front. What stands behind comes off step by step, with [`strip_tail`]: a version may be the
/// model's or the platform's.
pub(super) fn clean(text: &str) -> CleanName<'_> {
    let mut name = CleanName {
        text,
        dotted: None,
        packing: Packing::Bare,
        maker: None,
        owner: None,
        router: None,
        region: None,
        has_minor: false,
    };
    // Packings nest (`bedrock/arn:..`), but each head names another thing: there are never more than a few.
    for _ in 0..6 {
        if !strip_head(&mut name) {
            break;
        }
    }
    // Vertex's way of writing versions.
    if name.text.find('@').is_some_and(|at| at > 0) {
        name.packing = Packing::Platform;
    }
    name
}

/// `organisation/model` of an organisation whose maker is known: the maker and the model.
pub(super) fn of_organisation(text: &str) -> Option<(&'static str, &str)> {
    let (organisation, model) = text.split_once('/')?;
    let (_, maker) = ORGANISATIONS.iter().find(|(name, _)| name.eq_ignore_ascii_case(organisation))?;
    if model.is_empty() { None } else { Some((maker, model)) }
}

fn strip_head(name: &mut CleanName<'_>) -> bool {
    strip_arn(name)
        || strip_resource(name)
        || strip_fine_tune(name)
        || strip_router(name)
        || strip_colon_head(name)
        || strip_platform_head(name)
        || strip_dashed_maker(name)
        || strip_dotted_maker(name)
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

/// `projects/../locations/REGION/publishers/../models/ID`, `publishers/../models/ID`, `models/ID`, and
/// `accounts/fireworks/models/ID`; also without the slash that SDKs lose.
fn strip_resource(name: &mut CleanName<'_>) -> bool {
    let mut region = name.region;
    let mut rest = name.text.strip_prefix('/').unwrap_or(name.text);
    if let Some(account) = strip_prefix(rest, "accounts/") {
        let id = ["models/", "routers/"].into_iter().find_map(|kind| {
            account
                .split_once('/')
                .filter(|(owner, _)| *owner == "fireworks")
                .and_then(|(_, path)| strip_prefix(path, kind))
        });
        // A model or deployment of an account's own says nothing.
        *name = CleanName { text: id.unwrap_or_default(), packing: Packing::Platform, ..*name };
        return true;
    }
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

/// `router/model`, `router/region/model` and `router/route/model`, also with several of them; and routes alone, as in
/// `@cf/meta/model`, and the class of service before a hub's name, as in `Pro/deepseek-ai/model`.
fn strip_router(name: &mut CleanName<'_>) -> bool {
    if let Some(rest) = strip_prefix(name.text, "hf:").and_then(non_empty) {
        name.text = rest;
        name.packing = Packing::Platform;
        return true;
    }
    let Some((first, mut rest)) = name.text.split_once('/') else { return false };
    let is_hub_of_files = is_any(first, &["hf.co", "huggingface.co"]);
    let is_route = is_any(first, &["@cf", "@hf"]) || (first == "Pro" && of_organisation(rest).is_some());
    if rest.is_empty() || !(is_any(first, ROUTERS) || is_hub_of_files || is_route) {
        return false;
    }
    while let Some((segment, model)) = rest.split_once('/')
        && !model.is_empty()
        && (is_any(segment, ROUTES) || is_region_shaped(segment))
    {
        if is_any(segment, AREAS) || is_region_shaped(segment) {
            name.region = name.region.or(Some(segment));
        }
        rest = model;
    }
    let says_nothing = is_any(first, GATEWAYS) || is_hub_of_files || is_route;
    name.router = name.router.or(if says_nothing { None } else { Some(first) });
    name.owner = owner(first).or(name.owner);
    name.text = rest;
    name.packing = Packing::Platform;
    true
}

/// `framework's-provider:model`. Families of Ollama have some of the same words before their tags.
fn strip_colon_head(name: &mut CleanName<'_>) -> bool {
    let Some((head, rest)) = name.text.split_once(':') else { return false };
    let is_tag = !rest.starts_with(|first: char| first.is_ascii_alphabetic())
        || rest.split('-').next().is_some_and(|word| is_any(word, TAG_WORDS));
    if !is_any(head, COLON_HEADS) || is_tag {
        return false;
    }
    name.router = name.router.or(Some(head));
    name.owner = owner(head).or(name.owner);
    name.text = rest;
    name.packing = Packing::Platform;
    true
}

/// The maker that a router is, where it serves nobody else's models.
fn owner(router: &str) -> Option<&'static str> {
    OWN_MODELS.iter().find(|(known, _)| known.eq_ignore_ascii_case(router)).map(|(_, maker)| *maker)
}

/// `databricks-model` and the like.
fn strip_platform_head(name: &mut CleanName<'_>) -> bool {
    let is_of_router = |router: &Option<&str>| match router {
        None => true,
        Some(router) => name.router.is_some_and(|own| own.eq_ignore_ascii_case(router)),
    };
    let rest = PLATFORM_HEADS
        .iter()
        .filter(|(_, router)| is_of_router(router))
        .find_map(|(head, _)| non_empty(strip_prefix(name.text, head)?));
    let Some(rest) = rest else { return false };
    name.text = rest;
    name.packing = Packing::Platform;
    true
}

/// `maker--model`, as SAP writes it.
fn strip_dashed_maker(name: &mut CleanName<'_>) -> bool {
    let Some((head, rest)) = name.text.split_once("--") else { return false };
    let Some((_, maker)) = ORGANISATIONS.iter().find(|(known, _)| known.eq_ignore_ascii_case(head)) else {
        return false;
    };
    if rest.is_empty() || name.maker.is_some() {
        return false;
    }
    *name = CleanName { text: rest, packing: Packing::Platform, maker: Some(maker), ..*name };
    true
}

/// `area.maker.model` and `maker.model`.
fn strip_dotted_maker(name: &mut CleanName<'_>) -> bool {
    if name.maker.is_some() {
        return false;
    }
    let mut dotted = name.text;
    let Some((mut head, mut rest)) = dotted.split_once('.') else { return false };
    let mut area = None;
    if is_any(head, AREAS) {
        area = Some(head);
        dotted = rest;
        let Some((maker, model)) = rest.split_once('.') else { return false };
        (head, rest) = (maker, model);
    }
    let Some((_, maker)) = DOTTED_MAKERS.iter().find(|(prefix, _)| prefix.eq_ignore_ascii_case(head)) else {
        return false;
    };
    // An ARN's region is more than an area.
    *name = CleanName {
        text: rest,
        dotted: Some(dotted),
        packing: Packing::Platform,
        maker: Some(maker),
        region: name.region.or(area),
        ..*name
    };
    true
}

/// `eu-west-1`: lower-case words and a digit, joined by dashes. The table says whether it is one.
fn is_region_shaped(text: &str) -> bool {
    let Some((words, digit)) = text.rsplit_once('-') else { return false };
    words.contains('-')
        && is_number(digit)
        && digit.len() <= 2
        && words.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
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

    /// Everything off the front, and then off the end.
    fn stripped(name: &str) -> CleanName<'_> {
        let mut cleaned = clean(name);
        while strip_tail(&mut cleaned) {}
        cleaned
    }

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
            ("@cf/meta/llama-3.1-8b-instruct", "meta/llama-3.1-8b-instruct", Platform, None),
            ("workers-ai/@cf/meta/llama-3.1-8b-instruct", "meta/llama-3.1-8b-instruct", Platform, None),
            ("hf:moonshotai/Kimi-K2.6", "moonshotai/Kimi-K2.6", Platform, None),
            ("Pro/deepseek-ai/DeepSeek-R1", "deepseek-ai/DeepSeek-R1", Platform, None),
            ("anthropic--claude-4.5-sonnet", "claude-4.5-sonnet", Platform, None),
            ("hf.co/some/Model-7B-GGUF:Q4_K_M", "some/Model-7B-GGUF:Q4_K_M", Platform, None),
            ("accounts/fireworks/models/llama-v3p1-8b-instruct", "llama-v3p1-8b-instruct", Platform, None),
            ("accounts/mine/models/llama-v3p1-8b-instruct", "", Platform, None),
            ("bedrock/us-east-1/1-month-commitment/anthropic.claude-v2:1", "claude", Platform, Some("us-east-1")),
            ("databricks/databricks-claude-sonnet-4", "claude-sonnet-4", Platform, None),
            ("claude-haiku-4-5@20251001", "claude-haiku-4-5", Platform, None),
            ("google-gla:gemini-2.5-flash", "gemini-2.5-flash", Platform, None),
            ("openrouter:anthropic/claude-sonnet-4-5", "claude-sonnet-4-5", Platform, None),
            (
                "mistralai/mixtral-8x7b-instruct-v0.1:7b3212fbaf88310cfef07a061ce94224e82efc8403c26fc67e8f6c065de51f21",
                "mixtral-8x7b-instruct-v0.1",
                Platform,
                None,
            ),
            ("codestral@2405", "codestral@2405", Platform, None),
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
            let cleaned = stripped(name);
            assert_eq!((cleaned.text, cleaned.packing, cleaned.region), (text, packing, region), "{name}");
        }
    }

    #[test]
    fn what_is_no_packing_stays() {
        for name in [
            "meta-llama/Meta-Llama-3.1-8B-Instruct",
            "someone/gpt-4o",
            "llama3.1:8b",
            "deepseek-r1:7b",
            "mistral:7b-instruct",
            "mistral:instruct-q4_0",
            "somebody:gpt-4o",
            "gemini-2.5-flash",
            "mistralai.something-else/x",
            "Pro/gpt-4o",
            "someone--gpt-4o",
            "anthropic--",
            "model[beta]",
            "[1m]",
            "openai/",
        ] {
            let cleaned = stripped(name);
            assert_eq!((cleaned.text, cleaned.packing, cleaned.region), (name, Packing::Bare, None), "{name}");
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
                prop_assert!(text.contains(stripped(text).text));
            }
        }
    }
}
