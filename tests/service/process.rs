//! The `gramtrace` binary as a child process: started, told to stop, and read.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::thread;

const BINARY: &str = env!("CARGO_BIN_EXE_gramtrace");

/// Runs a command to its end. The environment is empty: nothing of this machine's changes what it does.
pub fn run(arguments: &[&str]) -> Output {
    Command::new(BINARY).args(arguments).env_clear().stdin(Stdio::null()).output().unwrap()
}

/// Starts a command, in an empty environment as well; its output is to be read.
fn started(arguments: &[&str]) -> Child {
    Command::new(BINARY)
        .args(arguments)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Runs a command whose output nobody reads to its end: the exit code, and what was on standard error.
#[allow(dead_code, reason = "of commands, not of the service")]
pub fn closed_early(arguments: &[&str]) -> (Option<i32>, String) {
    let mut child = started(arguments);
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    (child.wait().unwrap().code(), said)
}

/// A service that runs until it is dropped.
pub struct Service {
    child: Child,
    /// Lines of standard error as they come.
    log: mpsc::Receiver<String>,
}

impl Service {
    pub fn start(config: &Path) -> Self {
        Self::with(&["run", "--config", config.to_str().unwrap()])
    }

    /// Any other command that runs until it is told to stop.
    pub fn with(arguments: &[&str]) -> Self {
        let mut child = started(arguments);
        let (sender, log) = mpsc::channel();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, log }
    }

    /// The address in the next log line that has `marker`.
    pub fn address(&self, marker: &str) -> SocketAddr {
        let line = self.line(marker);
        let endpoint = line.split("endpoint=").nth(1).unwrap().split_whitespace().next().unwrap();
        endpoint.parse().unwrap()
    }

    /// The next log line that has `marker`; fails when the process ends without one.
    pub fn line(&self, marker: &str) -> String {
        let mut seen = Vec::new();
        while let Ok(line) = self.log.recv() {
            if line.contains(marker) {
                return line;
            }
            seen.push(line);
        }
        panic!("no line with `{marker}` before the end: {seen:#?}");
    }

    /// Reads standard output up to a line that has `marker`; fails when the process ends without one.
    #[allow(dead_code, reason = "of a command that shows something, not of the service")]
    pub fn reads(&mut self, marker: &str) {
        let output = BufReader::new(self.child.stdout.as_mut().unwrap());
        assert!(output.lines().map_while(Result::ok).any(|line| line.contains(marker)), "{marker}");
    }

    /// The process's number.
    #[allow(dead_code, reason = "shared with tests that look at the process from outside")]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal: `TERM`, `INT`, `HUP`.
    pub fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// Sends SIGTERM, waits for the end, and gives the exit code and what was on standard output.
    pub async fn terminate(self) -> (Option<i32>, String) {
        self.signal("TERM");
        self.ended().await
    }

    /// Waits for the end, and gives the exit code and what was on standard output. On a thread of its own: clients in
    /// this process must be able to answer the service's goodbye.
    pub async fn ended(self) -> (Option<i32>, String) {
        tokio::task::spawn_blocking(|| self.wait_for_end()).await.unwrap()
    }

    /// Sends SIGTERM, waits for the end, and gives what was logged and not read until then.
    pub async fn terminate_for_log(self) -> Vec<String> {
        let log = move || {
            self.signal("TERM");
            self.log.iter().collect()
        };
        tokio::task::spawn_blocking(log).await.unwrap()
    }

    fn wait_for_end(mut self) -> (Option<i32>, String) {
        let mut output = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut output).unwrap();
        (self.child.wait().unwrap().code(), output)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
