//! Names and ids that come from outside, checked before git sees them.

use super::error::GitError;
use crate::text::is_invisible;

/// Longest branch name: a component of it becomes a file name.
const BRANCH_LENGTH_MAX: usize = 240;

/// The full name of a branch, if `branch` is a name that git accepts for one (`git help check-ref-format`), so that it
/// can be neither an option nor an expression.
pub(super) fn branch_ref(branch: &str) -> Result<String, GitError> {
    if is_branch_name(branch) {
        Ok(format!("refs/heads/{branch}"))
    } else {
        Err(GitError::BranchName { name: branch.chars().take(BRANCH_LENGTH_MAX).collect() })
    }
}

fn is_branch_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= BRANCH_LENGTH_MAX
        && name != "@"
        && name != "HEAD"
        && !name.starts_with('-')
        && !name.ends_with('.')
        && !name.contains("..")
        && !name.contains("@{")
        && !name.chars().any(|c| c.is_control() || is_invisible(c) || " ~^:?*[\\".contains(c))
        && name.split('/').all(|part| !part.is_empty() && !part.starts_with('.') && !part.ends_with(".lock"))
}

/// `text` if it is a full commit id.
pub(super) fn commit_id(text: &str) -> Result<&str, GitError> {
    if matches!(text.len(), 40 | 64) && text.bytes().all(|b| b.is_ascii_hexdigit()) {
        Ok(text)
    } else {
        Err(GitError::CommitId { text: text.chars().take(64).collect() })
    }
}

/// The first digits of a commit id, enough for people.
pub(crate) fn short(commit: &str) -> &str {
    commit.get(..10).unwrap_or(commit)
}

#[cfg(test)]
mod tests {
    use super::{branch_ref, commit_id};

    #[test]
    fn only_branch_names_become_refs() {
        for good in ["main", "feature/x", "a-b_c.d", "grün", "a@b", "x.locked"] {
            assert_eq!(branch_ref(good).unwrap(), format!("refs/heads/{good}"));
        }
        for bad in [
            "",
            "-x",
            "--upload-pack=touch x",
            "@",
            "HEAD",
            "a..b",
            "../x",
            "a/../b",
            "a b",
            "a~1",
            "a^",
            "a:b",
            "a?",
            "a*",
            "a[",
            "a\\b",
            "@{-1}",
            "a@{1}",
            "/a",
            "a/",
            "a//b",
            ".a",
            "a/.b",
            "a.lock",
            "a.lock/b",
            "a.",
            "a\nb",
            "a\0b",
            "a\u{7f}",
            "a\u{202e}b",
            "\u{200b}main",
            "ma\u{200d}in",
            "main\u{feff}",
            "a\u{2028}b",
            "refs/heads/../../x",
            "a/..lock",
        ] {
            assert!(branch_ref(bad).is_err(), "{bad:?}");
        }
        assert!(branch_ref(&"a".repeat(300)).is_err());
    }

    #[test]
    fn only_full_ids_are_commits() {
        assert!(commit_id(&"a1".repeat(20)).is_ok());
        assert!(commit_id(&"a1".repeat(32)).is_ok());
        for bad in ["", "HEAD", "--all", "a1b2c3", &"g".repeat(40)] {
            assert!(commit_id(bad).is_err(), "{bad:?}");
        }
    }
}
