//! What the README shows of the command line: each command is run, and must write what stands under it.

use std::path::Path;
use std::process::Command;

/// Where the README shows the command line.
const SECTION: &str = "\n## At the command line\n";

/// A command with what it writes.
struct Shown {
    command: String,
    output: String,
}

fn shown() -> Vec<Shown> {
    let readme = include_str!("../../README.md");
    let section = readme.split(SECTION).nth(1).expect("the section").split("\n## ").next().unwrap_or_default();
    let mut shown: Vec<Shown> = Vec::new();
    for block in section.split("```console\n").skip(1) {
        for line in block.split("```").next().unwrap_or_default().lines() {
            match line.strip_prefix("$ ") {
                Some(command) => shown.push(Shown { command: command.to_owned(), output: String::new() }),
                None => {
                    let last = shown.last_mut().expect("a command first");
                    last.output.push_str(line);
                    last.output.push('\n');
                }
            }
        }
    }
    shown
}

/// The registry's label changes with every figure in it, also with those that no example shows.
fn without_label(text: &str) -> String {
    let mut parts = text.split("2026.1+");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + "2026.1+" + part.get(8..).unwrap_or_default())
}

#[test]
fn every_command_writes_what_the_readme_shows_under_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["config", "tests"] {
        std::os::unix::fs::symlink(root.join(name), folder.path().join(name)).expect("a link");
    }
    let binary = Path::new(env!("CARGO_BIN_EXE_gramtrace")).parent().expect("its folder");
    let path = format!("{}:{}", binary.display(), std::env::var("PATH").unwrap_or_default());
    let shown = shown();
    assert!(shown.len() >= 12, "{}", shown.len());
    for Shown { command, output } in shown {
        let ran = Command::new("sh")
            .args(["-c", &command])
            .current_dir(folder.path())
            .env("PATH", &path)
            .output()
            .expect("a shell");
        let written = String::from_utf8(ran.stdout).expect("text");
        assert_eq!(without_label(&written), without_label(&output), "`{command}` writes something else");
    }
}
