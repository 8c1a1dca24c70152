use super::{PrivateKey, SignatureError, read_public, read_signature, signed_text, verify, write_signature};
use expect_test::expect;
use lockstep_testkit::samples::{component, descriptor};
use lockstep_types::{ComponentInfo, Digest, Signature};

fn info() -> ComponentInfo {
    // In a sample the component is its descriptor; the two digests must not be equal here.
    ComponentInfo { digest: Digest::of(b"the component"), ..component(&descriptor("ci-gate", "1")).0 }
}

fn key() -> PrivateKey {
    PrivateKey::from_random(&[7; 32])
}

#[test]
fn what_is_signed_names_component_world_and_descriptor() {
    let text = String::from_utf8(signed_text(&info())).unwrap();
    expect![[r#"
        lockstep component signature v1
        component sha256:cfece2e1c027f681807eeb0825132aca4f0b949d0ef68a95fa9ad4b7c1dd154b
        world lockstep:step/step@0.2.0
        descriptor sha256:ac530cac8c04112865d710e063ef44e4e7f88644a2c63b01c4780d30b2420484
    "#]]
    .assert_eq(&text);
}

#[test]
fn a_signature_holds_for_its_component_and_key_alone() {
    let (info, key) = (info(), key());
    let signature = key.sign(&info);
    assert_eq!(verify(&info, &signature), Ok(()));
    let wrong = Err(SignatureError::Wrong { key: signature.key[..12].to_owned() });

    let changed_byte = ComponentInfo { digest: Digest::of(b"other"), ..info.clone() };
    assert_eq!(verify(&changed_byte, &signature), wrong);
    let other_descriptor = ComponentInfo { descriptor: descriptor("ci-gate", "2"), ..info.clone() };
    assert_eq!(verify(&other_descriptor, &signature), wrong);
    let other_world = ComponentInfo { world: "lockstep:step/step@9.0.0".to_owned(), ..info.clone() };
    assert_eq!(verify(&other_world, &signature), wrong);

    let other_key = PrivateKey::from_random(&[8; 32]);
    let claimed = Signature { key: other_key.public(), ..signature.clone() };
    assert!(matches!(verify(&info, &claimed), Err(SignatureError::Wrong { .. })));
    // Any bit of the signature counts.
    for at in [0, 63, 64, 127] {
        let mut digits = signature.signature.clone().into_bytes();
        digits[at] = if digits[at] == b'0' { b'1' } else { b'0' };
        let altered = Signature { signature: String::from_utf8(digits).unwrap(), ..signature.clone() };
        assert!(matches!(verify(&info, &altered), Err(SignatureError::Wrong { .. })), "digit {at}");
    }
}

#[test]
fn when_it_was_added_and_how_large_it_is_are_not_signed() {
    let (info, key) = (info(), key());
    let later = ComponentInfo { added_at: lockstep_types::Timestamp(99), ..info.clone() };
    assert_eq!(verify(&later, &key.sign(&info)), Ok(()));
}

#[test]
fn weak_keys_sign_nothing() {
    // The neutral element: anything would pass for its signature.
    let mut neutral = "01".to_owned();
    neutral.push_str(&"00".repeat(31));
    let signature = Signature { key: neutral.clone(), signature: format!("{neutral}{}", "00".repeat(32)) };
    assert!(verify(&info(), &signature).is_err());
    assert_eq!(read_public(&neutral), Err(SignatureError::NotAKey));
}

#[test]
fn files_are_read_back() {
    let (info, key) = (info(), key());
    let signature = key.sign(&info);
    assert_eq!(read_signature(&write_signature(&signature)), Ok(signature.clone()));
    assert_eq!(PrivateKey::read(&key.write("team")).unwrap().sign(&info), signature);
    assert_eq!(read_public(&key.write_public("team")), Ok((key.public(), Some("team".to_owned()))));
    assert_eq!(read_public(&format!(" {}\n", key.public())), Ok((key.public(), None)));
}

#[test]
fn rubbish_is_told_what_it_should_be() {
    let signature = write_signature(&key().sign(&info()));
    let mut told = String::new();
    for text in [
        "",
        "rubbish",
        &"x".repeat(5000),
        &signature[..signature.len() - 9],
        &signature.replace('0', "g"),
        &key().write("team"),
        &key().write_public("team"),
    ] {
        told.push_str(&format!("{}\n", read_signature(text).unwrap_err()));
    }
    told.push_str(&format!("{}\n", read_public(&key().write("team")).unwrap_err()));
    told.push_str(&format!("{}\n", read_public(&"é".repeat(32)).unwrap_err()));
    told.push_str(&format!("{}\n", PrivateKey::read(&key().write_public("team")).map(drop).unwrap_err()));
    expect![[r#"
        it is not a signature file of `lockstep component sign`: it does not begin with lockstep-signature-v1
        it is not a signature file of `lockstep component sign`: it begins with "rubbish", not lockstep-signature-v1
        it is not a signature file of `lockstep component sign`: it does not begin with lockstep-signature-v1
        it is not a signature file of `lockstep component sign`: 128 hexadecimal digits are expected
        it is not a signature file of `lockstep component sign`: 64 hexadecimal digits are expected
        it is not a signature file of `lockstep component sign`: it begins with "lockstep-private-key-v1", not lockstep-signature-v1
        it is not a signature file of `lockstep component sign`: it begins with "lockstep-public-key-v1", not lockstep-signature-v1
        it is not a public key file of `lockstep component keygen`, nor 64 hexadecimal digits: it begins with "lockstep-private-key-v1", not lockstep-public-key-v1
        it is not a public key file of `lockstep component keygen`, nor 64 hexadecimal digits: 64 hexadecimal digits are expected
        it is not a private key of `lockstep component keygen`: it begins with "lockstep-public-key-v1", not lockstep-private-key-v1
    "#]].assert_eq(&told);
}
