//! Names with passwords: <https://www.rfc-editor.org/rfc/rfc7617>.
//! Checking bcrypt is slow on purpose: it is done once for each name and password, and for few senders at a time, so
//! that guesses cost the guesser more than this process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

use super::file::Watched;
use super::htpasswd::Table;
use super::{AuthError, BasicSettings};
use crate::rejection::Rejection;

/// Slow checks at a time; more are asked to come back.
const SLOW_CHECKS: usize = 2;
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Tells names with their passwords from others.
#[derive(Debug)]
pub(super) struct Basic {
    table: Source,
    slow_checks: Semaphore,
    passed: Mutex<Passed>,
}

#[derive(Debug)]
enum Source {
    Given(Arc<Table>),
    File(Watched<Table>),
}

/// The digest of the last password of each name that passed a slow check, under one table.
#[derive(Debug, Default)]
struct Passed {
    table: Option<Arc<Table>>,
    digests: HashMap<String, [u8; 32]>,
}

impl Basic {
    pub(super) fn load(settings: &BasicSettings) -> Result<Self, AuthError> {
        let inline = settings.inline.clone();
        let table = match &settings.file {
            None => {
                let lines = inline.as_ref().map_or("", |inline| inline.expose()).lines();
                Source::Given(Arc::new(Table::parse(lines).map_err(AuthError::Inline)?))
            }
            Some(path) => Source::File(Watched::load(path.clone(), move |text| {
                let first = inline.as_ref().map_or("", |inline| inline.expose()).lines();
                Table::parse(first.chain(text.lines()))
            })?),
        };
        Ok(Self { table, slow_checks: Semaphore::new(SLOW_CHECKS), passed: Mutex::default() })
    }

    pub(super) async fn check(&self, headers: &HeaderMap) -> Result<(), Rejection> {
        let presented = headers.get(AUTHORIZATION).and_then(|value| Presented::read(value.as_bytes()));
        let presented = presented.ok_or_else(|| refused("send `authorization: Basic <name:password in base64>`"))?;
        let table = match &self.table {
            Source::Given(table) => Arc::clone(table),
            Source::File(file) => file.get().await,
        };
        let entry = table.entry(&presented.name);
        let accepted = if entry.is_slow() {
            self.check_slowly(presented, table).await?
        } else {
            // An unknown name's entry accepts nothing.
            entry.accepts(&presented.password)
        };
        if accepted { Ok(()) } else { Err(refused("the name and password are not known here")) }
    }

    async fn check_slowly(&self, presented: Presented, table: Arc<Table>) -> Result<bool, Rejection> {
        let digest = presented.digest();
        if self.has_passed(&presented.name, &digest, &table) {
            return Ok(true);
        }
        let overloaded = |_| Rejection::Overloaded { retry_after: RETRY_AFTER };
        let _turn = self.slow_checks.try_acquire().map_err(overloaded)?;
        let Presented { name, password } = presented;
        let entry = table.entry(&name);
        let accepted = tokio::task::spawn_blocking(move || entry.accepts(&password))
            .await
            .map_err(|error| Rejection::Internal(error.to_string()))?;
        if accepted && table.has(&name) {
            self.passed(&table).digests.insert(name, digest);
        }
        Ok(accepted)
    }

    fn has_passed(&self, name: &str, digest: &[u8; 32], table: &Arc<Table>) -> bool {
        self.passed(table).digests.get(name).is_some_and(|passed| passed.ct_eq(digest).into())
    }

    /// What has passed under `table`; what passed under another one counts no longer.
    fn passed(&self, table: &Arc<Table>) -> MutexGuard<'_, Passed> {
        // A panic cannot leave it half-changed, so a poisoned lock is as good as another.
        let mut passed = self.passed.lock().unwrap_or_else(PoisonError::into_inner);
        if !passed.table.as_ref().is_some_and(|of| Arc::ptr_eq(of, table)) {
            *passed = Passed { table: Some(Arc::clone(table)), digests: HashMap::new() };
        }
        passed
    }
}

/// What a sender says who it is.
struct Presented {
    name: String,
    password: Vec<u8>,
}

impl Presented {
    fn read(value: &[u8]) -> Option<Self> {
        let (scheme, encoded) = value.split_at_checked(6)?;
        if !scheme.eq_ignore_ascii_case(b"basic ") {
            return None;
        }
        let mut decoded = BASE64_STANDARD.decode(encoded.trim_ascii()).ok()?;
        let colon = decoded.iter().position(|byte| *byte == b':')?;
        let password = decoded.split_off(colon + 1);
        decoded.truncate(colon);
        Some(Self { name: String::from_utf8(decoded).ok()?, password })
    }

    fn digest(&self) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(&self.name);
        digest.update(b":");
        digest.update(&self.password);
        digest.finalize().into()
    }
}

fn refused(cure: &str) -> Rejection {
    let challenge = "Basic realm=\"gramtrace\", charset=\"UTF-8\"".to_owned();
    Rejection::Unauthenticated { challenge, cure: cure.to_owned() }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::super::Hidden;
    use super::*;

    /// `s3cr3t` with bcrypt: libxcrypt 4.4, through Python's crypt.
    const SLOW: &str = "slow:$2b$10$PDAU3gUKum82/OALV.kQreGU5VfelcsRHKL6aw5DZjd0kQhVw.o9e";

    fn basic(inline: &str, file: Option<&std::path::Path>) -> Basic {
        let inline = Some(Hidden::new(inline)).filter(|inline| !inline.expose().is_empty());
        Basic::load(&BasicSettings { inline, file: file.map(Into::into) }).unwrap()
    }

    async fn check(basic: &Basic, scheme: &str, credentials: &str) -> Result<(), Rejection> {
        let value = format!("{scheme} {}", BASE64_STANDARD.encode(credentials));
        basic.check(&HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::try_from(value).unwrap())])).await
    }

    #[tokio::test]
    async fn a_name_with_its_password_is_let_in_and_no_other() {
        let basic = basic(&format!("fast:open:sesame\n{SLOW}"), None);
        for (scheme, credentials) in [("Basic", "fast:open:sesame"), ("basic", "slow:s3cr3t"), ("BASIC", "slow:s3cr3t")]
        {
            assert_eq!(check(&basic, scheme, credentials).await, Ok(()), "{credentials}");
        }
        for credentials in ["fast:open", "fast:", "slow:s3cr3", "slow:", "who:s3cr3t", ":", "slow:s3cr3t:"] {
            let expected = Err(refused("the name and password are not known here"));
            assert_eq!(check(&basic, "Basic", credentials).await, expected, "{credentials}");
        }
        let unreadable = Err(refused("send `authorization: Basic <name:password in base64>`"));
        assert_eq!(check(&basic, "Bearer", "slow:s3cr3t").await, unreadable);
        assert_eq!(check(&basic, "Basic", "no colon").await, unreadable);
        assert_eq!(basic.check(&HeaderMap::new()).await, unreadable);
        let no_base64 = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static("Basic %"))]);
        assert_eq!(basic.check(&no_base64).await, unreadable);
    }

    #[tokio::test]
    async fn a_slow_check_is_made_once_and_few_are_made_at_a_time() {
        let basic = basic(SLOW, None);
        assert_eq!(check(&basic, "Basic", "slow:s3cr3t").await, Ok(()));
        let _busy = basic.slow_checks.try_acquire_many(2).unwrap();
        assert_eq!(check(&basic, "Basic", "slow:s3cr3t").await, Ok(()), "it has passed before");
        let overloaded = Err(Rejection::Overloaded { retry_after: Duration::from_secs(1) });
        assert_eq!(check(&basic, "Basic", "slow:guess").await, overloaded);
        assert_eq!(check(&basic, "Basic", "who:guess").await, overloaded);
    }

    #[tokio::test(start_paused = true)]
    async fn a_password_that_has_changed_in_the_file_lets_nobody_in() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("htpasswd");
        std::fs::write(&path, SLOW).unwrap();
        let basic = basic("given:one", Some(&path));
        assert_eq!(check(&basic, "Basic", "slow:s3cr3t").await, Ok(()));
        std::fs::write(&path, "slow:other\ngiven:two").unwrap();
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(check(&basic, "Basic", "slow:s3cr3t").await.is_err());
        assert_eq!(check(&basic, "Basic", "slow:other").await, Ok(()));
        assert_eq!(check(&basic, "Basic", "given:one").await, Ok(()), "what is given goes before the file");
    }
}
