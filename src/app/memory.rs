//! How much memory requests may take: what the process may have, by the configuration, its control group or the machine,
//! less what it takes itself. Part of the composition root. Reserves nothing.

use std::fs;
use std::path::{Path, PathBuf};

use crate::budget::CALLS_BYTES;
use crate::config::{Config, GramtraceConfig, SyncConfig};
use crate::receiver::{BudgetSettings, PLAIN_COST};

/// At least this part of the limit is for requests, whatever else the process takes.
const LEAST_PART: u64 = 4;
/// The part of it that is held back: an allocator keeps some of what is free for a while.
const HELD_BACK: u64 = 3;
/// One request may take this part of what all may.
const LARGEST_PART: u64 = 2;

/// What is said about memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Memory {
    /// What requests may take together.
    pub(super) budget: BudgetSettings,
    /// The largest request in bytes.
    pub(super) largest_request: usize,
}

impl Memory {
    /// `resident` is what the process takes before its first request; `available` what it may have, as far as that is
    /// known: without it only a limit in bytes holds.
    pub(super) fn of(config: &Config, resident: u64, available: Option<u64>) -> Self {
        let limiter = config.memory_limiter();
        if available.is_none() && limiter.limit_mib == 0 {
            return Self { budget: BudgetSettings::UNLIMITED, largest_request: usize::MAX };
        }
        let available = available.unwrap_or(u64::MAX);
        let limit = limiter.limit_bytes(available);
        let remembered: u64 = config.processors.values().map(remembered).sum::<u64>().saturating_add(calls(config));
        let left = limit.saturating_sub(resident.saturating_add(remembered));
        let hard_bytes = (left - left / HELD_BACK).max(limit / LEAST_PART);
        let spike = limiter.spike_bytes(limit, available);
        // The same part of what is left for requests as it is of the whole.
        let soft_bytes = hard_bytes - share(hard_bytes, spike, limit);
        let largest = hard_bytes / LARGEST_PART / u64::try_from(PLAIN_COST).unwrap_or(1);
        let largest_request = usize::try_from(largest).unwrap_or(usize::MAX);
        Self { budget: BudgetSettings { hard_bytes, soft_bytes }, largest_request }
    }

    /// Says what it amounts to, where it makes requests smaller than the configuration does.
    pub(super) fn warn(&self, config: &Config) {
        let protocols = config.receivers.values().map(|receiver| &receiver.protocols);
        let sizes = protocols.flat_map(|protocols| {
            let grpc = protocols.grpc.as_ref().map(|grpc| grpc.max_request_bytes());
            grpc.into_iter().chain(protocols.http.as_ref().map(|http| http.max_request_body_size))
        });
        let Self { largest_request, budget } = *self;
        if sizes.max().is_some_and(|largest| largest > largest_request) {
            tracing::warn!(
                largest_request,
                memory_for_requests = budget.hard_bytes,
                "memory allows smaller requests than the receivers: give the process more, or raise `memory_limiter`"
            );
        }
    }
}

/// What a processor remembers at most, in bytes.
fn remembered(config: &GramtraceConfig) -> u64 {
    let mebibytes = u64::from(config.memory.max_size_mib).saturating_add(config.trace.max_size_mib);
    mebibytes.saturating_mul(1 << 20).saturating_add(config.trace.max_root_bytes())
}

/// What the calls that budgets know each again take at most, in bytes: all processors' together.
fn calls(config: &Config) -> u64 {
    let knows_calls = config.keeping().is_some_and(|keeping| keeping.sync == SyncConfig::EachRequest);
    let has_budgets = config.processors.values().any(|processor| !processor.budgets.is_empty());
    if knows_calls && has_budgets { CALLS_BYTES } else { 0 }
}

/// `whole * part / of`, without overflow.
fn share(whole: u64, part: u64, of: u64) -> u64 {
    let exact = u128::from(whole) * u128::from(part) / u128::from(of.max(1));
    u64::try_from(exact).unwrap_or(u64::MAX).min(whole)
}

/// The memory that this process may have: its control group's, or the machine's.
pub(super) fn available() -> Option<u64> {
    available_below(Path::new("/"))
}

fn available_below(root: &Path) -> Option<u64> {
    let group = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let limits = group.lines().flat_map(|line| limits(root, line));
    limits.chain(machine(root)).min()
}

/// The limits of a control group and of those above it. <https://docs.kernel.org/admin-guide/cgroup-v2.html>
fn limits(root: &Path, line: &str) -> Vec<u64> {
    let mut parts = line.splitn(3, ':');
    let (_, controllers, path) = (parts.next(), parts.next(), parts.next().unwrap_or_default());
    let (mount, files): (_, &[&str]) = match controllers {
        // Beyond `high` it is held up, beyond `max` it is ended.
        Some("") => (root.join("sys/fs/cgroup"), &["memory.max", "memory.high"]),
        Some(names) if names.split(',').any(|name| name == "memory") => {
            (root.join("sys/fs/cgroup/memory"), &["memory.limit_in_bytes"])
        }
        _ => return Vec::new(),
    };
    let folder: PathBuf = mount.join(path.trim_start_matches('/'));
    let within = folder.ancestors().take_while(|folder| folder.starts_with(&mount));
    let read = |path: PathBuf| fs::read_to_string(path).ok()?.trim().parse().ok();
    within.flat_map(|folder| files.iter().map(|file| folder.join(file))).filter_map(read).collect()
}

fn machine(root: &Path) -> Option<u64> {
    let text = fs::read_to_string(root.join("proc/meminfo")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn config(limiter: &str) -> Config {
        let text = format!(
            "receivers: {{otlp: {{protocols: {{grpc: }}}}}}
processors: {{memory_limiter: {limiter}, gramtrace: {{memory: {{max_size_mib: 44}}, trace: {{max_size_mib: 20}}}}}}
exporters: {{debug: }}
service: {{pipelines: {{traces: {{receivers: [otlp], processors: [memory_limiter, gramtrace], exporters: [debug]}}}}}}"
        );
        Config::parse("test", text.as_bytes(), &|_| None).unwrap()
    }

    #[test]
    fn requests_get_what_the_process_itself_does_not_take() {
        // Two thirds of 512 - 40 - 64 MiB; a fifth of them is for what has begun; half, at three bytes a byte, for one
        // request.
        let memory = Memory::of(&config("{limit_mib: 512}"), 40 * MIB, Some(1));
        let soft_bytes = 272 * MIB - 272 * MIB / 5;
        assert_eq!(memory.budget, BudgetSettings { hard_bytes: 272 * MIB, soft_bytes });
        assert_eq!(memory.largest_request, 272 * (1 << 20) / 6);
        let spiked = Memory::of(&config("{limit_mib: 512, spike_limit_mib: 256}"), 40 * MIB, None);
        assert_eq!(spiked.budget.soft_bytes, 136 * MIB);
    }

    #[test]
    fn roots_that_are_waited_with_are_what_the_process_takes_itself() {
        // Two thirds of 512 - 40 - 64 - 10 MiB: half of 20 for roots.
        let mut summing_up = config("{limit_mib: 512}");
        summing_up.processors.values_mut().for_each(|it| it.trace.summary_span = true);
        let left = 398 * MIB;
        assert_eq!(Memory::of(&summing_up, 40 * MIB, Some(1)).budget.hard_bytes, left - left / 3);
    }

    #[test]
    fn calls_that_budgets_know_again_are_what_the_process_takes_itself() {
        let text = "receivers: {otlp: {protocols: {grpc: }}}
processors: {memory_limiter: {limit_mib: 1024}, gramtrace: {budgets: [{name: all, limit: 5kg, period: 1d}]}}
exporters: {debug: }
extensions: {gramtrace_budgets: {directory: /var/lib/gramtrace, sync: request}}
service: {extensions: [gramtrace_budgets], pipelines: {traces: {receivers: [otlp], processors: [memory_limiter, gramtrace], exporters: [debug]}}}";
        let requests = |text: &str| {
            let config = Config::parse("test", text.as_bytes(), &|_| None).unwrap();
            Memory::of(&config, 40 * MIB, None).budget.hard_bytes
        };
        // Two thirds of 1024 - 40 - 64 - 256 MiB.
        assert_eq!(requests(&text.replace("request", "1s")), 664 * MIB - 664 * MIB / 3);
        // Of a million calls each has 25 bytes in 2^21 places, and 32 in 2^20.
        assert_eq!(requests(text), 406_847_488);
    }

    #[test]
    fn a_part_of_the_limit_is_for_requests_however_small_it_is() {
        let memory = Memory::of(&config("{limit_mib: 100}"), 90 * MIB, None);
        assert_eq!(memory.budget.hard_bytes, 25 * MIB);
    }

    #[test]
    fn a_percentage_is_of_what_the_process_may_have_and_nothing_known_is_no_limit() {
        // Two thirds of 500 - 2 - 64 MiB.
        let memory = Memory::of(&config("{limit_percentage: 50}"), 2 * MIB, Some(1000 * MIB));
        assert_eq!(memory.budget.hard_bytes, 434 * MIB - 434 * MIB / 3);
        let unknown = Memory::of(&config(""), 0, None);
        assert_eq!((unknown.budget, unknown.largest_request), (BudgetSettings::UNLIMITED, usize::MAX));
    }

    #[test]
    fn the_least_of_the_control_groups_and_the_machine_is_what_there_is() {
        let folder = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        assert_eq!(available_below(folder.path()), None);
        write("proc/meminfo", "MemTotal:        8000 kB\nMemFree: 1 kB\n");
        assert_eq!(available_below(folder.path()), Some(8000 * 1024));
        write("proc/self/cgroup", "4:cpu,cpuacct:/a\n0::/pods/one\n");
        write("sys/fs/cgroup/pods/one/memory.max", "max\n");
        write("sys/fs/cgroup/pods/memory.max", "4096000\n");
        assert_eq!(available_below(folder.path()), Some(4_096_000));
        write("sys/fs/cgroup/pods/one/memory.high", "2048000\n");
        assert_eq!(available_below(folder.path()), Some(2_048_000));
        write("proc/self/cgroup", "9:memory:/docker/x\n");
        write("sys/fs/cgroup/memory/docker/x/memory.limit_in_bytes", "1024\n");
        assert_eq!(available_below(folder.path()), Some(1024));
    }
}
