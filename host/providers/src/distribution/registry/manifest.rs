//! The form WebAssembly tools ship components in: an image manifest whose configuration is
//! `application/vnd.wasm.config.v0+json` and whose one layer is the component.

use base64ct::{Base64, Encoding as _};
use lockstep_ports::{Artifact, Label, SIGNATURE_MAX};
use lockstep_types::Digest;
use oci_client::manifest::{OCI_IMAGE_MEDIA_TYPE, OciDescriptor, OciImageManifest};
use std::collections::BTreeMap;

const CONFIG: &str = "application/vnd.wasm.config.v0+json";
const LAYER: &str = "application/wasm";

/// Where the signature file travels: in the manifest, so that its digest pins component and signature together, every
/// tool that copies the artifact takes both, and tools that insist on one layer find one.
const SIGNATURE: &str = "lockstep.component.signature";
const KIND: &str = "org.opencontainers.image.title";
const VERSION: &str = "org.opencontainers.image.version";
const SUMMARY: &str = "org.opencontainers.image.description";

/// What `created` says. With the time of the push, pushing the same again would make another artifact.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// Longest claim about a component that is kept of a stranger's manifest.
const CLAIM_MAX: usize = 200;

fn descriptor(media_type: &str, bytes: &[u8]) -> OciDescriptor {
    OciDescriptor {
        media_type: media_type.to_owned(),
        digest: format!("sha256:{}", Digest::of(bytes)),
        size: i64::try_from(bytes.len()).unwrap_or(i64::MAX),
        ..OciDescriptor::default()
    }
}

/// The two texts that go with a component.
pub(super) struct Texts {
    pub(super) config: Vec<u8>,
    pub(super) manifest: Vec<u8>,
}

/// What an artifact says of the component in it.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) component: Digest,
    pub(super) size: u64,
    pub(super) signature: Option<Vec<u8>>,
    pub(super) label: Label,
}

/// Writes configuration and manifest; the same component with the same signature always gives the same bytes.
pub(super) fn write(artifact: &Artifact) -> serde_json::Result<Texts> {
    let label = &artifact.label;
    let layer = descriptor(LAYER, &artifact.component);
    let config = serde_json::to_vec(&serde_json::json!({
        "created": CREATED,
        "architecture": "wasm",
        "os": "wasip2",
        "layerDigests": [layer.digest],
        "component": { "exports": EXPORTS, "imports": label.imports, "target": label.world },
    }))?;
    let named = [(KIND, &label.kind), (VERSION, &label.version), (SUMMARY, &label.summary)];
    let mut annotations: BTreeMap<_, _> = named
        .into_iter()
        .filter(|(_, text)| !text.is_empty())
        .map(|(name, text)| (name.to_owned(), text.clone()))
        .collect();
    if let Some(signature) = &artifact.signature {
        annotations.insert(SIGNATURE.to_owned(), Base64::encode_string(signature));
    }
    let manifest = serde_json::to_vec(&OciImageManifest {
        media_type: Some(OCI_IMAGE_MEDIA_TYPE.to_owned()),
        config: descriptor(CONFIG, &config),
        layers: vec![layer],
        annotations: (!annotations.is_empty()).then_some(annotations),
        ..OciImageManifest::default()
    })?;
    Ok(Texts { config, manifest })
}

/// What every step component exports.
const EXPORTS: [&str; 3] = ["describe", "advance", "migrate"];

/// Reads a manifest, or says what it is that is no component.
pub(super) fn read(bytes: &[u8]) -> Result<Contents, String> {
    let value: serde_json::Value =
        serde_json::from_slice(bytes).map_err(|_| "its manifest is no JSON".to_owned())?;
    if value.get("manifests").is_some() {
        return Err("it is a list of images".to_owned());
    }
    let manifest: OciImageManifest =
        serde_json::from_value(value).map_err(|_| "its manifest is not an image's".to_owned())?;
    if manifest.config.media_type != CONFIG {
        return Err(format!("its configuration is {}, not {CONFIG}", clipped(&manifest.config.media_type)));
    }
    let [layer] = manifest.layers.as_slice() else {
        return Err(format!("it has {} layers, not one", manifest.layers.len()));
    };
    if layer.media_type != LAYER {
        return Err(format!("its layer is {}, not {LAYER}", clipped(&layer.media_type)));
    }
    let component = layer.digest.strip_prefix("sha256:").and_then(|digits| digits.parse().ok());
    let component = component.ok_or("its layer is not named by a SHA-256")?;
    let size = u64::try_from(layer.size).map_err(|_| "its layer has no size")?;
    let annotations = manifest.annotations.unwrap_or_default();
    let claim = |name: &str| annotations.get(name).map(|text| clipped(text)).unwrap_or_default();
    let label =
        Label { kind: claim(KIND), version: claim(VERSION), summary: claim(SUMMARY), ..Label::default() };
    let signature = annotations.get(SIGNATURE).map(|text| Base64::decode_vec(text)).transpose();
    let signature = signature.map_err(|_| "its signature is not base64")?;
    if signature.as_ref().is_some_and(|signature| signature.len() as u64 > SIGNATURE_MAX) {
        return Err(format!("its signature is larger than {SIGNATURE_MAX} bytes"));
    }
    Ok(Contents { component, size, signature, label })
}

fn clipped(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(CLAIM_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn artifact() -> Artifact {
        Artifact {
            component: b"\0asm".to_vec(),
            signature: Some(b"{}".to_vec()),
            label: Label {
                kind: "ci-gate".into(),
                version: "1.2.0".into(),
                summary: "Waits for checks".into(),
                world: "lockstep:step/step@0.1.0".into(),
                imports: vec!["lockstep:step/checks@0.1.0".into()],
            },
        }
    }

    #[test]
    fn the_texts_are_those_of_wasm_tools_and_always_the_same() {
        let texts = write(&artifact()).unwrap();
        expect![[r#"{"architecture":"wasm","component":{"exports":["describe","advance","migrate"],"imports":["lockstep:step/checks@0.1.0"],"target":"lockstep:step/step@0.1.0"},"created":"1970-01-01T00:00:00Z","layerDigests":["sha256:cd5d4935a48c0672cb06407bb443bc0087aff947c6b864bac886982c73b3027f"],"os":"wasip2"}"#]]
        .assert_eq(std::str::from_utf8(&texts.config).unwrap());
        expect![[r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.wasm.config.v0+json","digest":"sha256:a45eb6a7e34cdd65e772a00063ab0242772ea4949011bbb25164e3e03b1dbe87","size":295},"layers":[{"mediaType":"application/wasm","digest":"sha256:cd5d4935a48c0672cb06407bb443bc0087aff947c6b864bac886982c73b3027f","size":4}],"annotations":{"lockstep.component.signature":"e30=","org.opencontainers.image.description":"Waits for checks","org.opencontainers.image.title":"ci-gate","org.opencontainers.image.version":"1.2.0"}}"#]].assert_eq(std::str::from_utf8(&texts.manifest).unwrap());
    }

    #[test]
    fn what_is_written_is_read_back() {
        let (written, read) = (artifact(), read(&write(&artifact()).unwrap().manifest).unwrap());
        assert_eq!((read.component, read.size), (Digest::of(&written.component), 4));
        assert_eq!(
            (read.signature, read.label.kind, read.label.version),
            (written.signature, written.label.kind, written.label.version)
        );
    }

    #[test]
    fn what_is_no_component_is_named() {
        let good = String::from_utf8(write(&artifact()).unwrap().manifest).unwrap();
        let reason = |from: &str, to: &str| {
            let changed = good.replace(from, to);
            assert_ne!(changed, good, "{from}");
            read(changed.as_bytes()).unwrap_err()
        };
        assert_eq!(read(b"<html>").unwrap_err(), "its manifest is no JSON");
        assert_eq!(read(b"[]").unwrap_err(), "its manifest is not an image's");
        assert_eq!(read(br#"{"manifests":[]}"#).unwrap_err(), "it is a list of images");
        assert!(
            reason(CONFIG, "application/vnd.oci.image.config.v1+json").starts_with("its configuration is")
        );
        assert_eq!(reason("application/wasm", "text/plain"), "its layer is text/plain, not application/wasm");
        assert_eq!(reason("\"layers\":[{", "\"layers\":[],\"x\":[{"), "it has 0 layers, not one");
        assert_eq!(reason("sha256:cd", "sha512:cd"), "its layer is not named by a SHA-256");
        assert_eq!(reason("\"e30=\"", "\"e30\""), "its signature is not base64");
    }
}
