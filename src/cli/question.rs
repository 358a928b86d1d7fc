//! One model call as somebody asks about it, and the answer: which model and place that means to a method, and what it
//! took. What cannot be answered says why and what to write instead.

use crate::estimate::{Estimate, Metered, Method, ModelCall};
use crate::factors::{
    Basis, Deployment, LookupError, Match, ModelId, Moment, Place, PlaceQuery, Provider, Registry, Resolution,
    region_hint,
};
use crate::units::{TokenUsage, Tokens};

use super::suggest;

/// More tokens than any call has.
const MOST_TOKENS: u64 = 1_000_000_000_000;

/// What is asked, but for the tokens.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Question<'q> {
    pub(super) provider: &'q str,
    pub(super) model: &'q str,
    /// The grid's zone; empty for that of the region, or the provider's.
    pub(super) zone: &'q str,
    /// The cloud region; empty where none is known.
    pub(super) region: &'q str,
    pub(super) at: Option<Moment>,
}

/// What a question means: the same for any number of tokens.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Target {
    pub(super) model: Option<ModelId>,
    pub(super) matched: Match,
    pub(super) place: Place,
    pub(super) metered: Option<Metered>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Trouble {
    /// The value of `status`.
    pub(super) status: &'static str,
    pub(super) message: String,
    /// The model that was found all the same.
    pub(super) known: Option<(ModelId, Match)>,
}

/// Who answers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answerer<'r> {
    pub(super) registry: &'r Registry,
    pub(super) method: Method,
    /// Whether names that somebody may have meant are looked for.
    pub(super) suggests: bool,
    /// Whether EcoLogits' table is asked for exactly its names, as the package itself is.
    pub(super) is_strict: bool,
}

impl Trouble {
    pub(super) fn error(message: impl Into<String>) -> Self {
        Self { status: "error", message: message.into(), known: None }
    }

    fn unknown(message: String) -> Self {
        Self { status: "unknown_model", message, known: None }
    }
}

impl Answerer<'_> {
    /// What a question means.
    pub(super) fn aim(&self, question: &Question<'_>) -> Result<Target, Trouble> {
        if question.model.trim().is_empty() {
            return Err(Trouble { status: "no_model", message: "no model; write its name".to_owned(), known: None });
        }
        if !(self.is_strict && self.method == Method::EcoLogits)
            && let Some(message) = suggest::provider(self.registry, question.provider)
        {
            return Err(Trouble::error(message));
        }
        let deployment = self.registry.deployment(question.model);
        let found = self.found(question, deployment)?;
        let place = self.place(question, deployment, found.as_ref())?;
        let metered = deployment.and_then(Deployment::energy).copied().map(Metered::Deployment);
        let matched = found.map_or(Match::DeploymentMap, |found| found.matched);
        Ok(Target { model: found.map(|found| found.model), matched, place, metered })
    }

    /// What so many tokens took there.
    pub(super) fn estimate(
        &self,
        target: &Target,
        usage: TokenUsage,
        duration_s: Option<f64>,
    ) -> Result<(ModelCall, Estimate), Trouble> {
        let Target { model, place, metered, .. } = *target;
        let call = ModelCall { model, place, usage, duration_s, metered };
        match self.method.estimate(self.registry, &call) {
            Some(estimate) => Ok((call, estimate)),
            None => Err(self.without_factor(target)),
        }
    }

    fn found<'q>(
        &self,
        question: &Question<'q>,
        deployment: Option<&Deployment>,
    ) -> Result<Option<Resolution<'q>>, Trouble> {
        if let Some(deployment) = deployment {
            let model = self.method.deployed(deployment);
            let region_hint = region_hint(question.model);
            return Ok(model.map(|model| Resolution { model, matched: Match::DeploymentMap, region_hint }));
        }
        let found = match self.method {
            Method::EcoLogits if self.is_strict => {
                let strict = self.registry.ecologits(question.provider, question.model);
                Some(strict.map_err(|error| self.not_at_ecologits(question, &error))?)
            }
            Method::PhaseAware | Method::EcoLogits | Method::Tracker => {
                let provider = Some(question.provider).filter(|provider| !provider.is_empty());
                self.method.resolve(self.registry, question.model, provider, question.at)
            }
        };
        found.map(Some).ok_or_else(|| self.unknown_model(question))
    }

    fn unknown_model(&self, question: &Question<'_>) -> Trouble {
        let what = format!("there is no model `{}`", shortened(question.model));
        if !self.suggests {
            return Trouble::unknown(what);
        }
        let advice = match self.method {
            Method::Tracker => {
                let rows = self.registry.models().map(|(_, model)| model);
                let names = rows.filter(|model| model.row().is_some_and(|row| row.starts_with("tracker/")));
                let known: Vec<&str> = names.map(crate::factors::Model::name).collect();
                let all = format!("this method has {} alone, by exactly these names", known.join(", "));
                suggest::among(question.model, known.iter().copied(), &all)
            }
            Method::PhaseAware | Method::EcoLogits => suggest::models(self.registry, question.model),
        };
        Trouble::unknown(what + &advice)
    }

    /// EcoLogits has models under providers, by exactly its names for both.
    fn not_at_ecologits(&self, question: &Question<'_>, error: &LookupError) -> Trouble {
        if !self.suggests {
            return Trouble::unknown(error.to_string());
        }
        let providers = Provider::ALL.map(Provider::name);
        if question.provider.trim().is_empty() {
            let providers = providers.join(", ");
            let name = shortened(question.model);
            let message =
                format!("no provider for `{name}`; write `provider`: this method has the providers {providers}");
            return Trouble::unknown(message);
        }
        let advice = match Provider::from_name(question.provider) {
            None => {
                let all = format!("this method has the providers {}", providers.join(", "));
                suggest::among(question.provider, providers.into_iter(), &all)
            }
            Some(provider) => {
                let models = self.registry.models().map(|(_, model)| model);
                let names = models.filter(|model| model.provider() == Some(provider)).map(crate::factors::Model::name);
                suggest::among(question.model, names, "`gramtrace factors list` has those that are known")
            }
        };
        Trouble::unknown(format!("{error}{advice}"))
    }

    fn without_factor(&self, target: &Target) -> Trouble {
        let id = target.model.and_then(|id| self.registry.model(id)).map_or("this deployment", |model| model.id());
        Trouble {
            status: "unknown_model",
            message: format!(
                "`{id}` is known by name alone: {} has no factor for it; write one in a registry file, see \
                 config/factors/README.md",
                self.method.id()
            ),
            known: target.model.map(|model| (model, target.matched)),
        }
    }

    fn place(
        &self,
        question: &Question<'_>,
        deployment: Option<&Deployment>,
        found: Option<&Resolution<'_>>,
    ) -> Result<Place, Trouble> {
        let named = |text: &'_ str| !text.trim().is_empty();
        if named(question.region) && self.registry.zone_of_region(question.region).is_none() {
            let region = question.region;
            let advice = suggest::regions(self.registry, region);
            return Err(Trouble::error(format!("there is no cloud region `{}`{advice}", shortened(region))));
        }
        let query = PlaceQuery {
            provider: Some(question.provider).filter(|provider| named(provider)),
            model: found.map(|found| found.model),
            site: deployment.and_then(Deployment::site),
            span_region: Some(question.region).filter(|region| named(region)),
            server_address: None,
            region_hint: found.and_then(|found| found.region_hint),
            at: question.at,
        };
        if !named(question.zone) {
            return Ok(self.registry.place(&query));
        }
        let zone = match self.method {
            Method::EcoLogits if self.is_strict => self.registry.ecologits_zone(question.zone).map_err(|error| {
                let is_elsewhere = self.registry.zone_by_code(question.zone).is_some();
                let advice = if is_elsewhere {
                    "; this method has countries, by their three letters".to_owned()
                } else {
                    self.registry.zone_advice(question.zone)
                };
                Trouble::error(format!("{error}{advice}"))
            })?,
            Method::PhaseAware | Method::EcoLogits | Method::Tracker => {
                let known = self.registry.zone_by_code(question.zone);
                known.ok_or_else(|| Trouble::error(self.registry.unknown_zone(question.zone)))?
            }
        };
        Ok(Place { basis: Basis::Configured, ..self.registry.place_in(&query, zone) })
    }
}

/// The start of what somebody wrote, without what would move a terminal's cursor.
pub(super) fn shortened(text: &str) -> String {
    const MOST: usize = 60;
    let clean = crate::trace::clean(text);
    if clean.chars().count() <= MOST { clean } else { clean.chars().take(MOST).chain(['…']).collect() }
}

/// A count of tokens as it is written: a whole number, also as `500.0`.
///
/// # Errors
/// What is wrong with it and what to write.
pub(super) fn tokens(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let whole = match text.split_once('.') {
        Some((whole, part)) if !part.is_empty() && part.bytes().all(|byte| byte == b'0') => whole,
        _ => text,
    };
    if let Some(number) = whole.strip_prefix('-')
        && number.bytes().all(|byte| byte.is_ascii_digit())
    {
        return Err(format!("{} tokens are fewer than none; write a whole number from 0", shortened(text)));
    }
    let digits = !whole.is_empty() && whole.bytes().all(|byte| byte.is_ascii_digit());
    match whole.parse::<u64>() {
        Ok(count) if digits && count <= MOST_TOKENS => Ok(count),
        _ if digits => Err(format!("{} tokens are more than any call has; write those of one call", shortened(text))),
        _ => Err(format!("`{}` is no count of tokens; write a whole number", shortened(text))),
    }
}

/// So many equal calls, at least one.
///
/// # Errors
/// What is wrong with it and what to write.
pub(super) fn calls(text: &str) -> Result<u64, String> {
    let is_whole = text.trim().bytes().all(|byte| byte.is_ascii_digit());
    match text.trim().parse::<u64>() {
        Ok(count) if is_whole && (1..=MOST_TOKENS).contains(&count) => Ok(count),
        _ => Err(format!("`{}` are no calls; write a whole number from 1 to {MOST_TOKENS}", shortened(text))),
    }
}

/// Seconds as they are written: a finite number from 0.
///
/// # Errors
/// What is wrong with it and what to write.
pub(super) fn seconds(text: &str) -> Result<f64, String> {
    match text.trim().parse::<f64>() {
        Ok(seconds) if seconds.is_finite() && seconds >= 0.0 => Ok(seconds),
        _ => Err(format!("`{}` are no seconds; write a number from 0, as in `1.5`", shortened(text))),
    }
}

/// Usage from its parts.
///
/// # Errors
/// Where a part is more than the whole.
pub(super) fn usage(
    [input, output]: [u64; 2],
    [cache_read, cache_write, reasoning]: [Option<u64>; 3],
) -> Result<TokenUsage, String> {
    let cached = cache_read.unwrap_or(0).saturating_add(cache_write.unwrap_or(0));
    if cached > input {
        return Err(format!("{cached} cached tokens are more than the {input} of the input, which includes them"));
    }
    if reasoning.is_some_and(|reasoning| reasoning > output) {
        return Err(format!(
            "{} reasoning tokens are more than the {output} of the output, which includes them",
            reasoning.unwrap_or(0)
        ));
    }
    Ok(TokenUsage {
        input: Tokens::new(input),
        output: Tokens::new(output),
        cache_read: cache_read.map(Tokens::new),
        cache_write: cache_write.map(Tokens::new),
        reasoning: reasoning.map(Tokens::new),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_whole_numbers_of_one_call() {
        assert_eq!((tokens("0"), tokens(" 500 "), tokens("500.0")), (Ok(0), Ok(500), Ok(500)));
        for (text, says) in [
            ("-1", "fewer than none"),
            ("1.5", "no count"),
            ("", "no count"),
            ("many", "no count"),
            ("+5", "no count"),
            ("99999999999999999999999", "more than any call"),
            ("1000000000001", "more than any call"),
        ] {
            assert!(tokens(text).unwrap_err().contains(says), "{text}");
        }
        assert_eq!(seconds("1.5"), Ok(1.5));
        for text in ["-1", "NaN", "inf", "x"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_part_is_no_more_than_the_whole() {
        assert!(usage([10, 5], [Some(6), Some(4), Some(5)]).is_ok());
        assert!(usage([10, 5], [Some(6), Some(5), None]).unwrap_err().contains("11 cached tokens"));
        assert!(usage([10, 5], [None, None, Some(6)]).unwrap_err().contains("6 reasoning tokens"));
    }
}
