//! Every file in `bad/` stands beside the exact text of what is wrong with it.

use std::fs;
use std::path::{Path, PathBuf};

use gramtrace::factors::{Registry, RegistryFile};

use crate::with;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/registry/bad")
}

/// The files with what is expected of each.
fn cases() -> Vec<(PathBuf, String)> {
    let mut paths: Vec<_> = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let is_case = |path: &PathBuf| path.extension().is_some_and(|extension| extension != "txt");
    let cases = paths.into_iter().filter(is_case);
    cases.map(|path| (path.clone(), fs::read_to_string(path.with_extension("txt")).unwrap_or_default())).collect()
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

#[test]
fn every_bad_file_is_refused_in_exactly_the_words_beside_it() {
    let cases = cases();
    assert!(cases.len() >= 30, "{} files", cases.len());
    // A registry takes half a second without optimisation.
    let halves = cases.split_at(cases.len() / 2);
    std::thread::scope(|scope| {
        for half in [halves.0, halves.1] {
            scope.spawn(move || half.iter().for_each(|(path, expected)| is_refused(path, expected)));
        }
    });
}

fn is_refused(path: &Path, expected: &str) {
    let errors = with(name(path), fs::read(path).unwrap()).expect_err(name(path));
    assert_eq!(format!("{errors}\n"), expected, "{}", name(path));
}

#[test]
fn every_error_names_the_file_the_line_and_what_to_do() {
    for (path, expected) in cases() {
        for error in expected.lines() {
            let rest = error.strip_prefix(name(&path)).and_then(|rest| rest.strip_prefix(':')).expect(error);
            // A file whose very ending is wrong has no lines yet.
            let has_line = rest.chars().take_while(char::is_ascii_digit).count() > 0;
            assert!(has_line || name(&path) == "other-ending.toml", "no line: {error}");
            // The syntaxes have no single cure.
            let cures = ["write ", "remove ", "did you mean ", "save ", "load ", "name ", "not YAML: ", "not JSON: "];
            assert!(cures.iter().any(|cure| error.contains(cure)), "no cure: {error}");
        }
    }
}

#[test]
fn a_file_of_200_mb_is_refused_unread() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge.yaml");
    fs::File::create(&path).unwrap().set_len(200 << 20).unwrap();
    let errors = RegistryFile::read(&path).unwrap_err().to_string();
    assert_eq!(errors, format!("{}: larger than 16 MiB; write less, or split it into several files", path.display()));
}

#[test]
fn what_cannot_be_read_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let gone = folder.path().join("gone.yaml");
    let errors = RegistryFile::read(&gone).unwrap_err().to_string();
    let expected = "cannot be opened: No such file or directory (os error 2); write its path";
    assert_eq!(errors, format!("{}: {expected}", gone.display()));
    let errors = RegistryFile::read(folder.path()).unwrap_err().to_string();
    let expected = "cannot be read: Is a directory (os error 21); write a file";
    assert_eq!(errors, format!("{}: {expected}", folder.path().display()));
}

#[test]
fn a_cycle_over_several_files_is_told_once_with_its_way() {
    let link = |to: &str| format!(r#"{{"scopes": [{{"list": [{{"type": "link", "scenario_id": "{to}"}}]}}]}}"#);
    let mut files = RegistryFile::builtin();
    for (name, to) in [("one.json", "two"), ("two.json", "three"), ("three.json", "one")] {
        files.push(RegistryFile::new(name, link(to).into_bytes()));
    }
    let errors = Registry::load(&files).unwrap_err().to_string();
    let expected = "one.json:1: scopes::0::list::0::scenario_id: leads back to itself: one -> two -> three -> one; remove one link";
    assert_eq!(errors, expected);
}

#[test]
fn errors_of_several_files_come_in_their_order() {
    let mut files = RegistryFile::builtin();
    files.push(RegistryFile::new("z.yaml", "models:\n  - id: acme/assistant\n    sources: [gone]\n".as_bytes()));
    files.push(RegistryFile::new("a.yaml", "grids: {}\nmodel: []\n".as_bytes()));
    let errors = Registry::load(&files).unwrap_err().to_string();
    let lines: Vec<&str> = errors.lines().collect();
    assert_eq!(lines.len(), 3, "{errors}");
    assert!(lines[0].starts_with("z.yaml:2: ") && lines[1].starts_with("a.yaml:1: "), "{errors}");
    assert!(lines[2].starts_with("a.yaml:2: "), "{errors}");
}
