//! `factors resolve`: which model names mean.

use crate::{gramtrace, gramtrace_with, rows};

#[test]
fn a_table_of_names_says_what_each_means_and_sums_up() {
    let names = "provider,model\n\
                 aws.bedrock,eu.anthropic.claude-haiku-4-5-20251001-v1:0\n\
                 ollama,deepseek-r1:7b\n\
                 azure.ai.openai,prod-chat\n\
                 openai,gpt-6.1-terra\n";
    let ran = gramtrace_with(&["factors", "resolve", "--batch", "-"], names);
    assert_eq!(
        ran.output,
        "provider,model,registry_model,match,tier,region_hint\n\
         aws.bedrock,eu.anthropic.claude-haiku-4-5-20251001-v1:0,anthropic/claude-haiku-4-5,platform-id,D,eu\n\
         ollama,deepseek-r1:7b,size-parsed:7,size-parsed,C,\n\
         azure.ai.openai,prod-chat,,none,,\n\
         openai,gpt-6.1-terra,openai/gpt-6.1-terra,exact,,\n"
    );
    assert_eq!(
        ran.notes,
        "4 names: 2 (50.0 %) are a known model's, of 1 (25.0 %) only the size is known\n\
         by match: exact 1 (25.0 %), none 1 (25.0 %), platform-id 1 (25.0 %), size-parsed 1 (25.0 %)\n\
         by tier: C 1 (25.0 %), D 1 (25.0 %), no factor 1 (25.0 %)\n"
    );
}

/// The tier is left out: it changes with factors, which no name depends on.
#[test]
fn the_list_that_is_kept_is_what_the_command_writes() {
    let ran = gramtrace(&["factors", "resolve", "--batch", "tests/names/data/litellm.csv"]);
    let without_tier = |text: &str| {
        let mut rows = rows(text);
        rows.iter_mut().for_each(|row| drop(row.remove("tier")));
        rows
    };
    let (now, kept) = (without_tier(&ran.output), without_tier(include_str!("../names/data/resolved.csv")));
    assert_eq!(now.len(), kept.len());
    for (now, kept) in now.iter().zip(&kept) {
        assert_eq!(now, kept, "make the list again: see tests/names/data/README.md");
    }
}

#[test]
fn one_name_is_answered_for_people_and_one_that_means_nothing_ends_with_2() {
    let ran = gramtrace(&["factors", "resolve", "eu.anthropic.claude-haiku-4-5-20251001-v1:0"]);
    assert_eq!(ran.code, 0);
    assert!(ran.output.starts_with("anthropic/claude-haiku-4-5\n"), "{}", ran.output);
    let ran = gramtrace(&["factors", "resolve", "gtp-4o"]);
    assert_eq!((ran.code, ran.output.as_str()), (2, ""));
    assert!(ran.notes.contains("means no model; did you mean"), "{}", ran.notes);
}
