//! What people at a terminal see and pipes do not: emphasis and progress. On a real pseudo-terminal.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// What begins emphasis.
const BOLD: &str = "\u{1b}[1m";

/// A terminal: the side of programs, and that of who watches them.
fn terminal() -> (File, File) {
    let watcher = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&watcher).and_then(|()| unlockpt(&watcher)).expect("leave to open it");
    let path = ptsname(&watcher, Vec::new()).expect("its path");
    let programs = File::options().read(true).write(true).open(OsStr::from_bytes(path.as_bytes())).expect("its side");
    (programs, File::from(watcher))
}

/// Which streams of a program are a terminal.
#[derive(Clone, Copy)]
enum Streams {
    Output,
    Errors,
}

/// What stands on the terminal after a run of the program, and what went through the pipe beside it.
fn watched(arguments: &[&str], streams: Streams, variables: &[(&str, &str)]) -> (String, String) {
    let (programs, mut watcher) = terminal();
    let reader = std::thread::spawn(move || {
        let mut seen = Vec::new();
        let mut piece = [0; 4096];
        // Once no program holds its side any more, reading fails.
        while let Ok(read @ 1..) = watcher.read(&mut piece) {
            seen.extend_from_slice(&piece[..read]);
        }
        String::from_utf8(seen).expect("text")
    });
    let mut command = Command::new(env!("CARGO_BIN_EXE_gramtrace"));
    command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("NO_COLOR").stdin(Stdio::null());
    command.envs(variables.iter().copied());
    let ran = match streams {
        Streams::Output => command.stdout(programs).output(),
        Streams::Errors => command.stderr(programs).output(),
    };
    drop(command);
    let ran = ran.expect("the program");
    let piped = match streams {
        Streams::Output => ran.stderr,
        Streams::Errors => ran.stdout,
    };
    (reader.join().expect("the reader"), String::from_utf8(piped).expect("text"))
}

#[test]
fn headings_are_bold_at_a_terminal_unless_no_color_is_set() {
    let capture = "tests/corpus/botocore-bedrock/001-traces-grpc.pb";
    for arguments in [
        &["estimate", "--model", "gpt-4o", "--output", "5"][..],
        &["compare", "--model", "gpt-4o", "--output", "5"],
        &["explain", capture],
        &["factors", "list", "gpt-oss"],
        &["factors", "show", "openai/gpt-oss-20b"],
        &["factors", "resolve", "gpt-4o"],
    ] {
        let (seen, errors) = watched(arguments, Streams::Output, &[]);
        assert!(seen.contains(BOLD) && errors.is_empty(), "{arguments:?}: {seen} {errors}");
        let (plain, _) = watched(arguments, Streams::Output, &[("NO_COLOR", "1")]);
        assert!(!plain.contains('\u{1b}') && !plain.is_empty(), "{arguments:?}: {plain}");
        assert_eq!(seen.replace(BOLD, "").replace("\u{1b}[0m", ""), plain, "{arguments:?}");
        // Set to nothing is not set.
        assert_eq!(watched(arguments, Streams::Output, &[("NO_COLOR", "")]).0, seen, "{arguments:?}");
    }
    for format in ["json", "csv"] {
        let arguments = ["estimate", "--model", "gpt-4o", "--output", "5", "--format", format];
        let (seen, _) = watched(&arguments, Streams::Output, &[]);
        assert!(!seen.contains('\u{1b}'), "{seen}");
    }
}

#[test]
fn errors_are_plain_where_no_color_is_set() {
    let (seen, _) = watched(&["estimate", "--modle", "x"], Streams::Errors, &[("NO_COLOR", "1")]);
    assert!(seen.contains("--model") && !seen.contains('\u{1b}'), "{seen:?}");
}

#[test]
fn who_waits_for_a_long_table_sees_how_far_it_is_and_a_pipe_does_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let table = folder.path().join("calls.csv");
    let mut text = "model,output_tokens\n".to_owned();
    for row in 0..9000 {
        text.push_str(&format!("gpt-4o,{row}\n"));
    }
    std::fs::write(&table, text).expect("the table");
    let path = table.to_str().expect("its path");
    let (seen, piped) = watched(&["estimate", "--batch", path], Streams::Errors, &[]);
    assert!(seen.starts_with("\r4096 rows\r"), "{seen:?}");
    assert!(seen.ends_with("9000 rows, 0 of them without an estimate: see `error`\r\n"), "{seen:?}");
    assert_eq!(piped.lines().count(), 9001);
    assert!(!piped.contains('\r'));
}
