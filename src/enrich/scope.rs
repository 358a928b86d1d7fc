//! Which budgets a call falls into, by attributes of its span and resource.
//! Knows patterns and names; nothing of limits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use smallvec::SmallVec;

use super::labels::{LONGEST_SCOPED, Values};

/// Which calls a budget is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The budget's name.
    pub budget: Arc<str>,
    /// By attribute, what its value has to look like: `*` stands for anything, `?` for one character. All must fit.
    pub patterns: Vec<(String, String)>,
    /// Where its calls are to say so while it is exceeded: whether it is.
    pub mark: Option<Mark>,
}

/// Whether a budget is exceeded. Somebody else says so, at any time; nobody waits to read it.
#[derive(Debug, Clone, Default)]
pub struct Mark(pub Arc<AtomicBool>);

/// The same one, not one that says the same.
impl PartialEq for Mark {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Mark {}

impl Mark {
    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Every scope, with the attributes that any of them asks for read once.
#[derive(Debug, Default)]
pub(super) struct Scopes {
    pub(super) keys: Vec<String>,
    scopes: Vec<Compiled>,
}

#[derive(Debug)]
struct Compiled {
    budget: Arc<str>,
    /// A pattern for the value of one of the keys.
    patterns: Vec<(usize, String)>,
    mark: Option<Mark>,
}

/// Places of scopes.
pub(super) type Places = SmallVec<[u16; 4]>;

impl Scopes {
    pub(super) fn new(scopes: &[Scope]) -> Self {
        let mut keys: Vec<String> = Vec::new();
        let mut place = |key: &String| {
            keys.iter().position(|known| known == key).unwrap_or_else(|| {
                keys.push(key.clone());
                keys.len() - 1
            })
        };
        let mut compiled = |scope: &Scope| Compiled {
            budget: Arc::clone(&scope.budget),
            patterns: scope.patterns.iter().map(|(key, pattern)| (place(key), pattern.clone())).collect(),
            mark: scope.mark.clone(),
        };
        let scopes = scopes.iter().map(&mut compiled).collect();
        Self { keys, scopes }
    }

    /// Those that a call with these values of the keys falls into. What is not there fits nothing.
    pub(super) fn of(&self, values: &Values<'_>) -> Places {
        let fits = |(place, pattern): &(usize, String)| {
            values.get(*place).is_some_and(|value| !value.is_empty() && is_like(value, pattern))
        };
        let scopes = self.scopes.iter().enumerate().filter(|(_, scope)| scope.patterns.iter().all(fits));
        scopes.filter_map(|(place, _)| u16::try_from(place).ok()).collect()
    }

    /// Whether any call is to say that a budget is exceeded.
    pub(super) fn has_marks(&self) -> bool {
        self.scopes.iter().any(|scope| scope.mark.as_ref().is_some_and(Mark::is_set))
    }

    /// What a call that falls into these says; nothing where none is exceeded.
    pub(super) fn marks(&self, places: &Places) -> Option<Box<str>> {
        let scopes = places.iter().filter_map(|&place| self.scopes.get(usize::from(place)));
        let marked = scopes.filter(|scope| scope.mark.as_ref().is_some_and(Mark::is_set));
        let names: Vec<&str> = marked.map(|scope| &*scope.budget).collect();
        (!names.is_empty()).then(|| names.join(",").into())
    }

    pub(super) fn names(&self, places: &Places) -> Vec<Arc<str>> {
        places.iter().filter_map(|&place| Some(Arc::clone(&self.scopes.get(usize::from(place))?.budget))).collect()
    }
}

/// Whether `text` is like `pattern`. In time of both lengths multiplied at most: after a `*` only the last one is tried again.
/// A text longer than what is read of one is like `*` alone.
#[must_use]
pub fn is_like(text: &str, pattern: &str) -> bool {
    if text.len() > LONGEST_SCOPED {
        return pattern.bytes().all(|each| each == b'*') && !pattern.is_empty();
    }
    let (mut text_left, mut pattern_left) = (text.chars(), pattern.chars());
    // Behind the last star, and what of the text it has not swallowed yet.
    let mut star = None;
    loop {
        let (before, mut after) = (text_left.clone(), pattern_left.clone());
        let wanted = after.next();
        if wanted == Some('*') {
            star = Some((after.clone(), before));
            pattern_left = after;
            continue;
        }
        let found = text_left.next();
        match (found, wanted) {
            (None, None) => return true,
            (Some(found), Some(wanted)) if wanted == '?' || wanted == found => pattern_left = after,
            // The star swallows one more.
            _ => {
                let Some((behind, swallowing)) = &mut star else { return false };
                if swallowing.next().is_none() {
                    return false;
                }
                (text_left, pattern_left) = (swallowing.clone(), behind.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_anything_and_question_marks_for_one_character() {
        let like = [
            ("shop-eu", "shop-*"),
            ("shop-", "shop-*"),
            ("shop", "*"),
            ("shop", "s?o?"),
            ("a-shop-b-shop", "*shop"),
            ("aab", "*a*b"),
            ("é", "?"),
        ];
        assert!(like.into_iter().all(|(text, pattern)| is_like(text, pattern)));
        let unlike = [("shop", "Shop"), ("shops", "shop"), ("shop", "shop?"), ("", "?"), ("abc", "*b"), ("x", "")];
        assert!(unlike.into_iter().all(|(text, pattern)| !is_like(text, pattern)));
        let long = format!("{}z", "é".repeat(2000));
        assert!(is_like(&long, "é*z") && !is_like(&long, "é*y"), "on the whole of it");
        assert!(
            is_like(&"x".repeat(4096), "x*") && !is_like(&"x".repeat(4097), "x*") && is_like(&"x".repeat(4097), "*")
        );
        assert!(!is_like(&"a".repeat(128), &format!("{}b", "*a".repeat(60))), "and it ends");
    }

    #[test]
    fn a_call_falls_into_every_scope_whose_patterns_all_fit() {
        let scope = |budget: &str, patterns: &[(&str, &str)]| Scope {
            budget: budget.into(),
            patterns: patterns.iter().map(|(key, pattern)| ((*key).to_owned(), (*pattern).to_owned())).collect(),
            mark: None,
        };
        let scopes = Scopes::new(&[
            scope("all", &[]),
            scope("search", &[("team", "search")]),
            scope("shops", &[("team", "*"), ("service.name", "shop-*")]),
        ]);
        assert_eq!(scopes.keys, ["team", "service.name"]);
        let of = |team: &'static str, service: &'static str| {
            let values: Values<'_> = [team, service].into_iter().map(Into::into).collect();
            scopes.names(&scopes.of(&values)).iter().map(|name| name.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(of("search", "shop-eu"), ["all", "search", "shops"]);
        assert_eq!(of("support", "shop-eu"), ["all", "shops"]);
        assert_eq!(of("", "shop-eu"), ["all"], "what is not there is like nothing");
    }
}
