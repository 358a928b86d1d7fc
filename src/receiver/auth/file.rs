//! A file whose contents are in use and may change: read again when it is asked for and the last look was a while ago.
//! Contents that are wrong leave those before in use. Knows nothing of what they mean.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::AuthError;

/// The longest time for which contents that are no longer in the file are used.
const MAX_AGE: Duration = Duration::from_secs(10);

/// How a file's text becomes what is used of it.
type Parse<T> = Arc<dyn Fn(&str) -> Result<T, String> + Send + Sync>;

/// What is read from a file.
pub(super) struct Watched<T> {
    path: PathBuf,
    parse: Parse<T>,
    state: Mutex<State<T>>,
}

struct State<T> {
    text: String,
    parsed: Arc<T>,
    looked: Instant,
    /// Why what stands in the file now is not used.
    fault: Option<AuthError>,
}

impl<T: Send + Sync + 'static> Watched<T> {
    pub(super) fn load(
        path: PathBuf,
        parse: impl Fn(&str) -> Result<T, String> + Send + Sync + 'static,
    ) -> Result<Self, AuthError> {
        let parse: Parse<T> = Arc::new(parse);
        let (text, parsed) = read(path.clone(), &parse)?;
        let state = State { text, parsed: Arc::new(parsed), looked: Instant::now(), fault: None };
        Ok(Self { path, parse, state: Mutex::new(state) })
    }

    /// What is in use, after a look at the file where the last one was too long ago.
    pub(super) async fn get(&self) -> Arc<T> {
        let now = Instant::now();
        {
            let mut state = self.state();
            if now.saturating_duration_since(state.looked) < MAX_AGE {
                return Arc::clone(&state.parsed);
            }
            // Others that come meanwhile use what is there.
            state.looked = now;
        }
        let (path, parse) = (self.path.clone(), Arc::clone(&self.parse));
        // A reading that panicked has changed nothing.
        if let Ok(read) = tokio::task::spawn_blocking(move || read(path, &parse)).await {
            self.take(read);
        }
        Arc::clone(&self.state().parsed)
    }

    fn take(&self, read: Result<(String, T), AuthError>) {
        let mut state = self.state();
        match read {
            Ok((text, _)) if text == state.text => state.fault = None,
            Ok((text, parsed)) => {
                tracing::info!(file = %self.path.display(), "new credentials of senders are in use");
                *state = State { text, parsed: Arc::new(parsed), looked: state.looked, fault: None };
            }
            Err(error) if state.fault.as_ref() == Some(&error) => {}
            Err(error) => {
                tracing::error!(%error, "the credentials of senders cannot be used: those before stay in use");
                state.fault = Some(error);
            }
        }
    }

    /// A panic cannot leave it half-changed, so a poisoned lock is as good as another.
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> std::fmt::Debug for Watched<T> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Watched").field("path", &self.path).finish_non_exhaustive()
    }
}

fn read<T>(path: PathBuf, parse: &Parse<T>) -> Result<(String, T), AuthError> {
    match std::fs::read_to_string(&path).map_err(|error| error.to_string()).and_then(|text| {
        let parsed = parse(&text)?;
        Ok((text, parsed))
    }) {
        Ok(read) => Ok(read),
        Err(reason) => Err(AuthError::File { path, reason }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_file_is_read_again_after_its_time_and_wrong_contents_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("number");
        std::fs::write(&path, "1").unwrap();
        let number = |text: &str| text.parse::<u32>().map_err(|error| error.to_string());
        let watched = Watched::load(path.clone(), number).unwrap();
        std::fs::write(&path, "2").unwrap();
        assert_eq!(*watched.get().await, 1, "within its time");
        for (text, expected) in [("2", 2), ("two", 2), ("3", 3)] {
            std::fs::write(&path, text).unwrap();
            tokio::time::advance(MAX_AGE).await;
            assert_eq!(*watched.get().await, expected, "{text}");
        }
        std::fs::remove_file(&path).unwrap();
        tokio::time::advance(MAX_AGE).await;
        assert_eq!(*watched.get().await, 3);
    }

    #[test]
    fn a_file_that_is_wrong_at_the_start_is_an_error_that_names_it() {
        let path = PathBuf::from("/nowhere/tokens");
        let error = Watched::load(path, |_| Ok(())).unwrap_err();
        assert_eq!(error.to_string(), "/nowhere/tokens: No such file or directory (os error 2)");
    }
}
