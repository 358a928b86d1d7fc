//! A JSON document as the same tree as a YAML one, so that its errors have lines too: strict RFC 8259, keys that stand
//! twice refused. Knows JSON; nothing of what the keys mean.

use std::collections::BTreeMap;

use super::problems::Problems;
use super::tree::{Budget, Entry, MAX_DEPTH, MAX_KEY_LEN, Node, Value};

/// Reads one document. `None` where it is broken, which has been reported.
pub(crate) fn parse(text: &str, budget: &mut Budget, problems: &Problems<'_>) -> Option<Node> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut builder = Builder { rest: text, line: 1, path: Vec::new(), budget, problems };
    let node = builder.value(1).and_then(|node| {
        builder.skip_space();
        if builder.rest.is_empty() { Ok(node) } else { Err("not JSON: more after the end; remove it".to_owned()) }
    });
    match node {
        Ok(node) => Some(node),
        Err(message) => {
            problems.error_on_line(Some(builder.line), &builder.path.join("::"), message);
            None
        }
    }
}

struct Builder<'a> {
    rest: &'a str,
    line: usize,
    /// The keys above what is being read.
    path: Vec<String>,
    budget: &'a mut Budget,
    problems: &'a Problems<'a>,
}

impl<'a> Builder<'a> {
    fn skip_space(&mut self) {
        let rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
        let skipped = self.rest.get(..self.rest.len() - rest.len()).unwrap_or_default();
        self.line += skipped.bytes().filter(|byte| *byte == b'\n').count();
        self.rest = rest;
    }

    fn take(&mut self, token: &str) -> bool {
        self.skip_space();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn value(&mut self, depth: usize) -> Result<Node, String> {
        if depth > MAX_DEPTH {
            return Err(format!("nested deeper than {MAX_DEPTH} levels"));
        }
        self.skip_space();
        let line = self.line;
        let value = match self.rest.bytes().next() {
            Some(b'{') => Value::Mapping(self.entries(depth)?),
            Some(b'[') => Value::Sequence(self.items(depth)?),
            Some(b'"') => Value::Scalar { text: self.string()?, plain: false },
            _ => Value::Scalar { text: self.word()?.to_owned(), plain: true },
        };
        let text_len = if let Value::Scalar { text, .. } = &value { text.len() } else { 0 };
        if self.budget.spend(text_len) { Ok(Node { line, value, source: None }) } else { Err(too_large()) }
    }

    fn items(&mut self, depth: usize) -> Result<Vec<Node>, String> {
        self.take("[");
        let mut items = Vec::new();
        if self.take("]") {
            return Ok(items);
        }
        loop {
            self.path.push(items.len().to_string());
            items.push(self.value(depth + 1)?);
            self.path.pop();
            if self.take("]") {
                return Ok(items);
            }
            if !self.take(",") {
                return Err(self.expected("`,` or `]`"));
            }
        }
    }

    fn entries(&mut self, depth: usize) -> Result<Vec<Entry>, String> {
        self.take("{");
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        if self.take("}") {
            return Ok(entries);
        }
        loop {
            self.skip_space();
            let line = self.line;
            if !self.rest.starts_with('"') {
                return Err(self.expected("a key in quotes"));
            }
            let key = self.string()?;
            if key.len() > MAX_KEY_LEN || !self.budget.spend(key.len()) {
                return Err(too_large());
            }
            if !self.take(":") {
                return Err(self.expected("`:`"));
            }
            self.path.push(key.clone());
            let value = self.value(depth + 1)?;
            if let Some(first) = seen.get(&key) {
                let message = format!("given twice, on lines {first} and {line}; write it once");
                self.problems.error_on_line(Some(line), &self.path.join("::"), message);
            } else {
                seen.insert(key.clone(), line);
                entries.push(Entry { key, line, value });
            }
            self.path.pop();
            if self.take("}") {
                return Ok(entries);
            }
            if !self.take(",") {
                return Err(self.expected("`,` or `}`"));
            }
        }
    }

    /// A string; escapes are left to a parser that knows them all.
    fn string(&mut self) -> Result<String, String> {
        let mut escaped = false;
        let end = self.rest.bytes().skip(1).position(|byte| {
            let closes = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            closes
        });
        let length = end.ok_or_else(|| "not JSON: a text is not closed; write `\"` at its end".to_owned())? + 2;
        let (token, rest) = self.rest.split_at_checked(length).unwrap_or((self.rest, ""));
        self.rest = rest;
        serde_json::from_str(token).map_err(|_| {
            "not JSON: a text has a bare control character or a bad escape; write `\\n`, `\\\\`".to_owned()
        })
    }

    /// A number, `true`, `false` or `null`.
    fn word(&mut self) -> Result<&'a str, String> {
        let end = self.rest.find(|each: char| !(each.is_ascii_alphanumeric() || matches!(each, '+' | '-' | '.')));
        let (word, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        if word.is_empty() {
            return Err(self.expected("a value"));
        }
        if serde_json::from_str::<serde_json::Value>(word).is_err() {
            return Err(format!("not JSON: `{}` is no value; write a number, or quotes around text", short(word)));
        }
        self.rest = rest;
        Ok(word)
    }

    fn expected(&self, what: &str) -> String {
        match self.rest.chars().next() {
            Some(found) => format!("not JSON: expected {what}, found `{}`", found.escape_debug()),
            None => format!("not JSON: expected {what}, found the end of the file"),
        }
    }
}

fn too_large() -> String {
    "too large; write less".to_owned()
}

fn short(word: &str) -> &str {
    word.get(..40).unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaints(text: &str) -> String {
        let problems = Problems::of("a.json");
        parse(text, &mut Budget::new(), &problems);
        problems.finish().unwrap_err().to_string()
    }

    #[test]
    fn a_document_becomes_a_tree_with_lines() {
        let problems = Problems::of("a.json");
        let text = "\u{feff}{\n \"a\": [1e-3, \"\\ud83d\\ude00\\/\"],\n\t\"b\": {},\n \"c\": null }\n";
        let root = parse(text, &mut Budget::new(), &problems).unwrap();
        let a = root.get("a").unwrap();
        let Value::Sequence(items) = &a.value.value else { panic!("no list") };
        assert_eq!(a.line, 2);
        assert_eq!(items[0].value, Value::Scalar { text: "1e-3".to_owned(), plain: true });
        assert_eq!(items[1].value, Value::Scalar { text: "\u{1f600}/".to_owned(), plain: false });
        assert_eq!(root.get("b").unwrap().line, 3);
        assert!(root.get("c").unwrap().value.is_null());
    }

    #[test]
    fn what_is_no_json_is_told_with_its_line() {
        for (text, complaint) in [
            ("", "a.json:1: not JSON: expected a value, found the end of the file"),
            ("{\"a\": NaN}", "a.json:1: a: not JSON: `NaN` is no value; write a number, or quotes around text"),
            ("{\"a\": 01}", "a.json:1: a: not JSON: `01` is no value; write a number, or quotes around text"),
            ("{\n\"a\": 1,\n\"a\": 2}", "a.json:3: a: given twice, on lines 2 and 3; write it once"),
            ("{\"a\": [1, 2}", "a.json:1: a: not JSON: expected `,` or `]`, found `}`"),
            ("{a: 1}", "a.json:1: not JSON: expected a key in quotes, found `a`"),
            ("[1] 2", "a.json:1: not JSON: more after the end; remove it"),
            ("[\"x", "a.json:1: 0: not JSON: a text is not closed; write `\"` at its end"),
        ] {
            assert_eq!(complaints(text), complaint, "{text}");
        }
        assert_eq!(complaints(&"[".repeat(100)).split(": ").last(), Some("nested deeper than 64 levels"));
    }
}
