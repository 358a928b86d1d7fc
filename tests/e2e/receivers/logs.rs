//! What the process logs, kept apart by test: each test runs on a thread of its own, with all that it starts.

use std::cell::RefCell;
use std::io;
use std::sync::Once;

thread_local! {
    static LOGGED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

struct ThisThread;

impl io::Write for ThisThread {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOGGED.with_borrow_mut(|logged| logged.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Collects logs from now on. Called before anything that logs, so that no place is known as one that nobody hears.
pub(super) fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        tracing_subscriber::fmt().with_ansi(false).with_writer(|| ThisThread).init();
    });
}

/// The lines of this test that contain `what`.
pub(super) fn with(what: &str) -> Vec<String> {
    let text = LOGGED.with_borrow(|logged| String::from_utf8(logged.clone()).unwrap());
    text.lines().filter(|line| line.contains(what)).map(str::to_owned).collect()
}
