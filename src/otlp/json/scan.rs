//! A cursor over JSON text (RFC 8259) that never builds a tree: it hands out slices of the body and counts the depth.
//! Knows JSON only; nothing of OTLP or protobuf.
//!
//! Own, since serde_json refuses a string with half a surrogate pair, and JavaScript SDKs that cut strings at a maximum
//! length send them (`"\ud83d"`); and since integers shall not pass through doubles.

use super::MAX_DEPTH;
use super::error::{Fault, SyntaxFault, ValueFault};
use super::number;
use super::quoted::Quoted;

/// What kind of value begins at the cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    Object,
    List,
    String,
    Number,
    Bool,
    Null,
}

/// The closing byte of an object or a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Close {
    Object,
    List,
}

/// The cursor. `at` stands on a boundary between characters at all times: it moves over ASCII and whole strings only.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Scanner<'a> {
    /// A cursor before the first value of `text`. A byte order mark is passed over, as RFC 8259 section 8.1 allows.
    pub(super) fn new(text: &'a str) -> Self {
        let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Self { text, at, depth: 0 }
    }

    /// The kind of the next value; the cursor stays before it.
    pub(super) fn peek(&mut self) -> Result<Token, Fault> {
        match self.next_byte()? {
            b'{' => Ok(Token::Object),
            b'[' => Ok(Token::List),
            b'"' => Ok(Token::String),
            b'-' | b'0'..=b'9' => Ok(Token::Number),
            b't' | b'f' => Ok(Token::Bool),
            b'n' => Ok(Token::Null),
            _ => Err(self.expected("a value")),
        }
    }

    /// Enters the object or list that `peek` has seen; whether it has a first element.
    pub(super) fn open(&mut self, close: Close) -> Result<bool, Fault> {
        if self.depth == MAX_DEPTH {
            return Err(ValueFault::Depth.into());
        }
        self.depth += 1;
        self.at += 1;
        let ended = self.next_byte()? == close.byte();
        if ended {
            self.leave();
        }
        Ok(!ended)
    }

    /// Passes what follows an element: whether it is a comma, so that another one must come, or the end.
    pub(super) fn another(&mut self, close: Close) -> Result<bool, Fault> {
        match self.next_byte()? {
            b',' => {
                self.at += 1;
                Ok(true)
            }
            byte if byte == close.byte() => {
                self.leave();
                Ok(false)
            }
            _ => Err(self.expected(close.advice())),
        }
    }

    /// The next member's name and the colon behind it.
    pub(super) fn key(&mut self) -> Result<Quoted<'a>, Fault> {
        if self.next_byte()? != b'"' {
            return Err(self.expected("a name in double quotes"));
        }
        let key = self.string()?;
        if self.next_byte()? != b':' {
            return Err(self.expected("`:`"));
        }
        self.at += 1;
        Ok(key)
    }

    /// The string that `peek` has seen.
    pub(super) fn string(&mut self) -> Result<Quoted<'a>, Fault> {
        let bytes = self.text.as_bytes();
        let start = self.at + 1;
        let mut escaped = false;
        let mut at = start;
        loop {
            let end = memchr::memchr2(b'"', b'\\', &bytes[at..]).map_or(bytes.len(), |found| at + found);
            if let Some(control) = bytes[at..end].iter().position(|&byte| byte < 0x20) {
                return Err(Fault::Syntax(SyntaxFault::Control, at + control));
            }
            match bytes.get(end) {
                None => return Err(self.ended()),
                Some(b'"') => {
                    self.at = end + 1;
                    return Ok(Quoted::new(&self.text[start..end], escaped));
                }
                Some(_) => at = end + self.escape_len(end)?,
            }
            escaped = true;
        }
    }

    /// The text of the number that `peek` has seen.
    pub(super) fn number(&mut self) -> Result<&'a str, Fault> {
        let rest = &self.text[self.at..];
        let len = match number::prefix_len(rest.as_bytes()) {
            Ok(len) => len,
            Err(stopped) if stopped == rest.len() => return Err(self.ended()),
            Err(stopped) => return Err(Fault::Syntax(SyntaxFault::Expected("a digit"), self.at + stopped)),
        };
        self.at += len;
        Ok(&rest[..len])
    }

    /// The `true` or `false` that `peek` has seen.
    pub(super) fn bool(&mut self) -> Result<bool, Fault> {
        let value = self.text.as_bytes().get(self.at) == Some(&b't');
        self.word(if value { "true" } else { "false" }).map(|()| value)
    }

    /// Passes `null` where it comes next; whether it did.
    pub(super) fn null(&mut self) -> Result<bool, Fault> {
        if self.peek()? != Token::Null {
            return Ok(false);
        }
        self.word("null").map(|()| true)
    }

    /// Passes the next value, whatever it holds. Recursion ends at [`MAX_DEPTH`].
    pub(super) fn skip(&mut self) -> Result<(), Fault> {
        match self.peek()? {
            Token::String => self.string().map(drop),
            Token::Number => self.number().map(drop),
            Token::Bool => self.bool().map(drop),
            Token::Null => self.word("null"),
            Token::List => {
                let mut more = self.open(Close::List)?;
                while more {
                    self.skip()?;
                    more = self.another(Close::List)?;
                }
                Ok(())
            }
            Token::Object => {
                let mut more = self.open(Close::Object)?;
                while more {
                    self.key()?;
                    self.skip()?;
                    more = self.another(Close::Object)?;
                }
                Ok(())
            }
        }
    }

    /// Nothing but white space may follow the outermost value.
    pub(super) fn finish(&mut self) -> Result<(), Fault> {
        self.pass_space();
        if self.at < self.text.len() { Err(self.expected("the end of the body")) } else { Ok(()) }
    }

    /// Bytes of the escape at `at`, the backslash included.
    fn escape_len(&self, at: usize) -> Result<usize, Fault> {
        let bytes = self.text.as_bytes();
        let digits = match bytes.get(at + 1) {
            None => return Err(self.ended()),
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => return Ok(2),
            Some(b'u') => &bytes[at + 2..bytes.len().min(at + 6)],
            Some(_) => return Err(Fault::Syntax(SyntaxFault::Escape, at)),
        };
        if !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(Fault::Syntax(SyntaxFault::Escape, at));
        }
        if digits.len() < 4 { Err(self.ended()) } else { Ok(6) }
    }

    fn word(&mut self, word: &'static str) -> Result<(), Fault> {
        let rest = &self.text[self.at..];
        if rest.starts_with(word) {
            self.at += word.len();
            return Ok(());
        }
        if word.starts_with(rest) { Err(self.ended()) } else { Err(self.expected(word)) }
    }

    fn next_byte(&mut self) -> Result<u8, Fault> {
        self.pass_space();
        self.text.as_bytes().get(self.at).copied().ok_or_else(|| self.ended())
    }

    fn pass_space(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count();
    }

    fn leave(&mut self) {
        self.at += 1;
        self.depth -= 1;
    }

    fn expected(&self, what: &'static str) -> Fault {
        Fault::Syntax(SyntaxFault::Expected(what), self.at)
    }

    fn ended(&self) -> Fault {
        Fault::Syntax(SyntaxFault::End, self.text.len())
    }
}

impl Close {
    const fn byte(self) -> u8 {
        match self {
            Self::Object => b'}',
            Self::List => b']',
        }
    }

    const fn advice(self) -> &'static str {
        match self {
            Self::Object => "`,` or `}`",
            Self::List => "`,` or `]`",
        }
    }
}
