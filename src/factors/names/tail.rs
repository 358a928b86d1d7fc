//! What stands behind a model's name: versions of platforms, variants of routers, contexts that clients ask for, and how
//! weights are served. Taken off one at a time, since `-v2` may be the model's own.
//! Knows no models.

use super::lists::{SERVINGS, VARIANTS, VERTEX_VERSIONS};
use super::{CleanName, Packing, is_any, is_number, non_empty};

/// Takes one piece off the end; `false` where there is none.
pub(crate) fn strip_tail(name: &mut CleanName<'_>) -> bool {
    if let Some(rest) = without_context_tag(name.text) {
        cut(name, rest, Packing::Tagged);
        return true;
    }
    if let Some(rest) = without_context(name.text) {
        cut(name, rest, Packing::Platform);
        return true;
    }
    if let Some(rest) = without_minor(name.text) {
        cut(name, rest, Packing::Platform);
        name.has_minor = true;
        return true;
    }
    if let Some(rest) = without_hash(name.text) {
        cut(name, rest, Packing::Platform);
        return true;
    }
    let is_versioned = name.has_minor || name.maker.is_some();
    let rest = if is_versioned { without_major(name.text, name.has_minor) } else { None }
        .or_else(|| without_vertex_version(name.text))
        .or_else(|| without_variant(name.text));
    let Some(rest) = rest else { return false };
    cut(name, rest, Packing::Platform);
    name.has_minor = false;
    true
}

/// Takes what those who serve open weights append off the end; `false` where there is nothing of it. Whoever asks must
/// see to it that what is left is a released model.
pub(crate) fn strip_serving(name: &mut CleanName<'_>) -> bool {
    let Some((rest, last)) = name.text.rsplit_once(['-', ':']) else { return false };
    let is_context = has_unit(last, &['k']) && last.len() <= 5;
    if rest.is_empty() || !(is_any(last, SERVINGS) || is_context || is_quantisation(last)) {
        return false;
    }
    cut(name, rest, Packing::Platform);
    true
}

/// Whether the name says that its weights are stored in 8 bits or fewer.
pub(crate) fn is_reduced(text: &str) -> bool {
    const STORED: &[&str] =
        &["fp8", "fp4", "nvfp4", "mxfp4", "int8", "int4", "awq", "gptq", "gguf", "4bit", "8bit", "bnb", "qat", "mlx"];
    text.split(['-', ':', '/', '.']).any(|part| is_any(part, STORED) || is_quantisation(part))
}

/// What llama.cpp calls its ways of storing: `q4_K_M`, `IQ3_XS`, `q8_0`.
fn is_quantisation(part: &str) -> bool {
    let bits = part.split('_').next().unwrap_or_default();
    let bits = bits.strip_prefix(['i', 'I']).unwrap_or(bits).strip_prefix(['q', 'Q']);
    bits.is_some_and(|bits| bits.len() == 1 && is_number(bits))
}

fn cut<'n>(name: &mut CleanName<'n>, rest: &'n str, packing: Packing) {
    let gone = name.text.len() - rest.len();
    name.dotted = name.dotted.and_then(|dotted| dotted.get(..dotted.len().checked_sub(gone)?));
    name.text = rest;
    name.packing = name.packing.max(packing);
}

/// `model[1m]`: the context length that a client asked for.
fn without_context_tag(text: &str) -> Option<&str> {
    let (rest, tag) = text.strip_suffix(']')?.rsplit_once('[')?;
    let is_length = tag.len() <= 6 && has_unit(tag, &['k', 'm']);
    if is_length { non_empty(rest) } else { None }
}

/// The context behind a version, or what it takes in: `model-vN:M:200k`, `model-vN:M:mm`. By itself, since a model may
/// have the version in its name.
fn without_context(text: &str) -> Option<&str> {
    let (rest, context) = text.rsplit_once(':')?;
    let is_context = rest.contains(':') && (has_unit(context, &['k']) || context == "mm");
    if is_context { non_empty(rest) } else { None }
}

/// The minor part of `model-vN:M`.
fn without_minor(text: &str) -> Option<&str> {
    let (rest, minor) = text.rsplit_once(':')?;
    if is_number(minor) && minor.len() <= 2 { non_empty(rest) } else { None }
}

/// `owner/model:<sha256>`, the very build at Replicate.
fn without_hash(text: &str) -> Option<&str> {
    let (rest, hash) = text.rsplit_once(':')?;
    let is_hash = hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_hash { non_empty(rest) } else { None }
}

/// The major part: `model-vN`, and `model-N` where a minor part followed.
fn without_major(text: &str, has_minor: bool) -> Option<&str> {
    let (rest, version) = text.rsplit_once('-')?;
    let is_version = match version.strip_prefix(['v', 'V']) {
        Some(number) => is_number(number),
        None => is_number(version) && version.len() <= 2 && has_minor,
    };
    if is_version { non_empty(rest) } else { None }
}

/// `model@20251001`, `model@001`, `model@2411-001`, `model@default`.
fn without_vertex_version(text: &str) -> Option<&str> {
    if let Some((rest, build)) = text.rsplit_once('-')
        && rest.contains('@')
        && build.len() == 3
        && is_number(build)
    {
        return non_empty(rest);
    }
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

fn has_unit(text: &str, units: &[char]) -> bool {
    text.strip_suffix(|last: char| units.contains(&last.to_ascii_lowercase())).is_some_and(is_number)
}
