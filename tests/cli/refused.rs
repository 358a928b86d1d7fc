//! What a user may get wrong, and what each command says of it: what is wrong, and what to write. Nothing is written then.

use std::fs;
use std::io::Write;

use flate2::{Compression, write::GzEncoder};

use crate::{gramtrace, gramtrace_with, rows};

/// A run that must end with 2, in one line that says what to do.
fn refused(arguments: &[&str], says: &str) {
    let ran = gramtrace(arguments);
    assert_eq!((ran.code, ran.output.as_str()), (2, ""), "{arguments:?}: {}", ran.notes);
    assert!(ran.notes.contains(says), "{arguments:?}: {}", ran.notes);
}

#[test]
fn a_zone_that_nobody_has_is_told_with_those_that_may_be_meant() {
    let zones = [
        ("SW", "did you mean `SE` (Sweden), `SZ` (Eswatini)"),
        ("SWEDEN", "there is no zone `SWEDEN`; did you mean `SE` (Sweden)?"),
        ("Germny", "did you mean `DE` (Germany)?"),
        ("uk", "did you mean `GB` (United Kingdom)?"),
        ("United States", "did you mean `US` (United States)?"),
        ("SE-SE9", "`SE-SE3`"),
        ("qqqq", "write a code of Electricity Maps"),
    ];
    let table = zones
        .iter()
        .fold("model,output_tokens,zone\n".to_owned(), |table, (zone, _)| table + "gpt-4o,5," + zone + "\n");
    for (row, (_, says)) in rows(&gramtrace_with(&["estimate", "--batch", "-"], &table).output).iter().zip(zones) {
        assert!(row["status"] == "error" && row["error"].contains(says), "{row:?}");
    }
    let (zone, says) = zones[0];
    refused(&["estimate", "--model", "gpt-4o", "--output", "5", "--zone", zone], says);
    let strict =
        ["estimate", "--provider", "openai", "--model", "gpt-4o", "--output", "5", "--method", "ecologits/0.11.3"];
    refused(&[&strict[..], &["--zone", "Sweden"]].concat(), "did you mean `SE` (Sweden)?");
}

#[test]
fn a_provider_but_for_a_slip_is_refused_under_every_method_and_a_strange_one_is_not() {
    for method in ["gramtrace/2026.1", "tracker/0.0.7"] {
        let model = if method.starts_with("tracker") { "gpt-4" } else { "gpt-4o" };
        let call = ["estimate", "--model", model, "--output", "5", "--method", method, "--provider"];
        refused(&[&call[..], &["opnai"]].concat(), "there is no provider `opnai`; did you mean `openai`?");
        assert_eq!(gramtrace(&[&call[..], &["my-own-gateway"]].concat()).code, 0);
    }
    refused(&["factors", "resolve", "--provider", "anthropc", "claude-opus-4-5"], "did you mean `anthropic`?");
    let table = "provider,model,output_tokens\nopenia,gpt-4o,5\nopenai,gpt-4o,5\n";
    let rows = rows(&gramtrace_with(&["estimate", "--batch", "-"], table).output);
    assert!(rows[0]["error"].contains("did you mean `openai`?") && rows[0]["status"] == "error", "{rows:?}");
    assert_eq!(rows[1]["status"], "ok");
}

#[test]
fn no_provider_of_those_that_litellm_lists_is_taken_for_a_slip() {
    let listed: std::collections::BTreeSet<String> =
        rows(include_str!("../names/data/litellm.csv")).into_iter().map(|row| row["provider"].clone()).collect();
    let table = listed
        .iter()
        .fold("provider,model,output_tokens\n".to_owned(), |table, provider| table + provider + ",gpt-4o,5\n");
    let ran = gramtrace_with(&["estimate", "--batch", "-"], &table);
    assert!(rows(&ran.output).iter().all(|row| !row["error"].contains("provider")), "{}", ran.output);
}

#[test]
fn files_that_are_no_tables_are_told_what_they_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, content).expect("a file");
        path.to_str().expect("its path").to_owned()
    };
    let table = b"model,output_tokens\ngpt-4o,5\n";
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(table).expect("gzip");
    for (path, says) in [
        (file("calls.csv.gz", &packed.finish().expect("gzip")), "calls.csv.gz: is packed by gzip; unpack it"),
        (file("calls.xlsx", b"PK\x03\x04rest,\n"), "is a spreadsheet or an archive; save it as CSV"),
        (file("wide.csv", b"\xff\xfem\0o\0d\0e\0l\0"), "is text in UTF-16; save it as CSV in UTF-8"),
        (file("bytes.csv", &[0, 1, 2, 255]), "is no text in UTF-8"),
        (file("empty.csv", b""), "empty.csv: is empty; write columns"),
        (file("semicolons.csv", b"model;output_tokens\ngpt-4o;5\n"), "have `;` between them; write commas"),
        (file("tabs.csv", b"model\toutput_tokens\ngpt-4o\t5\n"), "have tabs between them; write commas"),
        (folder.path().to_str().expect("its path").to_owned(), "it is a folder; write a file"),
        ("no/such/file".to_owned(), "no/such/file: cannot be opened"),
    ] {
        refused(&["estimate", "--batch", &path], says);
        refused(&["factors", "resolve", "--batch", &path], says.split("; write c").next().expect("what it is"));
    }
    refused(&["factors", "resolve", "--batch", &file("slip.csv", b"modle\nx\n")], "did you mean `model`?");
}

#[test]
fn numbers_that_are_none_are_told_as_what_they_are() {
    for (option, value, says) in [
        ("--output", "-5", "fewer than none; write a whole number"),
        ("--output", "NaN", "no count of tokens"),
        ("--output", "1e9", "no count of tokens"),
        ("--output", "99999999999999999999999", "more than any call has"),
        ("--calls", "-1", "`-1` are no calls; write a whole number from 1"),
        ("--calls", "0", "`0` are no calls"),
        ("--duration", "inf", "no seconds"),
        ("--time", "yesterday", "no time; write UTC"),
    ] {
        refused(&["estimate", "--model", "gpt-4o", "--input", "5", option, value], says);
    }
    for budget in ["-5g", "NaNg", "5"] {
        refused(&["check", "tests/corpus/botocore-bedrock/001-traces-grpc.pb", "--budget", budget], "; write ");
    }
}

#[test]
fn names_that_are_empty_are_told_so() {
    refused(&["factors", "resolve", ""], "no name; write one");
    refused(&["factors", "show", " "], "no id; write one");
    refused(&["estimate", "--model", "", "--output", "5"], "no model; write its name");
}

#[test]
fn bash_reads_its_completions_and_man_its_page() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |program: &str, arguments: &[&str]| {
        std::process::Command::new(program).args(arguments).current_dir(folder.path()).output()
    };
    fs::write(folder.path().join("completions"), gramtrace(&["completions", "bash"]).output).expect("a file");
    let asked = "source ./completions; COMP_WORDS=(gramtrace factors res); COMP_CWORD=2; \
                 _gramtrace gramtrace res factors; echo \"${COMPREPLY[@]}\"";
    let answer = run("bash", &["-c", asked]).expect("a shell");
    assert_eq!(String::from_utf8_lossy(&answer.stdout), "resolve\n", "{answer:?}");
    fs::write(folder.path().join("gramtrace.1"), gramtrace(&["man"]).output).expect("a file");
    // Not everywhere is there one.
    if let Ok(page) = run("man", &["--warnings", "-l", "gramtrace.1"]) {
        assert!(page.status.success() && page.stderr.is_empty(), "{page:?}");
        let text = String::from_utf8_lossy(&page.stdout);
        assert!(text.contains("gramtrace") && text.contains("factors resolve"), "{text}");
    }
}
