use crate::exit::Refused;
use lockstep_ports::ComponentService;

/// The components of the standard step kinds: name and bytes. Empty if they were not built before this binary.
pub const STANDARD_COMPONENTS: &[(&str, &[u8])] =
    include!(concat!(env!("OUT_DIR"), "/standard_components.rs"));

/// Refuses to go on where no run could: the binary carries no components, and none were added by hand.
pub(crate) async fn require(service: &dyn ComponentService) -> anyhow::Result<()> {
    if STANDARD_COMPONENTS.is_empty() && service.components().await?.is_empty() {
        let reason = "this lockstep was built without its standard components: \
                      run `cargo xtask guests` and build again";
        return Refused::because(reason);
    }
    Ok(())
}
