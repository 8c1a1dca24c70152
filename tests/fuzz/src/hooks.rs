use lockstep_hooks::github;

/// A delivery: the name of its event on the first line, then its payload. Whatever it is, it is read or refused.
pub(crate) fn delivery(data: &[u8]) {
    let mut parts = data.splitn(2, |byte| *byte == b'\n');
    let (Some(event), Some(body)) = (parts.next(), parts.next()) else { return };
    let Ok(event) = std::str::from_utf8(event) else { return };
    if let Err(refused) = github::read(event, body) {
        let text = refused.to_string();
        assert!(!text.is_empty() && !text.contains('\n'), "{text:?}");
    }
}
