//! The promises of the port, and what a fault does to them.

use super::*;
use crate::testing::block_on;

fn write(files: &MemoryFiles, path: &str, text: &str) -> Result<(), FileErrorKind> {
    let options = WriteOptions { mode: 0o600, ..WriteOptions::default() };
    block_on(files.write(Path::new(path), text.as_bytes(), &options)).map_err(|error| error.kind)
}

fn read(files: &MemoryFiles, path: &str) -> Option<String> {
    files.contents(path).map(|bytes| String::from_utf8(bytes).unwrap())
}

#[test]
fn links_are_followed_through_directories_and_replaced_at_the_end() {
    let files = MemoryFiles::new();
    files.insert("/a/releases/1/key", "one", 0o600);
    files.insert("/a/releases/2/key", "two", 0o600);
    files.insert("/b/key", "plain", 0o600);
    block_on(async {
        files.symlink(Path::new("releases/1"), Path::new("/a/current")).await.unwrap();
        files.symlink(Path::new("../a/current/key"), Path::new("/b/key")).await.unwrap();
        assert_eq!(read(&files, "/b/key").as_deref(), Some("one"));
        files.symlink(Path::new("releases/2"), Path::new("/a/next")).await.unwrap();
        files.rename(Path::new("/a/next"), Path::new("/a/current")).await.unwrap();
        assert_eq!(read(&files, "/b/key").as_deref(), Some("two"));
        files.symlink(Path::new("loop"), Path::new("/loop")).await.unwrap();
        assert!(files.read(Path::new("/loop"), 9).await.is_err());
    });
}

#[test]
fn a_power_failure_forgets_what_was_not_synced() {
    let files = MemoryFiles::new();
    files.insert("/etc/kept", "1", 0o644);
    block_on(files.create_dir_all(Path::new("/etc/new"), 0o700)).unwrap();
    write(&files, "/etc/new/file", "2").unwrap();
    block_on(files.remove(Path::new("/etc/kept"))).unwrap();
    files.power_failure();
    assert_eq!(read(&files, "/etc/kept").as_deref(), Some("1"));
    assert_eq!(read(&files, "/etc/new/file"), None);

    block_on(files.create_dir_all(Path::new("/etc/new"), 0o700)).unwrap();
    write(&files, "/etc/new/file", "2").unwrap();
    block_on(files.sync_dir(Path::new("/etc"))).unwrap();
    files.power_failure();
    assert_eq!(read(&files, "/etc/new/file").as_deref(), Some("2"));
}

#[test]
fn faults_hit_the_call_they_are_meant_for() {
    let files = MemoryFiles::new();
    files.insert("/x", "0", 0o600);
    files.fail_next("write", FileErrorKind::PermissionDenied);
    assert_eq!(write(&files, "/x", "1"), Err(FileErrorKind::PermissionDenied));
    files.fault_at(1, Fault::Error(FileErrorKind::Other));
    assert_eq!(write(&files, "/x", "1"), Ok(()));
    assert_eq!(write(&files, "/x", "2"), Err(FileErrorKind::Other));
    files.set_capacity(Some(3));
    assert_eq!(write(&files, "/y", "123"), Err(FileErrorKind::DiskFull));
    assert_eq!(files.log(), ["!write /x", "write /x", "!write /x", "!write /y"]);
}

#[test]
fn a_stop_before_and_a_stop_after_differ_in_the_deed() {
    for (fault, expected) in [(Fault::StopBefore, "old"), (Fault::StopAfter, "new")] {
        let files = MemoryFiles::new();
        files.insert("/x", "old", 0o600);
        let _held = block_on(files.lock(Path::new("/lock"))).unwrap();
        files.fault_at(0, fault);
        assert!(write(&files, "/x", "new").is_err());
        assert!(files.is_stopped());
        assert!(block_on(files.read(Path::new("/x"), 9)).is_err(), "a dead process reads nothing");
        files.power_failure();
        assert_eq!(read(&files, "/x").as_deref(), Some(expected));
        assert!(block_on(files.lock(Path::new("/lock"))).is_ok(), "its locks are free");
    }
}

#[test]
fn create_new_and_locks_refuse_the_second() {
    let files = MemoryFiles::new();
    let options = WriteOptions { mode: 0o600, owner: None, create_new: true };
    block_on(async {
        files.write(Path::new("/x"), b"1", &options).await.unwrap();
        let again = files.write(Path::new("/x"), b"2", &options).await.unwrap_err();
        assert_eq!(again.kind, FileErrorKind::AlreadyExists);
        let held = files.lock(Path::new("/lock")).await.unwrap();
        assert_eq!(files.lock(Path::new("/lock")).await.err().unwrap().kind, FileErrorKind::Locked);
        drop(held);
        assert!(files.lock(Path::new("/lock")).await.is_ok());
    });
}
