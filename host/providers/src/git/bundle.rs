//! Commits that come from elsewhere: in a bundle, or pushed to a branch of their own.

use super::command::CHECKOUT_TIME_LIMIT;
use super::error::GitError;
use super::refs::{branch_ref, commit_id};
use super::repository::Repository;

/// Bytes before the pack of a bundle: a commit id and a name for each branch, far more than a job brings.
const HEADER_MAX: usize = 64 << 10;
/// Commits a bundle may build on, and commits it may bring as tips: each is looked up on its own.
const COMMITS_MAX: usize = 64;

/// What a bundle says before its pack.
#[derive(Debug, PartialEq, Eq)]
struct Header {
    /// Commits it builds on.
    needed: Vec<String>,
    /// Commits it brings.
    tips: Vec<String>,
    /// Where its pack begins.
    pack: usize,
}

/// Reads the header of a bundle of version 2 or 3 (`git help format-bundle`). The error is one line.
fn header(bytes: &[u8]) -> Result<Header, String> {
    let mut header = Header { needed: Vec::new(), tips: Vec::new(), pack: 0 };
    let mut at = 0;
    for number in 0.. {
        let rest = &bytes[at..bytes.len().min(HEADER_MAX)];
        let Some(end) = rest.iter().position(|byte| *byte == b'\n') else {
            return Err("it is not a git bundle, or its header is too long".to_owned());
        };
        let line = String::from_utf8_lossy(&rest[..end]).into_owned();
        at += end + 1;
        match (number, line.split_at_checked(1)) {
            (0, _) if matches!(line.as_str(), "# v2 git bundle" | "# v3 git bundle") => {}
            (0, _) => return Err("it is not a git bundle of version 2 or 3".to_owned()),
            (_, None) => break,
            (_, Some(("@", capability))) => {
                if !capability.starts_with("object-format=") {
                    return Err("it is a partial bundle: make it without a filter".to_owned());
                }
            }
            (_, Some(("-", needed))) => header.needed.push(commit_of(needed)?),
            (_, Some(_)) => header.tips.push(commit_of(&line)?),
        }
        if header.needed.len() > COMMITS_MAX || header.tips.len() > COMMITS_MAX {
            return Err(format!("it names more than {COMMITS_MAX} commits: bundle one branch"));
        }
    }
    header.pack = at;
    if header.tips.is_empty() { Err("it brings no branch: bundle one".to_owned()) } else { Ok(header) }
}

fn commit_of(line: &str) -> Result<String, String> {
    let id = line.split(' ').next().unwrap_or_default();
    commit_id(id).map(str::to_owned).map_err(|error| format!("its header is broken: {error}"))
}

impl Repository {
    /// Takes the commits of a bundle into the repository without moving a branch, and gives those it brings as tips. Its
    /// objects are checked as strictly as git can. The inner error is the bundle's fault, in one line.
    pub(crate) async fn take_bundle(&self, bytes: &[u8]) -> Result<Result<Vec<String>, String>, GitError> {
        let header = match header(bytes) {
            Ok(header) => header,
            Err(line) => return Ok(Err(line)),
        };
        for needed in &header.needed {
            if !self.has_commit(needed).await? {
                return Ok(Err(format!("it builds on commit {needed}, which the repository does not have")));
            }
        }
        let max = format!("--max-input-size={}", bytes.len());
        let call = self.call(["index-pack", "--stdin", "--fix-thin", "--strict", &max]);
        let taken = call.stdin(bytes[header.pack..].to_vec()).time_limit(CHECKOUT_TIME_LIMIT).run().await?;
        if taken.code != Some(0) {
            return Ok(Err(format!("git does not take its objects: {}", taken.failed())));
        }
        for tip in &header.tips {
            if !self.has_commit(tip).await? {
                return Ok(Err(format!("it does not hold {tip} as a commit")));
            }
        }
        Ok(Ok(header.tips))
    }

    /// Whether everything between two commits is there: a commit that was brought may lack files.
    pub(crate) async fn is_whole(&self, since: &str, commit: &str) -> Result<bool, GitError> {
        let until = format!("^{}", commit_id(since)?);
        let call = self.call(["rev-list", "--objects", "--quiet", commit_id(commit)?, &until]);
        Ok(call.time_limit(CHECKOUT_TIME_LIMIT).run().await?.code == Some(0))
    }

    /// Removes a branch; there may be none.
    pub(crate) async fn remove_branch(&self, branch: &str) -> Result<(), GitError> {
        self.call(["update-ref", "-d", &branch_ref(branch)?]).run().await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::{HEADER_MAX, header};

    fn read(text: &str) -> Result<(usize, usize, usize), String> {
        header(text.as_bytes()).map(|header| (header.needed.len(), header.tips.len(), header.pack))
    }

    #[test]
    fn a_header_is_read_to_its_pack() {
        let (a, b) = ("a1".repeat(20), "b2".repeat(20));
        let two = format!("# v2 git bundle\n-{a} first\n{b} refs/heads/work\n\nPACK");
        assert_eq!(read(&two), Ok((1, 1, two.len() - 4)));
        let three = format!("# v3 git bundle\n@object-format=sha1\n{b} HEAD\n\n");
        assert_eq!(read(&three), Ok((0, 1, three.len())));
    }

    #[test]
    fn what_is_no_bundle_is_refused_in_one_line() {
        let id = "a1".repeat(20);
        for (text, why) in [
            (String::new(), "not a git bundle"),
            ("PACK\n\n".to_owned(), "version 2 or 3"),
            ("# v2 git bundle\n".to_owned(), "too long"),
            ("# v2 git bundle\n\nPACK".to_owned(), "no branch"),
            (format!("# v2 git bundle\n--upload-pack=x\n{id} x\n\n"), "not a commit id"),
            ("# v2 git bundle\nHEAD x\n\n".to_owned(), "not a commit id"),
            (format!("# v3 git bundle\n@filter=blob:none\n{id} x\n\n"), "partial"),
            (format!("# v2 git bundle\n{}\n", format!("{id} x\n").repeat(65)), "more than 64"),
            ("x".repeat(HEADER_MAX * 2), "too long"),
        ] {
            let line = read(&text).unwrap_err();
            assert!(line.contains(why) && !line.contains('\n'), "{line}");
        }
    }
}
