//! Sources as text: the files of a folder, their code without comments and texts, and the edges between modules that
//! this code names. A scanner and no parser: it may find an edge too many, never one too few.

use std::fs;
use std::path::Path;

/// One file of the repository.
pub(crate) struct Source {
    /// Relative to the repository's root, with forward slashes.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Lines with their numbers, from 1.
pub(crate) type Lines = Vec<(usize, String)>;

/// A use of another top-level module.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Edge {
    pub(crate) line: usize,
    pub(crate) to: String,
}

impl Source {
    /// Every file under `dir` with one of `extensions`, in the order of their paths. Folders of installed packages
    /// are left out.
    pub(crate) fn all_under(dir: &str, extensions: &[&str]) -> Vec<Self> {
        let mut found = Vec::new();
        let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join(dir)];
        while let Some(folder) = folders.pop() {
            let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
            for path in entries.map(|entry| entry.expect("a readable folder").path()) {
                let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                if path.is_dir() && name != "node_modules" && !name.starts_with('.') {
                    folders.push(path);
                } else if extensions.iter().any(|wanted| name.ends_with(&format!(".{wanted}"))) {
                    found.push(Self::read(&path));
                }
            }
        }
        assert!(!found.is_empty(), "no file with {extensions:?} under {dir}");
        found.sort_by(|a, b| a.path.cmp(&b.path));
        found
    }

    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let relative = path.strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap_or(path);
        Self { path: relative.to_string_lossy().replace('\\', "/"), text }
    }

    /// The top-level module that the file belongs to: `src/otlp/walk.rs` and `src/otlp.rs` to `otlp`.
    pub(crate) fn module(&self) -> String {
        let inside = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        inside.split('/').next().unwrap_or_default().to_owned()
    }

    /// How many modules above the file's own items the crate's root is: 1 for `src/otlp/mod.rs`, 2 for
    /// `src/otlp/walk.rs`.
    fn depth(&self) -> usize {
        self.path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod").split('/').count()
    }

    /// The numbered lines of code up to the file's unit tests.
    pub(crate) fn code_without_tests(&self) -> Lines {
        self.split_at_tests().0
    }

    /// The numbered lines of the file's unit tests.
    pub(crate) fn tests_only(&self) -> Lines {
        self.split_at_tests().1
    }

    /// Unit tests stand at the end of a file, behind `#[cfg(test)]`; a file named `tests.rs` is tests alone.
    fn split_at_tests(&self) -> (Lines, Lines) {
        let mut code = code_only(&self.text);
        let whole = self.path.ends_with("/tests.rs");
        let inline =
            |pair: &[(usize, String)]| pair[0].1.trim() == "#[cfg(test)]" && pair[1].1.trim_end().ends_with('{');
        let start = if whole { 0 } else { code.windows(2).position(inline).unwrap_or(code.len()) };
        let tests = code.split_off(start);
        (code, tests)
    }
}

/// The names under which this package's dependencies appear in code.
pub(crate) fn dependencies() -> Vec<String> {
    let manifest = Source::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).text;
    let sections = manifest.split("\n[").filter(|section| section.starts_with("dependencies]"));
    let lines = sections.flat_map(str::lines).skip(1);
    lines.filter_map(|line| line.split_once('=')).map(|(name, _)| name.trim().replace('-', "_")).collect()
}

/// The uses of the crate's top-level modules, by `crate::`, by `gramtrace::` or up through `super::`.
pub(crate) fn edges(file: &Source) -> Vec<Edge> {
    let code = code_only(&file.text);
    let text = code.iter().map(|(_, line)| format!("{line}\n")).collect::<String>();
    let up = "super::".repeat(file.depth());
    let mut found = Vec::new();
    for root in ["crate::", "gramtrace::", up.as_str()] {
        for (at, _) in text.match_indices(root) {
            if starts_a_path(&text, at) {
                let line = text[..at].matches('\n').count() + 1;
                found.extend(first_names(&text[at + root.len()..]).into_iter().map(|to| Edge { line, to }));
            }
        }
    }
    // Items that stand in the root itself (constants of `lib.rs`) are no modules.
    found.retain(|edge| edge.to.starts_with(|first: char| first.is_ascii_lowercase()) && edge.to != "super");
    found.sort_by(|a, b| (a.line, &a.to).cmp(&(b.line, &b.to)));
    found.dedup();
    found
}

/// Whether `code` names `path` as a whole: not inside a longer name nor, where `path` is one name (a crate), inside a
/// longer path.
pub(crate) fn has_path(code: &str, path: &str) -> bool {
    let (_, tail) = path.split_once("::").unwrap_or((path, ""));
    code.match_indices(path).any(|(at, _)| {
        let starts = if tail.is_empty() { starts_a_path(code, at) } else { !code[..at].ends_with(is_name) };
        starts && (path.ends_with("::") || !code[at + path.len()..].starts_with(is_name))
    })
}

/// The first names of what follows a root: `a::B` gives `a`, `{a::B, c}` gives `a` and `c`.
fn first_names(rest: &str) -> Vec<String> {
    let name = |text: &str| text.trim_start().chars().take_while(|c| is_name(*c)).collect::<String>();
    let Some(group) = rest.strip_prefix('{') else { return vec![name(rest)] };
    let mut names = vec![name(group)];
    let mut level = 0;
    for (at, c) in group.char_indices() {
        match c {
            '{' => level += 1,
            '}' if level == 0 => break,
            '}' => level -= 1,
            ',' if level == 0 => names.push(name(&group[at + 1..])),
            _ => {}
        }
    }
    names.retain(|name| !name.is_empty());
    names
}

fn starts_a_path(text: &str, at: usize) -> bool {
    !text[..at].ends_with(|c: char| is_name(c) || c == ':' || c == '$')
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// The numbered lines of Rust code without comments and the insides of texts.
fn code_only(text: &str) -> Lines {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let skipped = comment_len(rest).or_else(|| text_len(rest));
        let taken = skipped.unwrap_or(first.len_utf8());
        if skipped.is_some() {
            out.extend(rest[..taken].chars().filter(|c| *c == '\n'));
        } else {
            out.push(first);
        }
        rest = &rest[taken..];
    }
    out.lines().map(str::to_owned).enumerate().map(|(index, line)| (index + 1, line)).collect()
}

/// The length of the comment that `rest` starts with.
fn comment_len(rest: &str) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    rest.starts_with("/*").then(|| rest.find("*/").map_or(rest.len(), |end| end + 2))
}

/// The length of the text or character that `rest` starts with.
fn text_len(rest: &str) -> Option<usize> {
    if let Some(raw) = rest.strip_prefix('r') {
        let hashes = raw.bytes().take_while(|b| *b == b'#').count();
        if raw[hashes..].starts_with('"') {
            let close = format!("\"{}", "#".repeat(hashes));
            let opened = 1 + hashes + 1;
            return Some(rest[opened..].find(&close).map_or(rest.len(), |end| opened + end + close.len()));
        }
    }
    if let Some(character) = rest.strip_prefix('\'') {
        let first = character.chars().next()?.len_utf8();
        let end = if character.starts_with('\\') {
            let escaped = first + character[first..].chars().next()?.len_utf8();
            escaped + character[escaped..].find('\'')?
        } else {
            first
        };
        return character[end..].starts_with('\'').then_some(1 + end + 1);
    }
    if !rest.starts_with('"') {
        return None;
    }
    let mut escaped = false;
    let end = rest[1..].find(|c| {
        let closes = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        closes
    });
    Some(end.map_or(rest.len(), |end| end + 2))
}

#[test]
fn edges_are_found_in_every_form() {
    let text = "use crate::wire::{Encoding, frame};
use crate::{otlp::{self, Signal}, rejection};
fn f() -> crate::exporter::Outcome {}
use super::super::genai::Role;
pub(in crate::trace) struct S;
";
    let file = Source { path: "src/enrich/plan.rs".to_owned(), text: text.to_owned() };
    let found: Vec<_> = edges(&file).into_iter().map(|edge| (edge.line, edge.to)).collect();
    let expected = [(1, "wire"), (2, "otlp"), (2, "rejection"), (3, "exporter"), (4, "genai"), (5, "trace")];
    assert_eq!(found, expected.map(|(line, to)| (line, to.to_owned())));
}

#[test]
fn comments_and_texts_name_no_module() {
    let text = r##"/// See [`crate::admin`].
// crate::cli
let a = "crate::app \" crate::app"; /* crate::cli
 */ let b = r#"crate::"cli"#;
let c = '"'; let d = '\''; let e = '\u{1F}'; crate::wire::x('\\');
fn e<'a>(x: &'a str) -> crate::otlp::Y<'a> {}
use std::crate_like;
"##;
    let file = Source { path: "src/otlp/walk.rs".to_owned(), text: text.to_owned() };
    let edge = |line, to: &str| Edge { line, to: to.to_owned() };
    assert_eq!(edges(&file), [edge(5, "wire"), edge(6, "otlp")]);
}

#[test]
fn a_file_knows_its_module_and_its_depth() {
    let at = |path: &str| Source { path: path.to_owned(), text: String::new() };
    let of = |path: &str| (at(path).module(), at(path).depth());
    assert_eq!(of("src/pipeline.rs"), ("pipeline".to_owned(), 1));
    assert_eq!(of("src/otlp/mod.rs"), ("otlp".to_owned(), 1));
    assert_eq!(of("src/otlp/walk.rs"), ("otlp".to_owned(), 2));
}

#[test]
fn a_path_is_matched_whole() {
    assert!(has_path("let now = std::time::Instant::now();", "Instant::now"));
    assert!(!has_path("let now = MyInstant::now();", "Instant::now"));
    assert!(has_path("use tokio::sync::Mutex;", "tokio"));
    assert!(!has_path("use tokio_util::sync::Token;", "tokio"));
    assert!(!has_path("crate::tokio::x", "tokio"));
}
