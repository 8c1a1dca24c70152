use super::LocalGit;
use super::error::GitError;
use super::refs::commit_id;
use super::repository::{MergedTree, Repository};
use async_trait::async_trait;
use lockstep_ports::{Mergeability, Workspace};
use lockstep_types::{Change, ChangedFile, FileStatus, MergeReport, ObserveFailure, Verdict};
use std::collections::BTreeMap;

/// Changed files that are reported, the first by path; an answer is kept in the journal and read by a component.
const CHANGED_FILES_MAX: usize = 5000;
/// Largest file that is read for a component.
const FILE_MAX: u64 = 1 << 20;
/// Largest diff of a file that is told to a component, and kept in the journal.
const DIFF_MAX: usize = 1 << 20;
/// Longest path that is looked up: that of the operating system.
const PATH_LENGTH_MAX: usize = 4096;

#[async_trait]
impl Mergeability for LocalGit {
    async fn read(&self, change: &Change) -> Result<MergeReport, ObserveFailure> {
        Ok(self.mergeability(change).await?)
    }
}

#[async_trait]
impl Workspace for LocalGit {
    async fn changed_files(&self, change: &Change) -> Result<Vec<ChangedFile>, ObserveFailure> {
        let repository = self.open(&change.repository).await?;
        let (merge_base, head) = repository.ends(change).await?;
        let args = ["diff-tree", "-r", "-z", "--raw", "--numstat", "-M", "--no-ext-diff", "--no-textconv"];
        let call = repository.call(args).env("GIT_ATTR_SOURCE", &merge_base).arg(&merge_base).arg(&head);
        let output = call.checked().await?;
        let mut files = parse_changes(output.fields()).ok_or(GitError::Answer { name: "diff-tree" })?;
        files.truncate(CHANGED_FILES_MAX);
        Ok(files)
    }

    async fn read_file(&self, change: &Change, path: &str) -> Result<Option<Vec<u8>>, ObserveFailure> {
        check_path(path).map_err(ObserveFailure::Failed)?;
        let repository = self.open(&change.repository).await?;
        let head = repository.head_commit(change).await?;
        let listed = repository.call(["ls-tree", "-z", "--full-tree", &head, "--", path]).checked().await?;
        let entry = listed.fields().next().map(|entry| String::from_utf8_lossy(entry).into_owned());
        // `100644 blob <id>\t<path>`; a link or a folder is not a file.
        let Some(object) = entry.as_deref().and_then(|entry| {
            let (about, named) = entry.split_once('\t')?;
            let mut about = about.split(' ');
            let is_file = about.next()?.starts_with("100") && about.next()? == "blob" && named == path;
            about.next().filter(|_| is_file)
        }) else {
            return Ok(None);
        };
        let object = commit_id(object)?;
        let size = repository.call(["cat-file", "-s", object]).text().await?;
        if size.parse::<u64>().map_or(true, |size| size > FILE_MAX) {
            return Err(ObserveFailure::Failed(format!(
                "{path} is {size} bytes, more than the {FILE_MAX} that are read"
            )));
        }
        Ok(Some(repository.call(["cat-file", "blob", object]).checked().await?.stdout))
    }

    async fn diff(&self, change: &Change, path: &str) -> Result<Option<String>, ObserveFailure> {
        check_path(path).map_err(ObserveFailure::Failed)?;
        let repository = self.open(&change.repository).await?;
        let (merge_base, head) = repository.ends(change).await?;
        // Following one path is how git finds the file it was renamed from.
        let args =
            ["diff-tree", "-r", "-z", "--numstat", "--patch", "--follow", "--full-index", "--no-color"];
        let args = args.into_iter().chain(["--no-ext-diff", "--no-textconv", "--unified=3"]);
        let args = args.chain([merge_base.as_str(), head.as_str(), "--", path]);
        let output = repository.call(args).env("GIT_ATTR_SOURCE", &merge_base).checked().await?;
        parse_diff(path, &output.stdout).map_err(ObserveFailure::Failed)
    }
}

impl LocalGit {
    async fn mergeability(&self, change: &Change) -> Result<MergeReport, GitError> {
        let repository = self.open(&change.repository).await?;
        let head = repository.tip(&change.head_branch).await?;
        let base = repository.tip(&change.base_branch).await?;
        let unknown = |head_commit| MergeReport { head_commit, ..MergeReport::default() };
        let (Some(commit), Some(base)) = (&head, &base) else {
            return Ok(unknown(head));
        };
        match repository.merge_tree(None, base, commit).await {
            Ok(MergedTree::Clean(_)) => {
                Ok(MergeReport { head_commit: head, verdict: Verdict::Mergeable, ..MergeReport::default() })
            }
            Ok(MergedTree::Conflicts(conflicts)) => Ok(MergeReport {
                head_commit: head,
                verdict: Verdict::Conflicted,
                conflicts,
                reasons: Vec::new(),
            }),
            Err(error) => {
                // Commits of a shallow or partial clone may be missing: whoever fetches them changes the answer.
                let whole = repository.call(["rev-list", "--quiet", "--objects", commit, base]).run().await?;
                if whole.code == Some(0) { Err(error) } else { Ok(unknown(head)) }
            }
        }
    }
}

impl Repository {
    /// The commits between which the change lies: the merge base and its head.
    async fn ends(&self, change: &Change) -> Result<(String, String), ObserveFailure> {
        let head = self.head_commit(change).await?;
        let base = self.existing_tip(&change.base_branch).await?;
        self.merge_base(&base, &head).await?.map(|merge_base| (merge_base, head)).ok_or_else(|| {
            let text = format!("{} and {} have no commit in common", change.base_branch, change.head_branch);
            ObserveFailure::Failed(text)
        })
    }

    /// The head commit of a change as the run knows it, or the tip of its branch.
    async fn head_commit(&self, change: &Change) -> Result<String, GitError> {
        match &change.head_commit {
            Some(commit) => Ok(commit_id(commit)?.to_owned()),
            None => self.existing_tip(&change.head_branch).await,
        }
    }
}

/// Why a path is not one inside a repository.
fn check_path(path: &str) -> Result<(), String> {
    let inside = !path.is_empty()
        && path.len() <= PATH_LENGTH_MAX
        && !path.contains('\0')
        && path.split('/').all(|part| !matches!(part, "" | "." | ".."));
    if inside { Ok(()) } else { Err(format!("{path:?} is not a path inside the repository")) }
}

/// Reads the output of `diff-tree -z --numstat --patch` for one file: its line of numbers, an empty field, and the diff.
fn parse_diff(path: &str, output: &[u8]) -> Result<Option<String>, String> {
    let Some(end) = output.windows(2).position(|pair| pair == [0, 0]) else { return Ok(None) };
    let (numbers, diff) = (&output[..end], &output[end + 2..]);
    let fields: Vec<&[u8]> = numbers.split(|byte| *byte == 0).collect();
    // A renamed file has its old and its new path in fields of their own.
    let named = match fields[..] {
        // A path may have tabs of its own.
        [one] => one.splitn(3, |byte| *byte == b'\t').nth(2),
        [_, _old, new] => Some(new),
        _ => None,
    };
    // The path of a folder leads to other files; a binary file has `-` in place of numbers.
    if named != Some(path.as_bytes()) || numbers.starts_with(b"-") {
        return Ok(None);
    }
    if diff.len() > DIFF_MAX {
        let size = diff.len();
        return Err(format!("the diff of {path} is {size} bytes, more than the {DIFF_MAX} that are told"));
    }
    Ok(Some(String::from_utf8_lossy(diff).into_owned()))
}

/// Reads the output of `diff-tree -z --raw --numstat`: first an entry per file with its status, then one with its lines.
fn parse_changes<'a>(mut fields: impl Iterator<Item = &'a [u8]>) -> Option<Vec<ChangedFile>> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut files: BTreeMap<String, ChangedFile> = BTreeMap::new();
    while let Some(field) = fields.next() {
        if let Some(entry) = field.strip_prefix(b":") {
            let letter = *entry.rsplit(|byte| *byte == b' ').next()?.first()?;
            let mut path = fields.next()?;
            if matches!(letter, b'R' | b'C') {
                path = fields.next()?;
            }
            let status = match letter {
                b'A' | b'C' => FileStatus::Added,
                b'M' => FileStatus::Modified,
                b'D' => FileStatus::Deleted,
                b'R' => FileStatus::Renamed,
                _ => FileStatus::Other,
            };
            let file = ChangedFile { path: text(path), status, lines_added: 0, lines_removed: 0 };
            files.insert(text(path), file);
            continue;
        }
        let mut parts = field.splitn(3, |byte| *byte == b'\t');
        let (added, removed, mut path) = (parts.next()?, parts.next()?, parts.next()?);
        if path.is_empty() {
            fields.next()?;
            path = fields.next()?;
        }
        // A binary file has `-` in place of numbers.
        let number = |bytes: &[u8]| text(bytes).parse().unwrap_or(0);
        if let Some(file) = files.get_mut(&text(path)) {
            file.lines_added = number(added);
            file.lines_removed = number(removed);
        }
    }
    Some(files.into_values().collect())
}

impl From<GitError> for ObserveFailure {
    fn from(error: GitError) -> Self {
        Self::Failed(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::{DIFF_MAX, check_path, parse_changes, parse_diff};

    #[test]
    fn paths_stay_inside() {
        for good in ["a", "a/b.c", "..a", "a..", "-x", ":(glob)*", "a b", "grün/ö"] {
            assert_eq!(check_path(good), Ok(()), "{good:?}");
        }
        for bad in ["", "/etc/passwd", "../a", "a/../b", "a/..", "..", ".", "./a", "a//b", "a/", "a\0b"] {
            assert!(check_path(bad).is_err(), "{bad:?}");
        }
        assert!(check_path(&"a".repeat(5000)).is_err());
    }

    #[test]
    fn a_diff_is_that_of_one_text_file() {
        let diff = |path, output: &str| parse_diff(path, output.replace('|', "\0").as_bytes());
        assert_eq!(diff("m", "1\t2\tm||diff\n"), Ok(Some("diff\n".to_owned())));
        assert_eq!(diff("new", "1\t2\t|old|new||diff\n"), Ok(Some("diff\n".to_owned())));
        assert_eq!(diff("m\tn", "1\t2\tm\tn||diff\n"), Ok(Some("diff\n".to_owned())));
        for nothing in ["", "-\t-\tm||Binary\n", "1\t1\tm/x||diff\n", "1\t1\tm/x|1\t1\tm/y||diff\n"] {
            assert_eq!(diff("m", nothing), Ok(None), "{nothing:?}");
        }
        assert!(diff("m", &format!("1\t1\tm||{}", "x".repeat(DIFF_MAX + 1))).is_err());
    }

    #[test]
    fn raw_and_numstat_entries_meet_by_path() {
        let raw = ":100644 100644 a b M|m.txt|:000000 100644 a b A|bin|:100644 100644 a b R090|old|new|\
                   :100644 120000 a b T|t|:100644 000000 a b D|d|1\t2\tm.txt|-\t-\tbin|3\t4\t|old|new|\
                   5\t6\tt|0\t7\td";
        let files = parse_changes(raw.as_bytes().split(|byte| *byte == b'|')).unwrap();
        let lines: Vec<String> = files
            .iter()
            .map(|f| format!("{} {:?} +{} -{}", f.path, f.status, f.lines_added, f.lines_removed))
            .collect();
        let expected = [
            "bin Added +0 -0",
            "d Deleted +0 -7",
            "m.txt Modified +1 -2",
            "new Renamed +3 -4",
            "t Other +5 -6",
        ];
        assert_eq!(lines, expected);
        assert!(parse_changes([b":100644 x".as_slice()].into_iter()).is_none());
        assert!(parse_changes(std::iter::empty()).unwrap().is_empty());
    }
}
