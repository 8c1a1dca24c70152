use clap::Args;
use lockstep_ports::Reference;
use lockstep_types::Digest;
use std::path::PathBuf;

#[derive(Args)]
#[command(after_help = "\
REF is dir:PATH[#TAG] or oci://HOST[:PORT]/NAME[:TAG]. A signature file beside FILE travels along.

To a registry a password comes from LOCKSTEP_OCI_USER and LOCKSTEP_OCI_PASSWORD, else from
what `docker login` left in config.json. Certificates are those this machine trusts, or the
file named by SSL_CERT_FILE.")]
pub(crate) struct PushArgs {
    /// A .wasm file, or the digest of a component of this host
    #[arg(value_name = "FILE|DIGEST")]
    pub(crate) source: PathBuf,
    /// Where to
    #[arg(value_name = "REF")]
    pub(crate) to: Reference,
    /// Signature file [default: FILE.sig, if there is one]
    #[arg(long, value_name = "FILE")]
    pub(crate) signature: Option<PathBuf>,
    /// Let the tag mean this component, though it means another one
    #[arg(long)]
    pub(crate) move_tag: bool,
    /// Speak HTTP without TLS, passwords included; this machine itself is always spoken to like that
    #[arg(long)]
    pub(crate) insecure_http: bool,
}

#[derive(Args)]
#[command(after_help = "\
REF is dir:PATH[#TAG] or oci://HOST[:PORT]/NAME[:TAG], pinned with @sha256:DIGEST: in a folder
the component's digest, in a registry that of its manifest. What arrives is checked against it.
With neither --add nor --output it is fetched, checked and described, and kept nowhere.

A tag can be moved by whoever can push. To keep what a tag means, pin it: the refusal prints
the pinned reference. Or name the component with --digest, or accept the tag with --allow-tag.

Passwords and certificates are found as for `lockstep component push`.")]
pub(crate) struct PullArgs {
    /// Where from
    #[arg(value_name = "REF")]
    pub(crate) from: Reference,
    /// Add it to this host; nothing uses it until it is activated
    #[arg(long)]
    pub(crate) add: bool,
    /// Write it to a file, and its signature to FILE.sig
    #[arg(long, short, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// SHA-256 the component must have
    #[arg(long, value_name = "SHA256")]
    pub(crate) digest: Option<Digest>,
    /// Accept whatever a tag means now
    #[arg(long)]
    pub(crate) allow_tag: bool,
    /// Speak HTTP without TLS, passwords included; this machine itself is always spoken to like that
    #[arg(long)]
    pub(crate) insecure_http: bool,
}
