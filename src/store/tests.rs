//! Stores that are torn, damaged, taken or full: budgets are what was kept, or what is said. Crashes are copies and cuts of
//! the file: nothing is killed here.

use std::fs;
use std::path::Path;

use super::*;
use crate::budget::{BudgetSettings, CallId, Consumption, Count, Period, Rolling};

fn settings() -> Vec<BudgetSettings> {
    let budget = |name: &str| BudgetSettings {
        name: name.to_owned(),
        limit: "1kg".parse().unwrap(),
        period: Period::Rolling(Rolling::ThirtyDays),
        thresholds: vec![50.0],
        burn_rates: true,
        count: Count::Value,
    };
    vec![budget("all"), budget("team")]
}

const NOW: i64 = 1_764_000_000_000;

fn book(budgets: &Budgets, number: u64) -> u64 {
    let names: [Arc<str>; 2] = ["all".into(), "team".into()];
    let call = CallId::new(&[1; 16], &(number + 1).to_be_bytes());
    let consumption = Consumption { budgets: &names, co2e_g: [1.0; 3], energy_wh: 1.0, model: "m", service: "s", call };
    budgets.add([consumption], NOW)
}

fn consumed(budgets: &Budgets) -> Vec<f64> {
    budgets.statuses(NOW).iter().map(|(_, status)| status.consumed).collect()
}

fn open(directory: &Path, sync: Sync) -> (Result<Store, StoreError>, Budgets) {
    let budgets = Budgets::default();
    let store =
        Store::open(&StoreSettings { directory: directory.to_owned(), sync }, &budgets, StoreMetrics::default());
    budgets.apply(settings(), NOW);
    (store, budgets)
}

fn restored(directory: &Path) -> Vec<f64> {
    let (store, budgets) = open(directory, Sync::Within(Duration::from_secs(1)));
    let consumed = consumed(&budgets);
    store.unwrap().end();
    consumed
}

/// A folder with a store in which so many grams are booked, one commit after the other.
fn filled(bookings: u64) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let budgets = Budgets::default();
    let mut log = Log::open(folder.path(), &budgets).unwrap();
    budgets.keep();
    budgets.apply(settings(), NOW);
    for number in 0..bookings {
        book(&budgets, number);
        log.append(&budgets.take().entries).unwrap();
    }
    folder
}

#[tokio::test]
async fn what_was_waited_for_is_there_after_a_crash_and_known_when_it_is_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let (store, budgets) = open(folder.path(), Sync::EachRequest);
    let store = store.unwrap();
    for number in 0..20 {
        store.commits().until(book(&budgets, number)).await;
    }
    // As it lies there now, without the end of the store.
    let crashed = tempfile::tempdir().unwrap();
    fs::copy(folder.path().join("budgets.log"), crashed.path().join("budgets.log")).unwrap();
    let (again, restored) = open(crashed.path(), Sync::EachRequest);
    assert_eq!(consumed(&restored), [20.0, 20.0]);
    again.unwrap().commits().until(book(&restored, 7)).await;
    assert_eq!(consumed(&restored), [20.0, 20.0], "a call that is sent again");
}

#[test]
fn an_end_keeps_what_was_booked_last() {
    let folder = tempfile::tempdir().unwrap();
    let (store, budgets) = open(folder.path(), Sync::Within(Duration::from_secs(60)));
    book(&budgets, 1);
    store.unwrap().end();
    assert_eq!(restored(folder.path()), [1.0, 1.0]);
}

#[test]
fn wherever_a_crash_tears_the_file_all_whole_commits_are_there() {
    let folder = filled(5);
    let path = folder.path().join("budgets.log");
    let whole = fs::read(&path).unwrap();
    let lines: Vec<usize> =
        whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
    // A header, two budgets, five bookings.
    assert_eq!(lines.len(), 1 + 2 + 5);
    for cut in (lines[2]..whole.len()).step_by(13).chain([lines[3] - 1, lines[3], lines[3] + 1]) {
        fs::write(&path, &whole[..cut]).unwrap();
        let expected = lines.iter().filter(|end| **end <= cut).count().saturating_sub(3) as f64;
        assert_eq!(restored(folder.path()), [expected; 2], "cut at {cut}");
        // What a disk may leave behind the end after a power cut.
        fs::write(&path, [&whole[..cut], &[0; 64]].concat()).unwrap();
        assert_eq!(restored(folder.path()), [expected; 2], "cut at {cut}, and zeros");
    }
    let names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "nothing is set aside for a crash: {names:?}");
}

#[test]
fn a_damaged_file_is_set_aside_and_what_stands_before_the_damage_goes_on() {
    for (place, expected) in [(3, 0.0), (5, 2.0)] {
        let folder = filled(5);
        let path = folder.path().join("budgets.log");
        let damaged = fs::read_to_string(&path).unwrap();
        let mut lines: Vec<String> = damaged.lines().map(str::to_owned).collect();
        lines[place] = lines[place].replace("1764", "1765");
        fs::write(&path, lines.join("\n") + "\n").unwrap();
        assert_eq!(restored(folder.path()), [expected; 2]);
        let aside = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let aside = aside.filter(|path| path.to_str().unwrap().contains("budgets.log.damaged-")).collect::<Vec<_>>();
        assert_eq!(fs::read_to_string(&aside[0]).unwrap(), lines.join("\n") + "\n");
        assert_eq!(restored(folder.path()), [expected; 2], "and is not damaged again");
    }
    for garbage in [&b"\x7fELF\n\0\0"[..], b"no store\n", b"{\"gramtrace_budgets\":1}\n", &[0; 4096]] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("budgets.log"), garbage).unwrap();
        assert_eq!(restored(folder.path()), [0.0; 2]);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "the lock, the new one, the old one");
    }
}

#[test]
fn a_folder_belongs_to_one_process_and_has_to_be_one() {
    let folder = tempfile::tempdir().unwrap();
    let (first, _) = open(folder.path(), Sync::EachRequest);
    let (second, _) = open(folder.path(), Sync::EachRequest);
    assert_eq!(second.err(), Some(StoreError::Taken(folder.path().to_owned())));
    drop(first);
    assert!(open(folder.path(), Sync::EachRequest).0.is_ok());
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let said = open(&file.join("below"), Sync::EachRequest).0.err().unwrap().to_string();
    assert!(
        said.contains("cannot be used")
            && said.ends_with("write a `directory` that is a folder, with nothing else in it"),
        "{said}"
    );
}

/// Linux has a file that is always full.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_holds_nobody_and_what_was_consumed_meanwhile_is_there_afterwards() {
    let folder = filled(3);
    let (budgets, metrics) = (Budgets::default(), StoreMetrics::default());
    let mut log = Log::open(folder.path(), &budgets).unwrap();
    budgets.keep();
    budgets.apply(settings(), NOW);
    log.replace(fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    let (sender, progress) = watch::channel(Progress::default());
    let mut writer = Writer::new(log, budgets.clone(), sender, metrics.clone());
    let start = std::time::Instant::now();
    book(&budgets, 10);
    writer.commit(false, start);
    assert!(progress.borrow().is_failing, "who waits is let go");
    // It cannot be written anew either while there is no folder; and it is not tried all the time.
    let away = folder.path().with_extension("away");
    fs::rename(folder.path(), &away).unwrap();
    book(&budgets, 11);
    writer.commit(false, start + Duration::from_secs(4));
    writer.commit(false, start + Duration::from_secs(6));
    assert!(progress.borrow().is_failing);
    fs::rename(&away, folder.path()).unwrap();
    let last = book(&budgets, 12);
    writer.commit(false, start + Duration::from_secs(12));
    assert_eq!(*progress.borrow(), Progress { kept: last, is_failing: false });
    drop(writer);
    assert_eq!(restored(folder.path()), [6.0, 6.0]);
}

#[test]
fn a_long_file_goes_on_where_there_is_no_room_for_another() {
    let folder = tempfile::tempdir().unwrap();
    let budgets = Budgets::default();
    let log = Log::open(folder.path(), &budgets).unwrap();
    budgets.keep();
    budgets.apply(settings(), NOW);
    // Stands where another would be written.
    fs::create_dir(folder.path().join("budgets.new")).unwrap();
    let (sender, progress) = watch::channel(Progress::default());
    let mut writer = Writer::new(log, budgets.clone(), sender, StoreMetrics::default());
    for round in 0..6u64 {
        let last = (0..20_000).fold(0, |_, number| book(&budgets, round * 20_000 + number));
        writer.commit(false, std::time::Instant::now());
        assert_eq!(*progress.borrow(), Progress { kept: last, is_failing: false });
    }
    drop(writer);
    let path = folder.path().join("budgets.log");
    let len = fs::metadata(&path).unwrap().len();
    assert!(len > 4 << 20, "{len} bytes are long enough to be written anew");
    assert_eq!(restored(folder.path()), [120_000.0; 2], "and a start does without it, too");
}

#[test]
fn a_file_that_has_grown_is_written_anew_and_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let budgets = Budgets::default();
    let log = Log::open(folder.path(), &budgets).unwrap();
    budgets.keep();
    budgets.apply(settings(), NOW);
    let (sender, _progress) = watch::channel(Progress::default());
    let mut writer = Writer::new(log, budgets.clone(), sender, StoreMetrics::default());
    let (mut largest, path) = (0, folder.path().join("budgets.log"));
    for round in 0..7 {
        // Twenty thousand calls are a megabyte.
        for number in 0..20_000 {
            book(&budgets, round * 20_000 + number);
        }
        writer.commit(false, std::time::Instant::now());
        largest = largest.max(fs::metadata(&path).unwrap().len());
    }
    drop(writer);
    assert_eq!(restored(folder.path()), [140_000.0; 2]);
    assert!(largest < 16 << 20, "{largest}");
}
