//! `gramtrace demo`, by what it prints and what it saves.

use gramtrace::trace::{Totals, receipts};

use super::process;

#[test]
fn the_demo_ends_by_itself_and_its_table_is_what_its_backend_received() {
    let folder = tempfile::tempdir().unwrap();
    let output = process::run(&["demo", "--save", folder.path().to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");

    let mut saved: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    saved.sort();
    let traces = saved.iter().filter(|path| path.to_str().unwrap().contains("-traces"));
    let receipts: Vec<_> =
        traces.flat_map(|path| receipts::read(&std::fs::read(path).unwrap(), "gramtrace.").unwrap().receipts).collect();
    let totals = Totals::of(&receipts);
    // What the sets of the demo have in expected_totals.csv: calls, input and output tokens.
    let truth = [(6, 5689, 1314), (12, 14202, 2940), (2, 1149, 183), (1, 709, 202), (5, 4813, 919), (2, 2051, 439)];
    let truth = truth.into_iter().chain([(3, 3102, 678), (3, 4106, 832), (3, 3102, 744), (4, 4452, 827)]);
    let truth = truth.fold((0, 0, 0), |sum, set| (sum.0 + set.0, sum.1 + set.1, sum.2 + set.2));
    assert_eq!((totals.calls + totals.unknown, totals.input_tokens, totals.output_tokens), truth);

    let total = text.lines().find(|line| line.starts_with("total ")).unwrap();
    assert!(total.contains(&format!("{}/{}", truth.1, truth.2)), "{total}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert!(text.contains("byte for byte"), "{text}");
    assert!(text.contains("OTEL_EXPORTER_OTLP_ENDPOINT"), "{text}");
}

#[tokio::test]
async fn a_demo_that_is_kept_ends_well_when_it_is_told_to() {
    for signal in ["TERM", "INT", "HUP"] {
        let mut demo = process::Service::with(&["demo", "--keep"]);
        demo.reads("Still listening");
        demo.signal(signal);
        assert_eq!(demo.ended().await.0, Some(0), "{signal}");
    }
}

#[test]
fn who_has_read_enough_gets_no_error() {
    for command in [
        "demo",
        "print-config",
        "factors list",
        "check tests/corpus/litellm/001-traces-httpproto.pb --budget 1t --ignore-unknown",
    ] {
        let (code, said) = process::closed_early(&command.split(' ').collect::<Vec<_>>());
        assert_eq!((code, said.as_str()), (Some(0), ""), "{command}");
    }
}
