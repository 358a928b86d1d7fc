//! The process's log: one event a line on standard error, for people or as JSON. Knows nothing of who writes
//! what. Text that came from the network cannot break a line or reach the terminal as a control sequence.

use std::fmt::Debug;
use std::io;

use tracing::Dispatch;
use tracing::field::Field;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{EnvFilter, Registry, reload};

use super::sampling::{LogSampling, Sampler};

/// The environment variable that overrides the level: directives as `RUST_LOG` takes them.
pub const FILTER_VARIABLE: &str = "GRAMTRACE_LOG";

/// From which severity on events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogLevel {
    /// Everything that helps to find a fault.
    Debug,
    /// What a person wants to know who starts and stops the service.
    #[default]
    Info,
    /// What should not happen and was coped with.
    Warn,
    /// What was not coped with.
    Error,
}

/// How an event is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogEncoding {
    /// One line for people.
    #[default]
    Console,
    /// One JSON object a line.
    Json,
}

/// What is logged, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogSettings {
    /// From which severity on.
    pub level: LogLevel,
    /// In which form.
    pub encoding: LogEncoding,
    /// How much of a flood is written; `None` is all.
    pub sampling: Option<LogSampling>,
}

/// Changes a log that is in use.
#[derive(Debug, Clone)]
pub struct LogControl {
    /// `None` where the override decides.
    filter: Option<reload::Handle<EnvFilter, Registry>>,
    sampler: Sampler,
    encoding: LogEncoding,
}

impl LogControl {
    /// Goes over to other settings. `false` where something of it has to wait for the next start: the encoding.
    pub fn change(&self, settings: LogSettings) -> bool {
        self.sampler.change(settings.sampling);
        if let (Some(handle), Ok(filter)) = (&self.filter, read_filter(settings.level, None)) {
            // The log lives as long as the process.
            let _ = handle.reload(filter);
        }
        settings.encoding == self.encoding
    }
}

/// Why logging could not begin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// The override is no list of directives.
    #[error(
        "{FILTER_VARIABLE}: {reason} in `{filter}`: write a level, or directives such as `gramtrace=debug,h2=info`"
    )]
    Filter {
        /// What was given.
        filter: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The process has a log already.
    #[error("the log was set up twice")]
    Installed,
}

impl LogLevel {
    /// What libraries may say goes only as far as a warning: their detail drowns ours. The override can ask for it.
    const fn directives(self) -> &'static str {
        match self {
            Self::Debug => "warn,gramtrace=debug",
            Self::Info => "warn,gramtrace=info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// Makes standard error the log of this process. `filter`, the value of [`FILTER_VARIABLE`], overrides the level;
/// an empty one does not.
///
/// # Errors
/// [`LogError::Filter`] for an override that cannot be read, [`LogError::Installed`] on the second call.
pub fn install(settings: LogSettings, filter: Option<&str>) -> Result<LogControl, LogError> {
    let (dispatch, control) = dispatch(settings, filter, io::stderr)?;
    tracing::dispatcher::set_global_default(dispatch).map_err(|_| LogError::Installed)?;
    Ok(control)
}

/// A log that goes to `writer`.
fn dispatch<W>(settings: LogSettings, filter: Option<&str>, writer: W) -> Result<(Dispatch, LogControl), LogError>
where
    W: for<'writer> MakeWriter<'writer> + Send + Sync + 'static,
{
    let filter = filter.filter(|filter| !filter.trim().is_empty());
    let (layer, handle) = reload::Layer::new(read_filter(settings.level, filter)?);
    let sampler = Sampler::new(settings.sampling);
    let control = LogControl {
        filter: filter.is_none().then_some(handle),
        sampler: sampler.clone(),
        encoding: settings.encoding,
    };
    let registry = tracing_subscriber::registry().with(layer).with(sampler);
    let lines = fmt::layer().with_writer(writer).with_ansi(false);
    let dispatch = match settings.encoding {
        LogEncoding::Json => registry.with(lines.json().flatten_event(true)).into(),
        LogEncoding::Console => registry.with(lines.fmt_fields(debug_fn(write_field).delimited(" "))).into(),
    };
    Ok((dispatch, control))
}

fn read_filter(level: LogLevel, filter: Option<&str>) -> Result<EnvFilter, LogError> {
    let directives = filter.unwrap_or(level.directives());
    EnvFilter::try_new(directives)
        .map_err(|error| LogError::Filter { filter: directives.to_owned(), reason: error.to_string() })
}

/// Writes `key=value`, the message without its key; a control character as its escape, so that one event is one line.
fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> std::fmt::Result {
    if field.name() != "message" {
        write!(writer, "{}=", field.name())?;
    }
    for character in format!("{value:?}").chars() {
        match character {
            control if control.is_control() => write!(writer, "{}", control.escape_default())?,
            other => writer.write_char(other)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Seek};
    use std::sync::Arc;

    use tracing::dispatcher::with_default;
    use tracing::{debug, error, info, warn};

    use super::*;

    fn lines(settings: LogSettings, filter: Option<&str>, write: impl FnOnce()) -> Vec<String> {
        let file = Arc::new(tempfile::tempfile().unwrap());
        with_default(&dispatch(settings, filter, Arc::clone(&file)).unwrap().0, write);
        let mut text = String::new();
        (&*file).rewind().unwrap();
        (&*file).read_to_string(&mut text).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn every_level() {
        debug!(target: "gramtrace::receiver", "detail");
        info!(target: "gramtrace::receiver", "note");
        warn!(target: "gramtrace::receiver", "warning");
        error!(target: "gramtrace::receiver", "error");
        info!(target: "h2::client", "library note");
        warn!(target: "h2::client", "library warning");
    }

    #[test]
    fn each_level_writes_itself_and_what_is_worse() {
        let counts = [LogLevel::Debug, LogLevel::Info, LogLevel::Warn, LogLevel::Error].map(|level| {
            let settings = LogSettings { level, ..LogSettings::default() };
            lines(settings, None, every_level).len()
        });
        assert_eq!(counts, [5, 4, 3, 1]);
    }

    #[test]
    fn the_override_wins_and_an_empty_one_does_not_count() {
        let settings = LogSettings { level: LogLevel::Error, ..LogSettings::default() };
        assert_eq!(lines(settings, Some("gramtrace=debug"), every_level).len(), 4);
        assert_eq!(lines(settings, Some("h2=info"), every_level).len(), 2);
        assert_eq!(lines(settings, Some(" "), every_level).len(), 1);
    }

    #[test]
    fn a_log_in_use_takes_another_level_unless_the_override_decides() {
        for (filter, expected) in [(None, 3), (Some("gramtrace=error"), 1)] {
            let file = Arc::new(tempfile::tempfile().unwrap());
            let settings = LogSettings { level: LogLevel::Error, ..LogSettings::default() };
            let (dispatch, control) = dispatch(settings, filter, Arc::clone(&file)).unwrap();
            assert!(control.change(LogSettings { level: LogLevel::Warn, ..settings }));
            with_default(&dispatch, every_level);
            assert!(!control.change(LogSettings { encoding: LogEncoding::Json, ..settings }));
            let mut text = String::new();
            (&*file).rewind().unwrap();
            (&*file).read_to_string(&mut text).unwrap();
            assert_eq!(text.lines().count(), expected, "{filter:?}");
        }
    }

    #[test]
    fn a_flood_of_one_line_is_cut_and_another_is_written() {
        let sampling = Some(LogSampling { initial: 2, thereafter: 100, ..LogSampling::default() });
        let written = lines(LogSettings { sampling, ..LogSettings::default() }, None, || {
            for number in 0..150 {
                warn!(target: "gramtrace::receiver", number, "flood");
            }
            warn!(target: "gramtrace::receiver", "other");
        });
        let said: Vec<_> = written.iter().map(|line| line.rsplit(": ").next().unwrap()).collect();
        assert_eq!(said, ["flood number=0", "flood number=1", "flood number=101", "other"]);
    }

    #[test]
    fn an_override_that_cannot_be_read_says_where_it_stands_and_what_to_write() {
        let error = dispatch(LogSettings::default(), Some("gramtrace=loud"), io::sink).unwrap_err();
        let said = error.to_string();
        assert!(said.starts_with("GRAMTRACE_LOG: "), "{said}");
        assert!(said.ends_with("in `gramtrace=loud`: write a level, or directives such as `gramtrace=debug,h2=info`"));
    }

    #[test]
    fn an_event_is_one_line_whatever_it_says() {
        let written = lines(LogSettings::default(), None, || {
            let peer = "a\r\nERROR forged\u{1b}[2J";
            warn!(target: "gramtrace::receiver", peer, code = 7, "refused: {peer}");
        });
        assert_eq!(written.len(), 1);
        let (_, said) = written[0].split_once(" WARN ").unwrap();
        assert_eq!(
            said,
            "gramtrace::receiver: refused: a\\r\\nERROR forged\\u{1b}[2J \
             peer=\"a\\r\\nERROR forged\\u{1b}[2J\" code=7"
        );
    }

    #[test]
    fn json_is_one_object_a_line_with_the_fields_beside_the_message() {
        let settings = LogSettings { encoding: LogEncoding::Json, ..LogSettings::default() };
        let written = lines(settings, None, || warn!(target: "gramtrace::receiver", reason = "corrupt\n", "refused"));
        assert_eq!(written.len(), 1);
        let object: serde_json::Value = serde_json::from_str(&written[0]).unwrap();
        assert_eq!(object["level"], "WARN");
        assert_eq!(object["message"], "refused");
        assert_eq!(object["reason"], "corrupt\n");
        assert_eq!(object["target"], "gramtrace::receiver");
        assert!(object["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')));
    }
}
