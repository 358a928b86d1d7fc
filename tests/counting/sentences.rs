//! The rules, a sentence each.

use gramtrace::genai::{Extensions, RoleRule};

use super::trace::{CLIENT, Counted, Reported, count, count_with, span};

fn status(counted: &Counted, span: u8) -> &str {
    counted.status.get(&span).map_or("", String::as_str)
}

/// An agent 1500/150 over a chat 1000/100 and a gateway's span over a chat 500/50.
fn nested() -> Vec<Reported> {
    let gateway = span("gateway", 3).below(1).text("gen_ai.operation.name", "acompletion").time(2, 3);
    vec![
        span("agent", 1).text("gen_ai.operation.name", "invoke_agent").usage(1500, 150).time(0, 4),
        span("sdk", 2).below(1).chat("gpt-4o").usage(1000, 100).time(0, 1),
        gateway.text("gen_ai.request.model", "gpt-4o").text("gen_ai.response.id", "r").usage(500, 50),
        span("sdk", 4).below(3).chat("gpt-4o").text("gen_ai.response.id", "r").usage(500, 50).time(2, 3),
    ]
}

#[test]
fn a_nested_trace_totals_what_its_calls_used_and_not_what_its_spans_say() {
    let naive: i64 = [1500, 1000, 500, 500].iter().sum();
    assert!(naive >= 3000);
    let counted = count(&[nested()]);
    assert_eq!((counted.calls, counted.input, counted.output), (2, 1500, 150));
    assert_eq!(status(&counted, 1), "aggregate");
    let one_by_one: Vec<_> = nested().into_iter().rev().map(|span| vec![span]).collect();
    let counted = count(&one_by_one);
    assert_eq!((counted.calls, counted.input, counted.output), (2, 1500, 150), "over four requests");
}

#[test]
fn retries_have_ids_of_their_own_and_all_count() {
    let attempt = |number, id| span("sdk", number).chat("gpt-4o").text("gen_ai.response.id", id).usage(100, 10);
    let counted = count(&[vec![attempt(1, "a"), attempt(2, "b")], vec![attempt(3, "c")]]);
    assert_eq!((counted.calls, counted.input), (3, 300));
}

#[test]
fn twins_of_two_instrumentations_are_one_call_in_one_request_and_in_two() {
    let outer = || span("openinference", 1).chat("gpt-4o").usage(100, 10).time(0, 10);
    let inner = || span("anthropic", 2).below(1).chat("gpt-4o").usage(100, 10).time(1, 9);
    for requests in
        [vec![vec![outer(), inner()]], vec![vec![inner()], vec![outer()]], vec![vec![outer()], vec![inner()]]]
    {
        assert_eq!(count(&requests).calls, 1, "{requests:?}");
    }
    let later = span("anthropic", 2).chat("gpt-4o").usage(100, 10).time(11, 20);
    assert_eq!(count(&[vec![outer(), later]]).calls, 2, "no overlap, no twin");
}

#[test]
fn a_streamed_answer_without_usage_has_a_status_and_no_estimate() {
    let counted = count(&[vec![span("sdk", 1).chat("gpt-4o")]]);
    assert_eq!((status(&counted, 1), counted.calls, counted.co2e_g), ("no_tokens", 0, 0.0));
}

#[test]
fn zero_in_and_zero_out_of_a_call_that_did_not_fail_means_unknown() {
    let counted = count(&[vec![span("litellm", 1).chat("gpt-4o").usage(0, 0)]]);
    assert_eq!(status(&counted, 1), "no_tokens");
}

#[test]
fn a_failed_call_counts_if_it_has_usage() {
    let counted =
        count(&[vec![span("sdk", 1).chat("gpt-4o").failed(), span("sdk", 2).chat("gpt-4o").usage(100, 10).failed()]]);
    assert_eq!([status(&counted, 1), status(&counted, 2)], ["error", "ok"]);
}

#[test]
fn an_embedding_has_input_and_no_output() {
    let embedding = span("sdk", 1).text("gen_ai.operation.name", "embeddings").int("gen_ai.usage.input_tokens", 366);
    let counted = count(&[vec![embedding.text("gen_ai.request.model", "no-such-embedding")]]);
    assert_eq!((status(&counted, 1), counted.input, counted.output), ("unknown_model", 366, 0));
}

#[test]
fn a_call_without_a_model_is_counted_and_not_guessed() {
    let counted = count(&[vec![span("sdk", 1).text("gen_ai.operation.name", "chat").usage(100, 10)]]);
    assert_eq!((status(&counted, 1), counted.input, counted.co2e_g), ("no_model", 100, 0.0));
}

#[test]
fn a_remote_agent_counts_unless_a_call_below_it_does() {
    let agent = || span("agent", 1).kind(CLIENT).text("gen_ai.operation.name", "invoke_agent").usage(1500, 150);
    let agent = || agent().text("gen_ai.request.model", "gpt-4o");
    let http = || span("http", 2).below(1);
    let call = || span("sdk", 3).below(2).chat("gpt-4o").usage(1000, 100);
    let counted = count(&[vec![agent()]]);
    assert_eq!((status(&counted, 1), counted.input), ("ok", 1500));
    let counted = count(&[vec![agent(), call(), http()]]);
    assert_eq!((status(&counted, 1), counted.input), ("aggregate", 1000));
    let counted = count(&[vec![call().below(1)], vec![agent()]]);
    assert_eq!((status(&counted, 1), counted.input), ("aggregate", 1000), "its call came before");
    let counted = count(&[vec![call()], vec![agent(), http()]]);
    assert_eq!((status(&counted, 1), counted.input), ("aggregate", 1000), "through a span between");
    let server = || span("server", 4).below(2);
    let counted = count(&[vec![server(), call().below(4)], vec![agent(), http()]]);
    assert_eq!((status(&counted, 1), counted.input), ("aggregate", 1000), "through spans of both requests");
    let counted = count(&[vec![agent(), http()], vec![server(), call().below(4)]]);
    assert_eq!(
        [status(&counted, 1), status(&counted, 3)],
        ["ok", "duplicate"],
        "it came first and stands for the call"
    );
    assert_eq!(counted.input, 1500);
}

#[test]
fn a_call_whose_span_came_enriched_was_counted_elsewhere() {
    let client = span("client", 1).chat("gpt-4o").usage(100, 10).text("gramtrace.status", "ok");
    let proxy = || span("proxy", 2).chat("gpt-4o").usage(100, 10);
    for requests in [vec![vec![client.clone(), proxy()]], vec![vec![client.clone()], vec![proxy()]]] {
        assert_eq!(status(&count(&requests), 2), "duplicate");
    }
}

#[test]
fn the_value_of_a_call_comes_later_where_its_first_report_named_a_model_that_nobody_knows() {
    let client = span("client", 1).chat("fast").text("gen_ai.response.id", "r").usage(1000, 100);
    let proxy = span("proxy", 2).chat("gpt-4o").text("gen_ai.response.id", "r").usage(1000, 100);
    let counted = count(&[vec![client], vec![proxy.clone()]]);
    assert_eq!([status(&counted, 1), status(&counted, 2)], ["unknown_model", "repriced"]);
    assert_eq!((counted.calls, counted.input, counted.output), (1, 1000, 100));
    let alone = count(&[vec![proxy]]);
    assert_eq!(counted.co2e_g.to_bits(), alone.co2e_g.to_bits());
}

#[test]
fn o_43_spans_with_invalid_ids_pass_and_never_meet_others() {
    let nameless = |number| {
        let mut reported = span("sdk", number).chat("gpt-4o").text("gen_ai.response.id", "r").usage(100, 10);
        reported.span.trace_id = vec![0; 16];
        reported
    };
    let counted = count(&[vec![nameless(1), nameless(2)], vec![nameless(3)]]);
    assert_eq!(counted.calls, 3, "no trace, no sameness");
}

#[test]
fn an_operation_that_is_on_no_list_is_a_call_where_it_carries_tokens_and_is_told() {
    let novel = |number| span("sdk", number).text("gen_ai.operation.name", "interpretive_dance");
    let counted = count(&[vec![novel(1).usage(100, 10), novel(2), span("sdk", 3).usage(7, 1)]]);
    assert_eq!((counted.calls, counted.input, counted.unlisted), (2, 107, 1));
    assert_eq!(status(&counted, 2), "", "no tokens, no call");
}

#[test]
fn attributes_of_a_new_dialect_decide_the_role_where_the_configuration_says_so() {
    let rule = |attribute: &str, values: &[&str]| RoleRule {
        attribute: attribute.to_owned(),
        values: values.iter().map(|&value| value.to_owned()).collect(),
    };
    let spans = || {
        vec![
            span("acme", 1).text("acme.kind", "Agent").usage(100, 10),
            span("acme", 2).below(1).text("acme.kind", "llm").usage(100, 10),
            span("acme", 3).below(1).text("acme.kind", "llm"),
            span("acme", 4).text("span.type", "conversation").usage(50, 5),
            span("acme", 5).text("acme.turn", "").usage(9, 9),
        ]
    };
    let unknown = count(&[spans()]);
    assert_eq!((unknown.calls, unknown.input), (4, 259), "tokens are all that is known");
    let more = Extensions {
        inference: vec![rule("acme.kind", &["llm"])],
        aggregate: vec![rule("acme.kind", &["agent"]), rule("span.type", &["conversation"]), rule("acme.turn", &[])],
        ..Extensions::default()
    };
    let counted = count_with(more, &[spans()]);
    assert_eq!((counted.calls, counted.input), (1, 100));
    let statuses: Vec<_> = (1..=5).map(|span| status(&counted, span)).collect();
    assert_eq!(statuses, ["aggregate", "no_model", "no_tokens", "aggregate", "aggregate"]);
}

#[test]
fn the_called_host_tells_the_provider_where_only_a_framework_is_named() {
    let call = |number, provider: &str, host: &str| {
        let call = span("sdk", number).chat("meta-llama/Llama-3.1-70B-Instruct").usage(100, 10);
        call.text("gen_ai.provider.name", provider).text("server.address", host)
    };
    let counted = count(&[vec![
        call(1, "langchain", "https://api.groq.com/openai/v1").time(0, 1),
        call(2, "deepseek", "gateway.example.com").time(2, 3),
        call(3, "langchain", "api.deepseek.com").time(4, 5),
        call(4, "openai", "api.openai.com").text("gen_ai.system", "groq").time(6, 7),
        call(5, "langchain", "10.0.0.7").text("gen_ai.system", "groq").time(8, 9),
    ]]);
    let zones: Vec<_> = (1..=5).map(|span| counted.zone.get(&span).map_or("", String::as_str)).collect();
    assert_eq!(zones, ["US", "CN", "CN", "WOR", "US"]);
}
