//! A walk through a file system in memory.

use super::*;
use crate::domain::{Timestamp, pem};
use crate::testing::{MemoryFiles, TestAuthority, block_on};

fn certificates() -> (Vec<u8>, String) {
    let authority = block_on(TestAuthority::new(5, Timestamp::from_unix_seconds(1_900_000_000)));
    let text = authority.root_pem();
    (pem::parse(&text, 1 << 20).unwrap().remove(0).der, text)
}

fn search(files: &MemoryFiles, directories: &[&str]) -> (Vec<(String, String)>, Vec<String>) {
    let directories: Vec<PathBuf> = directories.iter().map(PathBuf::from).collect();
    let mut search = FileSearch::new(files, &directories);
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    while let Some(looked) = block_on(search.next()) {
        found.extend(looked.findings.into_iter().map(|finding| (finding.source_path, finding.source_format)));
        problems.extend(looked.problems);
    }
    (found, problems)
}

#[test]
fn certificates_are_found_by_name_and_by_form() {
    let (der, text) = certificates();
    let files = MemoryFiles::new();
    for (path, bytes) in [
        ("/srv/tls/a.pem", text.as_bytes()),
        ("/srv/tls/b.CRT", &der),
        ("/srv/tls/c/d/e.der", &der),
        ("/srv/tls/haproxy.bundle", text.as_bytes()),
        ("/srv/tls/site.key", text.as_bytes()),
        ("/srv/tls/plain", text.as_bytes()),
        ("/srv/tls/notes.txt", b"nothing here"),
        ("/srv/tls/.certctl/t/releases/1/fullchain.pem", text.as_bytes()),
        ("/elsewhere/f.pem", text.as_bytes()),
    ] {
        files.insert(path, bytes, 0o644);
    }
    block_on(files.symlink(Path::new("../../elsewhere/f.pem"), Path::new("/srv/tls/live.pem"))).unwrap();
    block_on(files.symlink(Path::new("/srv"), Path::new("/srv/tls/round"))).unwrap();
    let (found, problems) = search(&files, &["/srv/tls", "/elsewhere"]);
    let found: Vec<(&str, &str)> = found.iter().map(|(path, format)| (path.as_str(), format.as_str())).collect();
    let expected = [
        ("/srv/tls/a.pem", "PEM"),
        ("/srv/tls/b.CRT", "DER"),
        ("/srv/tls/c/d/e.der", "DER"),
        ("/srv/tls/haproxy.bundle", "PEM"),
        ("/srv/tls/live.pem", "PEM"),
        ("/elsewhere/f.pem", "PEM"),
    ];
    assert_eq!(found, expected);
    // A link to a directory cannot be told from one to a file here, and is not followed either way.
    assert!(problems.iter().all(|why| why.contains("/srv/tls/round")), "{problems:?}");
}

#[test]
fn garbage_is_recorded_with_its_cause_and_the_rest_is_found() {
    let (der, text) = certificates();
    let files = MemoryFiles::new();
    files.insert("/tls/cut.der", &der[..40], 0o644);
    files.insert("/tls/empty.pem", b"", 0o644);
    files.insert("/tls/noise.crt", &[0xde, 0xad, 0xbe, 0xef][..], 0o644);
    files.insert("/tls/noise.bin", &[0x30, 0xad, 0xbe, 0xef][..], 0o644);
    files.insert("/tls/huge.pem", vec![b'a'; MAX_CONTENTS + 1], 0o644);
    files.insert("/tls/huge.log", vec![b'a'; MAX_CONTENTS + 1], 0o644);
    files.insert("/tls/half.conf", &text.as_bytes()[..200], 0o644);
    files.insert("/tls/good.pem", text.as_bytes(), 0o644);
    let (found, problems) = search(&files, &["/none", "/tls"]);
    assert_eq!(found, [("/tls/good.pem".to_owned(), "PEM".to_owned())]);
    let expected = ["/none", "cut.der", "empty.pem", "half.conf", "huge.pem", "noise.crt"];
    assert_eq!(problems.len(), expected.len(), "{problems:?}");
    for (why, place) in problems.iter().zip(expected) {
        assert!(why.contains(place), "{why} is not about {place}");
    }
    files.fail_next("list", FileErrorKind::PermissionDenied);
    assert_eq!(search(&files, &["/tls"]).1.len(), 1);
}

#[test]
fn what_is_too_deep_is_said() {
    let (_, text) = certificates();
    let files = MemoryFiles::new();
    let deep = format!("/{}", "d/".repeat(20));
    files.insert(format!("{deep}x.pem"), text.as_bytes(), 0o644);
    let (found, problems) = search(&files, &["/"]);
    assert!(found.is_empty() && problems.len() == 1 && problems[0].contains("too deep"), "{problems:?}");
    assert_eq!(search(&files, &["/d/d/d/d/d/d"]).0.len(), 1);
}
