//! `bearertokenauth` and `basicauth`: which senders are let in, and `auth` of a receiver, which names one of them.
//! Knows keys and advice; reads no file, and shows no secret.

use std::path::PathBuf;

use http::{HeaderName, HeaderValue};
use serde::{Serialize, Serializer};

use super::component::ComponentId;
use super::secret::{REDACTED, Secret};
use super::section::{Field, Section};

/// `auth` of a receiver's protocol. Its absence lets everybody in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuthConfig {
    /// The extension that says who may send.
    pub authenticator: ComponentId,
}

/// `extensions.bearertokenauth[/name]`; there is a token or a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BearerTokenAuthConfig {
    /// The header that holds the token, in lower case; `authorization`.
    pub header: String,
    /// What stands in front of the token; `Bearer`. Empty for the token alone.
    pub scheme: String,
    /// The tokens that let a sender in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<Secret>,
    /// A file of tokens, one a line, instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filename: Option<PathBuf>,
}

/// `extensions.basicauth[/name]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BasicAuthConfig {
    /// Names with hashes of passwords.
    pub htpasswd: HtpasswdConfig,
}

/// `htpasswd`; there is a line or a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HtpasswdConfig {
    /// Lines that go before those of the file.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "lines")]
    pub inline: Vec<(String, Secret)>,
    /// A file of lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<PathBuf>,
}

fn lines<S: Serializer>(users: &[(String, Secret)], serializer: S) -> Result<S::Ok, S::Error> {
    let lines: String = users.iter().map(|(name, _)| format!("{name}:{REDACTED}\n")).collect();
    serializer.serialize_str(&lines)
}

impl AuthConfig {
    /// Reads `auth`; `None` where it names nothing, which has been reported.
    pub(super) fn read(mut section: Section<'_>) -> Option<Self> {
        let authenticator = section.get("authenticator", |field| ComponentId::parse(field.text()?));
        if authenticator.is_none() && !section.has("authenticator") {
            section.error("no `authenticator`; write `authenticator: bearertokenauth`, or remove `auth`");
        }
        section.finish(&[("request_params", "credentials in URLs end up in logs; remove it, and send a header")]);
        Some(Self { authenticator: authenticator? })
    }
}

impl BearerTokenAuthConfig {
    /// Reads `extensions.bearertokenauth[/name]`; `None` where it lets nobody in, which has been reported.
    pub(super) fn read(field: &Field<'_>) -> Option<Self> {
        let mut section = field.section()?;
        let (mut header, mut scheme) = ("authorization".to_owned(), "Bearer".to_owned());
        section.read("header", &mut header, |field| {
            let name = HeaderName::from_bytes(field.text()?.as_bytes());
            name.map(|name| name.as_str().to_owned())
                .map_err(|_| "is no name of a header; write `Authorization`".to_owned())
        });
        section.read("scheme", &mut scheme, |field| {
            let scheme = field.string()?;
            let word = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
            if word { Ok(scheme) } else { Err("is no scheme; write one word, such as `Bearer`".to_owned()) }
        });
        let mut tokens: Vec<Secret> = section.get("token", token).into_iter().collect();
        if let Some(list) = section.field("tokens") {
            for item in list.items().filter(|item| !item.is_reported()) {
                match token(&item) {
                    Ok(token) => tokens.push(token),
                    Err(message) => item.error(message),
                }
            }
        }
        let filename = section.get("filename", Field::string).filter(|name| !name.is_empty()).map(PathBuf::from);
        let written = ["token", "tokens"].iter().any(|key| section.has(key));
        match &filename {
            Some(_) if written => section.error_in("filename", "tokens are given beside it; write one or the other"),
            None if !written => {
                section.error("lets nobody in; write `token: ${env:TOKEN}`, or a `filename` with a token a line");
            }
            _ => {}
        }
        section.finish(&[]);
        (!tokens.is_empty() || filename.is_some()).then_some(Self { header, scheme, tokens, filename })
    }
}

/// A token that a header can carry; the text stands in no error.
fn token(field: &Field<'_>) -> Result<Secret, String> {
    let text = field.text().map_err(|_| "write text".to_owned())?;
    let sendable = HeaderValue::from_str(text).is_ok_and(|value| value.to_str().is_ok());
    match text.trim() {
        "" => Err("is empty, so that anybody could guess it; write a token, or set the variable".to_owned()),
        _ if !sendable => Err(format!("{REDACTED} has characters that no header can carry; write printable ASCII")),
        trimmed => Ok(Secret::new(trimmed.to_owned())),
    }
}

impl BasicAuthConfig {
    /// Reads `extensions.basicauth[/name]`; `None` where it lets nobody in, which has been reported.
    pub(super) fn read(field: &Field<'_>) -> Option<Self> {
        let mut section = field.section()?;
        let htpasswd = section.section("htpasswd").and_then(HtpasswdConfig::read);
        if htpasswd.is_none() && !section.has("htpasswd") {
            section.error("lets nobody in; write `htpasswd: {file: ...}`, or `htpasswd: {inline: ...}`");
        }
        section.finish(&[("client_auth", "is for exporters; remove it, and write `headers` in the exporter")]);
        Some(Self { htpasswd: htpasswd? })
    }
}

impl HtpasswdConfig {
    fn read(mut section: Section<'_>) -> Option<Self> {
        let inline = section.get("inline", users);
        let file = section.get("file", Field::string).filter(|name| !name.is_empty()).map(PathBuf::from);
        if file.is_none() && inline.as_ref().is_none_or(Vec::is_empty) && !section.has("inline") {
            section.error("lets nobody in; write `file: ...`, or `inline: ${env:HTPASSWD}`");
        }
        section.finish(&[]);
        let inline = inline.unwrap_or_default();
        (!inline.is_empty() || file.is_some()).then_some(Self { inline, file })
    }
}

/// Lines of `name:hash`; no error shows one.
fn users(field: &Field<'_>) -> Result<Vec<(String, Secret)>, String> {
    let text = field.text().map_err(|_| "write text".to_owned())?;
    let lines = text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let users = lines.map(|(at, line)| match line.split_once(':') {
        Some((name, hash)) if !name.is_empty() && !hash.is_empty() => {
            Ok((name.to_owned(), Secret::new(hash.to_owned())))
        }
        _ => Err(format!("its line {} is not `name:hash`; write lines that `htpasswd -nB name` prints", at + 1)),
    });
    match users.collect::<Result<Vec<_>, _>>() {
        Ok(users) if users.is_empty() => {
            Err("holds no line, so that nobody could send; write one that `htpasswd -nB name` prints".to_owned())
        }
        users => users,
    }
}
