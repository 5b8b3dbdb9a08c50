//! Tests of the image: what is chosen, what is refused, and that the one in the tree is of the sources beside it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use miniz_oxide::deflate::compress_to_vec_zlib;
use sha2::{Digest, Sha256};

use super::parts::Source;
use super::*;
use crate::testing;

/// An image of these parts; it is never freed, as that of the binary is not either.
fn image(parts: &[(&str, &str)]) -> &'static [u8] {
    let (mut lines, mut data) = (String::new(), Vec::new());
    for (name, text) in parts {
        let deflated = compress_to_vec_zlib(text.as_bytes(), 6);
        writeln!(lines, "{name} {} {} {}", data.len(), deflated.len(), text.len()).unwrap();
        data.extend(deflated);
    }
    lines.push('\n');
    [lines.into_bytes(), data].concat().leak()
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn kernels_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../kernels")
}

fn manifest() -> toml::Table {
    fs::read_to_string(kernels_folder().join("prebuilt/manifest.toml")).unwrap().parse().unwrap()
}

#[track_caller]
fn check_targets(parts: &[&str], capability: (u32, u32), expected: &[&str]) {
    let parts: Vec<_> = parts.iter().map(|target| (format!("rows.{target}"), "code")).collect();
    let parts: Vec<_> = parts.iter().map(|(name, code)| (name.as_str(), *code)).collect();
    let chosen = Image::read(image(&parts)).unwrap().targets(capability);
    assert_eq!(chosen.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
}

#[test]
fn the_best_code_comes_first() {
    let all = ["sm_80", "sm_86", "sm_89", "sm_90", "sm_100", "sm_120", "compute_80"];
    check_targets(&all, (8, 0), &["sm_80", "compute_80"]);
    check_targets(&all, (8, 7), &["sm_86", "compute_80"]);
    check_targets(&all, (8, 9), &["sm_89", "compute_80"]);
    check_targets(&all, (10, 3), &["sm_100", "compute_80"]);
    check_targets(&all, (12, 1), &["sm_120", "compute_80"]);
    check_targets(&all, (13, 0), &["compute_80"]);
    check_targets(&all, (7, 5), &[]);
    check_targets(&["sm_90"], (8, 9), &[]);
    check_targets(&["compute_80", "compute_90"], (9, 0), &["compute_90"]);
}

#[test]
fn parts_come_back_as_they_were() {
    let image = Image::read(image(&[
        ("source/rows.cu", "kernel"),
        ("source/device.cuh", "header"),
        ("rows.sm_80", "code"),
        ("tile.sm_80", "more code"),
        ("rows.compute_80", "text"),
    ]))
    .unwrap();
    let code: Vec<_> = image.of(Target::Real(80)).map(|part| part.unwrap()).collect();
    assert_eq!(code, [b"code".to_vec(), b"more code".to_vec()]);
    let source = |name: &str, text: &str| Source { name: name.to_owned(), text: text.into() };
    assert_eq!(
        image.sources().unwrap(),
        (vec![source("rows.cu", "kernel")], vec![source("device.cuh", "header")])
    );
}

#[test]
fn a_broken_image_is_refused() {
    let is_refused = |bytes: &[u8]| match Image::read(bytes.to_vec().leak()) {
        Ok(image) => image.of(Target::Real(80)).any(|part| part.is_err()),
        Err(_) => true,
    };
    for lines in
        ["", "rows.sm_80", "rows.sm_80 0 9 4\n\n", "rows 0 0 0\n\n", "rows.sm_80 0 x 4\n\n"]
    {
        assert!(is_refused(lines.as_bytes()), "{lines:?}");
    }
    let good = image(&[("rows.sm_80", "code")]);
    assert!(!is_refused(good));
    for n in 0..good.len() {
        assert!(is_refused(&good[..n]), "cut to {n}");
    }
}

#[test]
fn what_was_compiled_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let cache = Cache::at(&folder.path().join("kernels"));
    let source = |text: &str| Source { name: "rows.cu".to_owned(), text: text.into() };
    let get = |source: &Source, driver, code: &str| {
        cache.get_or(&[], source, Target::Real(90), driver, || Ok(code.into())).unwrap()
    };
    assert_eq!(get(&source("a"), (13, 0), "first"), b"first");
    assert_eq!(get(&source("a"), (13, 0), "second"), b"first");
    assert_eq!(get(&source("b"), (13, 0), "other source"), b"other source");
    assert_eq!(get(&source("a"), (13, 1), "other driver"), b"other driver");
    for file in fs::read_dir(folder.path().join("kernels")).unwrap() {
        let path = file.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        bytes.pop();
        fs::write(&path, bytes).unwrap();
    }
    assert_eq!(get(&source("a"), (13, 0), "after damage"), b"after damage");
}

#[test]
fn the_image_is_of_these_sources() {
    let manifest = manifest();
    let stale = "the image is stale: run `cargo xtask kernels`, and commit kernels/prebuilt";
    let mut sources = BTreeMap::new();
    for file in fs::read_dir(kernels_folder()).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "cu" || extension == "cuh") {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            sources.insert(name, hex(&fs::read(&path).unwrap()));
        }
    }
    let listed = manifest["sources"].as_table().unwrap();
    let listed =
        listed.iter().map(|(name, hash)| (name.clone(), hash.as_str().unwrap().to_owned()));
    assert_eq!(listed.collect::<BTreeMap<_, _>>(), sources, "{stale}");
    assert_eq!(manifest["image"].as_str().unwrap(), hex(IMAGE), "{stale}");
}

#[test]
fn every_launcher_has_its_kernel() {
    let manifest = manifest();
    let kernels: Vec<_> =
        manifest["kernels"].as_array().unwrap().iter().filter_map(toml::Value::as_str).collect();
    let launched: Vec<_> = KERNELS.iter().copied().flatten().copied().collect();
    for name in &launched {
        assert!(kernels.contains(name), "no source has the kernel {name} of a launcher");
    }
    for name in kernels {
        assert!(launched.contains(&name), "no launcher names the kernel {name}");
    }
}

/// What this machine's compiler makes of the sources, where its library is to be found.
#[test]
fn sources_compile_on_this_machine() {
    let name = "image::tests::sources_compile_on_this_machine";
    if !compiler::is_present() {
        testing::skip(name, "libnvrtc is not installed");
        return;
    }
    let (sources, headers) = Image::read(IMAGE).unwrap().sources().unwrap();
    let source = sources.iter().find(|source| source.name == "combine.cu").unwrap();
    let code = compiler::compile(source, &headers, Target::Real(90)).unwrap();
    assert!(code.starts_with(b"\x7fELF"));

    let wrong = Source { name: "wrong.cu".to_owned(), text: "#include \"device.cuh\"\nx".into() };
    let reason = compiler::compile(&wrong, &headers, Target::Real(90)).unwrap_err();
    assert!(
        reason.starts_with("NVRTC of wrong.cu: NVRTC_ERROR_COMPILATION: wrong.cu(2)"),
        "{reason}"
    );
    assert_eq!(reason.lines().count(), 1);
}
