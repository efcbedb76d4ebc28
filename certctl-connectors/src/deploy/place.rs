//! Where on a host certificates may be put: the directories that a connector or the host's owner allows.

use std::collections::VecDeque;
use std::path::{Component, Path, PathBuf};

use certctl_core::ports::{FileError, FileErrorKind, Files};

/// A path that this host's owner has not allowed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this agent does not deploy to {}{}: it is in no directory that the connector or this host allows; if it should, start \
     the agent with --allow-path {:?}", asked.display(), leading(asked, real), directory(real).display()
)]
pub struct PathNotAllowed {
    /// As the configuration has it.
    asked: PathBuf,
    /// Where it leads.
    real: PathBuf,
}

/// Why a path is not used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathRefused {
    /// It lies outside.
    #[error(transparent)]
    NotAllowed(#[from] PathNotAllowed),
    /// Nobody can say where it leads.
    #[error(transparent)]
    Unknown(#[from] FileError),
}

/// As many links as Linux follows.
const MOST_LINKS: usize = 40;

/// Whether a host lets a file be put there: its directory leads below one of the roots when every link is followed, in
/// the directory and in the roots. A link at the end of the path is not followed: it is replaced, and what it leads to is
/// only read. A root that is not absolute allows nothing.
///
/// # Errors
/// [`PathNotAllowed`] with what to add. What a server says must not replace any file of its agents' hosts. A
/// [`FileError`] when a link cannot be followed.
pub async fn permit_path(files: &dyn Files, path: &Path, roots: &[PathBuf]) -> Result<(), PathRefused> {
    let real = match path.file_name() {
        Some(name) => resolve(files, directory(path)).await?.join(name),
        None => resolve(files, path).await?,
    };
    for root in roots.iter().filter(|root| root.is_absolute()) {
        if real.starts_with(resolve(files, root).await?) {
            return Ok(());
        }
    }
    Err(PathNotAllowed { asked: path.to_path_buf(), real }.into())
}

/// The path without links and `..`. What is not there yet will be made where the names say.
async fn resolve(files: &dyn Files, path: &Path) -> Result<PathBuf, FileError> {
    let mut rest: VecDeque<PathBuf> = names(path).collect();
    let (mut real, mut links) = (PathBuf::from("/"), 0);
    while let Some(name) = rest.pop_front() {
        if name.as_os_str() == ".." {
            real.pop();
            continue;
        }
        let next = real.join(&name);
        let Some(target) = files.metadata(&next).await?.and_then(|meta| meta.link_target) else {
            real = next;
            continue;
        };
        links += 1;
        if links > MOST_LINKS {
            return Err(FileError {
                kind: FileErrorKind::Other,
                operation: "follow",
                path: path.to_path_buf(),
                reason: "too many levels of symbolic links".to_owned(),
            });
        }
        if target.is_absolute() {
            real = PathBuf::from("/");
        }
        for name in names(&target).rev() {
            rest.push_front(name);
        }
    }
    Ok(real)
}

fn names(path: &Path) -> impl DoubleEndedIterator<Item = PathBuf> {
    let names = path.components().filter(|name| matches!(name, Component::Normal(_) | Component::ParentDir));
    names.map(|name| PathBuf::from(name.as_os_str()))
}

fn leading(asked: &Path, real: &Path) -> String {
    if asked == real { String::new() } else { format!(", which leads to {}", real.display()) }
}

fn directory(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use certctl_core::testing::{MemoryFiles, block_on};

    use super::*;

    fn host() -> MemoryFiles {
        let files = MemoryFiles::new();
        for directory in ["/etc/nginx/tls", "/root/.ssh", "/srv/real"] {
            files.insert(Path::new(directory).join("there"), "", 0o644);
        }
        let links = [
            ("/root/.ssh", "/etc/nginx/absolute"),
            ("../../root/.ssh", "/etc/nginx/relative"),
            ("tls/../../nginx/tls", "/etc/nginx/inside"),
            ("/etc/nginx/circle", "/etc/nginx/circle"),
            ("/root/.ssh/authorized_keys", "/etc/nginx/tls/file.pem"),
            ("/srv/real", "/srv/root"),
        ];
        for (target, link) in links {
            block_on(files.symlink(Path::new(target), Path::new(link))).unwrap();
        }
        files
    }

    fn look(path: &str, root: &str) -> Result<(), PathRefused> {
        block_on(permit_path(&host(), Path::new(path), &[PathBuf::from(root)]))
    }

    fn refusal(path: &str, root: &str) -> String {
        match look(path, root) {
            Err(PathRefused::NotAllowed(error)) => error.to_string(),
            other => panic!("{path} below {root}: {other:?}"),
        }
    }

    #[test]
    fn what_is_below_a_root_is_allowed() {
        for path in ["/etc/nginx/tls/a.pem", "/etc/nginx/new/deep/a.pem", "/etc/nginx/inside/a.pem"] {
            assert_eq!(look(path, "/etc/nginx"), Ok(()), "{path}");
        }
        assert_eq!(look("/etc/nginx/tls/../tls/a.pem", "/etc/nginx/tls/"), Ok(()));
        assert_eq!(look("/anywhere/at/all.pem", "/"), Ok(()));
    }

    #[test]
    fn a_link_in_place_of_the_file_is_replaced_wherever_it_leads() {
        assert_eq!(look("/etc/nginx/tls/file.pem", "/etc/nginx"), Ok(()));
    }

    #[test]
    fn a_root_that_is_a_link_is_where_it_leads() {
        for path in ["/srv/root/a.pem", "/srv/real/a.pem"] {
            assert_eq!(look(path, "/srv/root"), Ok(()), "{path}");
        }
    }

    #[test]
    fn what_is_elsewhere_is_refused_with_what_to_add() {
        for (path, directory) in [("/srv/a.pem", "/srv"), ("/etc/nginx-old/a.pem", "/etc/nginx-old")] {
            assert!(refusal(path, "/etc/nginx").contains(&format!("--allow-path \"{directory}\"")), "{path}");
        }
        assert!(refusal("/srv/a.pem", "srv").contains("--allow-path"), "a relative root means nothing");
        assert_eq!(
            block_on(permit_path(&host(), Path::new("/a.pem"), &[])).unwrap_err().to_string(),
            "this agent does not deploy to /a.pem: it is in no directory that the connector or this host allows; if it \
             should, start the agent with --allow-path \"/\""
        );
    }

    #[test]
    fn neither_links_nor_dots_lead_out_of_a_root() {
        for path in
            ["/etc/nginx/absolute/a.pem", "/etc/nginx/relative/a.pem", "/etc/nginx/tls/../../../root/.ssh/a.pem"]
        {
            let refusal = refusal(path, "/etc/nginx");
            assert!(refusal.contains("leads to /root/.ssh/a.pem") && refusal.contains("\"/root/.ssh\""), "{refusal}");
        }
        assert!(refusal("/etc/nginx/..", "/etc/nginx").contains("leads to /etc: "), "no file at all");
        assert!(matches!(look("/etc/nginx/circle/a.pem", "/etc/nginx"), Err(PathRefused::Unknown(_))));
    }
}
