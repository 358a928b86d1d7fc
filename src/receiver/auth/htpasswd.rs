//! Lines of htpasswd: `name:hash`, where the hash is bcrypt, SHA-1 or the password itself.
//! <https://httpd.apache.org/docs/current/misc/password_encryptions.html>. Knows text; nothing of requests.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::hidden::REDACTED;

/// Names with what their passwords are checked against.
pub(super) struct Table {
    users: BTreeMap<String, Entry>,
    /// Whether somebody's password takes long to check.
    slow: bool,
}

/// What one password is checked against.
#[derive(Clone)]
pub(super) enum Entry {
    /// Slow on purpose.
    Bcrypt(String),
    Sha1([u8; 20]),
    /// Kept as its digest, so that comparing says nothing about its length.
    Plain([u8; 32]),
}

/// Of a password that nobody has: checked where the name is unknown, so that time does not tell.
const NOBODYS: &str = "$2b$10$CCCCCCCCCCCCCCCCCCCCC.VGOzA784oUp/Z0DY336zx7pLYAy0lwK";

impl Table {
    /// Reads lines; empty ones and those that begin with `#` are left out. Of two lines with one name the first counts.
    pub(super) fn parse<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut users = BTreeMap::new();
        let lines = lines.into_iter().map(str::trim).enumerate();
        for (at, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            let (name, hash) = line
                .split_once(':')
                .filter(|(name, hash)| !name.is_empty() && !hash.is_empty())
                .ok_or_else(|| format!("line {} is not `name:hash`", at + 1))?;
            let entry = Entry::parse(hash).map_err(|reason| format!("line {}: {reason}", at + 1))?;
            users.entry(name.to_owned()).or_insert(entry);
        }
        if users.is_empty() {
            return Err("holds no user: nobody could send".to_owned());
        }
        let slow = users.values().any(Entry::is_slow);
        Ok(Self { users, slow })
    }

    /// What the password of `name` is checked against; where there is no such name, something that fails as slowly.
    pub(super) fn entry(&self, name: &str) -> Entry {
        match self.users.get(name) {
            Some(entry) => entry.clone(),
            None if self.slow => Entry::Bcrypt(NOBODYS.to_owned()),
            // No text has this digest.
            None => Entry::Plain([0; 32]),
        }
    }

    /// Whether there is such a name. Not to be answered to a sender.
    pub(super) fn has(&self, name: &str) -> bool {
        self.users.contains_key(name)
    }
}

impl Entry {
    fn parse(hash: &str) -> Result<Self, &'static str> {
        if ["$2a$", "$2b$", "$2x$", "$2y$"].iter().any(|prefix| hash.starts_with(prefix)) {
            let valid = hash.parse::<bcrypt::HashParts>().is_ok();
            return if valid { Ok(Self::Bcrypt(hash.to_owned())) } else { Err("is no bcrypt hash") };
        }
        if let Some(digest) = hash.strip_prefix("{SHA}") {
            let bytes = BASE64_STANDARD.decode(digest).ok().and_then(|bytes| bytes.try_into().ok());
            return bytes.map(Self::Sha1).ok_or("is no SHA-1 hash");
        }
        if hash == REDACTED {
            return Err("holds [REDACTED], which stands where a hash was left out: write the hash");
        }
        if hash.starts_with('$') || hash.starts_with('{') {
            return Err("this kind of hash is not checked here: write bcrypt, with `htpasswd -B`");
        }
        Ok(Self::Plain(Sha256::digest(hash).into()))
    }

    /// Whether checking takes long.
    pub(super) const fn is_slow(&self) -> bool {
        matches!(self, Self::Bcrypt(_))
    }

    /// Whether this is the password.
    pub(super) fn accepts(&self, password: &[u8]) -> bool {
        match self {
            Self::Bcrypt(hash) => bcrypt::verify(password, hash).unwrap_or(false),
            Self::Sha1(expected) => Sha1::digest(password).as_slice().ct_eq(expected).into(),
            Self::Plain(expected) => Sha256::digest(password).as_slice().ct_eq(expected).into(),
        }
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Table").field("users", &self.users.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_checked_as_other_programs_hash_them() {
        for (hash, password) in [
            // Openwall's crypt_blowfish 1.3, wrapper.c.
            ("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", "U*U"),
            // libxcrypt 4.4, through Python's crypt.
            ("$2b$10$PDAU3gUKum82/OALV.kQreGU5VfelcsRHKL6aw5DZjd0kQhVw.o9e", "s3cr3t"),
            // printf s3cr3t | openssl sha1 -binary | base64
            ("{SHA}JauGvtFJymypwcDV23yakTiN3qs=", "s3cr3t"),
            ("open:sesame", "open:sesame"),
        ] {
            let entry = Table::parse([format!("app:{hash}").as_str()]).unwrap().entry("app");
            assert!(entry.accepts(password.as_bytes()), "{hash}");
            for wrong in ["", "U*U*", "s3cr3", "S3cr3t", "open"] {
                assert!(!entry.accepts(wrong.as_bytes()), "{hash} {wrong}");
            }
        }
    }

    #[test]
    fn what_cannot_be_checked_is_refused_by_its_line_and_not_shown() {
        for (text, error) in [
            ("", "holds no user: nobody could send"),
            ("# app:one", "holds no user: nobody could send"),
            ("app", "line 1 is not `name:hash`"),
            ("app:one\n:two", "line 2 is not `name:hash`"),
            ("app:", "line 1 is not `name:hash`"),
            ("app:$2y$10$short", "line 1: is no bcrypt hash"),
            ("app:[REDACTED]", "line 1: holds [REDACTED], which stands where a hash was left out: write the hash"),
            ("app:{SHA}short", "line 1: is no SHA-1 hash"),
            ("app:$apr1$ab$cd", "line 1: this kind of hash is not checked here: write bcrypt, with `htpasswd -B`"),
            ("app:{SSHA}ab", "line 1: this kind of hash is not checked here: write bcrypt, with `htpasswd -B`"),
        ] {
            assert_eq!(Table::parse(text.lines()).unwrap_err(), error, "{text}");
        }
    }

    #[test]
    fn of_two_lines_with_one_name_the_first_counts() {
        let table = Table::parse(["app:one", "app:two"]).unwrap();
        assert!(table.entry("app").accepts(b"one") && !table.entry("app").accepts(b"two"));
    }

    #[test]
    fn an_unknown_name_has_no_password_and_takes_as_long() {
        let fast = Table::parse(["app:one"]).unwrap();
        assert!(!fast.entry("who").accepts(b"") && !fast.entry("who").is_slow());
        let slow = Table::parse(["app:$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"]).unwrap();
        assert!(!slow.entry("who").accepts(b"U*U") && slow.entry("who").is_slow());
    }

    #[test]
    fn nothing_of_it_is_shown() {
        assert_eq!(format!("{:?}", Table::parse(["app:s3cr3t"]).unwrap()), "Table { users: 1, .. }");
    }
}
