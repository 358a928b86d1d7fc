//! The names that LiteLLM knows, with what each means, as they are kept for readers to check. They are made again by
//! `gramtrace factors resolve --batch tests/names/data/litellm.csv > tests/names/data/resolved.csv`, which also tells how many
//! are known, and how many have a factor, by tier and by way of matching.

use std::collections::{BTreeMap, BTreeSet};

use gramtrace::factors::Match;

use crate::{Row, registry, resolved, rows};

/// Of the names of models for chat and embedding, so many must be the id of that very model.
const LEAST_SHARE: f64 = 0.90;

#[test]
fn nine_of_ten_names_that_people_use_are_the_id_of_that_very_model() {
    let registry = registry();
    let names = rows(include_str!("data/litellm.csv"));
    let mut unknown = Vec::new();
    for row in &names {
        match resolved(&registry, &row["model"], &row["provider"]) {
            Some((_, matched)) if matched != Match::SizeParsed => {}
            _ => unknown.push(row["model"].as_str()),
        }
    }
    let share = 1.0 - unknown.len() as f64 / names.len() as f64;
    println!("{share:.3} of {} names; the others: {}", names.len(), unknown.join(" "));
    assert!(share >= LEAST_SHARE, "{share:.3}");
}

#[test]
fn the_list_says_what_the_registry_says() {
    let registry = registry();
    let (names, listed) = (rows(include_str!("data/litellm.csv")), rows(include_str!("data/resolved.csv")));
    let asked =
        |rows: &[Row]| rows.iter().map(|row| (row["provider"].clone(), row["model"].clone())).collect::<Vec<_>>();
    assert_eq!((names.len(), asked(&names)), (3418, asked(&listed)), "every name stands in the list, in order");
    for row in listed {
        let (id, matched) = match resolved(&registry, &row["model"], &row["provider"]) {
            Some((id, matched)) => (id, matched.name()),
            None => ("", "none"),
        };
        let listed = (row["registry_model"].as_str(), row["match"].as_str());
        assert_eq!((id, matched), listed, "{}: make the list again, and look at what changed", row["model"]);
    }
}

/// A hundred lines, drawn by the seed that `draw.py` prints, with the page that says which model it is.
#[test]
fn the_lines_that_were_checked_mean_what_they_were_checked_to_mean() {
    let registry = registry();
    let checked = rows(include_str!("data/checked.csv"));
    assert_eq!(checked.len(), 100);
    let mut unread = 0;
    for row in checked {
        let (id, matched) = resolved(&registry, &row["model"], &row["provider"]).expect("a model");
        assert_eq!((id, matched.name()), (row["registry_model"].as_str(), row["match"].as_str()), "{}", row["model"]);
        assert!(
            row["link"].starts_with("https://") && ["maker", "platform", "link"].contains(&row["checked"].as_str())
        );
        assert!(!row["says"].is_empty(), "{}", row["model"]);
        unread += usize::from(row["checked"] == "link");
    }
    assert_eq!(unread, 6, "data/README.md says how many were not read");
}

/// What was found by hand to be one model's name in other words must not be two ids, and no spelling may be of two.
#[test]
fn no_two_models_share_a_spelling() {
    let registry = registry();
    let mut ids: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for (_, model) in registry.models() {
        let spelled = model.id().replace(['-', '.', '_'], "");
        ids.entry(spelled).or_default().insert(model.id());
    }
    let several: Vec<_> = ids.values().filter(|ids| ids.len() > 1).collect();
    assert!(several.is_empty(), "{several:?}");
}
