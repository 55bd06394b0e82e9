//! Folders whose beginning retention removed.

use super::*;
use mts_engine::record::{GENESIS, encode};
use mts_foundation::journal::Journal;
use mts_journal::{JournalOptions, Retention, SyncPolicy};
use std::path::PathBuf;

/// The folder of a back-test of the example.
fn whole(folder: &Path) -> PathBuf {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/momentum.toml");
    let out = folder.join("whole");
    let words = ["mts", "run", "--json", "--until", "2001-06-29", "--out"].map(PathBuf::from);
    let code = App::new().run_from(words.into_iter().chain([out.clone(), config]));
    assert_eq!(code, std::process::ExitCode::SUCCESS);
    out
}

/// The same run in small segments, with snapshots, of which only what they need is left. The input of the last snapshot.
fn thinned(app: &App, from: &Path, to: &Path) -> Sequence {
    let mut run = RunFolder::open(app, from).unwrap();
    let first = run.reader.first_record().unwrap().unwrap().payload;
    let options = JournalOptions {
        sync: SyncPolicy::WriteOnly,
        segment_bytes: 20_000,
        retention: Retention::Segments(1),
        ..JournalOptions::default()
    };
    let mut journal = FileJournal::begin_with(to, &[(GENESIS, &first)], options).unwrap();
    let last = run.reader.durable() - 1;
    let (mut buffer, mut saved) = (Vec::new(), 0);
    run.replay(&mut |step| {
        encode(step.input, &mut buffer).unwrap();
        journal.append(mts_engine::record::INPUT_V1, &buffer).unwrap();
        journal.commit().unwrap();
        if [last / 2, last / 3 * 2].contains(&step.sequence) {
            saved = step.sequence;
            journal.save_snapshot(saved + 1, &step.core.snapshot()).unwrap();
        }
    })
    .unwrap();
    saved
}

#[test]
fn what_retention_left_is_read_and_what_it_took_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let (app, thin) = (App::new(), folder.path().join("thin"));
    let whole = whole(folder.path());
    let saved = thinned(&app, &whole, &thin);
    let mut complete = RunFolder::open(&app, &whole).unwrap();
    assert_eq!(complete.begins_after(), None);
    complete.replay(&mut |_| {}).unwrap();
    let (hash, inputs) = (complete.core.state_hash(), complete.core.state().inputs());

    let reader = open_reader(&thin).unwrap();
    assert!(reader.removed().unwrap().is_some(), "{saved} of {inputs}");
    assert_eq!(read_genesis(&reader).unwrap().config_hash, complete.genesis.config_hash);
    assert_eq!(last_time(&reader).unwrap(), Some(complete.core.state().now()));
    let mut run = RunFolder::open(&app, &thin).unwrap();
    assert_eq!((run.begins_after(), run.core.state().inputs()), (Some(saved), saved));
    let mut seen = Vec::new();
    run.replay(&mut |step| seen.push(step.sequence)).unwrap();
    assert_eq!(seen, (saved + 1..=inputs).collect::<Vec<_>>());
    assert_eq!(run.core.state_hash(), hash);
    let mut run = RunFolder::open(&app, &thin).unwrap();
    run.catch_up().unwrap();
    assert_eq!(run.core.state_hash(), hash);

    for until in [Until::Sequence(saved - 1), Until::Time(Timestamp::from_nanos(0))] {
        let error = RunFolder::open(&app, &thin).unwrap().replay_until(until, &mut |_| {}).unwrap_err();
        assert_eq!(error.kind, ExitKind::Usage);
        assert!(error.message.contains(&format!("lies before input {saved}")), "{}", error.message);
    }
    RunFolder::open(&app, &thin).unwrap().replay_until(Until::Sequence(saved), &mut |_| {}).unwrap();
}

#[test]
fn a_folder_of_which_neither_beginning_nor_snapshot_is_there_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (app, thin) = (App::new(), folder.path().join("thin"));
    let saved = thinned(&app, &whole(folder.path()), &thin);
    // Whole as a file, but not what this program's core writes.
    let mut journal = FileJournal::open(&thin).unwrap();
    let last = journal.durable();
    assert!(last > saved);
    journal.save_snapshot(last, b"\xffof another day").unwrap();
    drop(journal);
    let Err(error) = RunFolder::open(&app, &thin) else { panic!("it was opened") };
    assert_eq!(error.kind, ExitKind::Journal);
    assert!(error.message.contains("layout version 255"), "{}", error.message);
    assert!(error.message.contains("restore the folder from a copy"), "{}", error.message);
}
