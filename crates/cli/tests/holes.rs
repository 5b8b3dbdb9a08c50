//! The built-in model fills the committed holes as well as its report says.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

/// Of 300; the report has the figures of these alone too. `HOLES=300` fills all.
const FEW: &str = "100";

/// Other processors round otherwise, and then a token may be another one.
const POINT: f64 = 0.01;

#[test]
fn the_report_of_the_built_in_model_holds() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../models/default/evaluation");
    let report = std::fs::read(folder.join("report.json")).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    let count = std::env::var("HOLES").unwrap_or_else(|_| FEW.to_owned());
    let expected = &report["first"][&count];
    assert!(expected.is_object(), "the report has no figures of the first {count} holes");

    let output = Command::new(env!("CARGO_BIN_EXE_dacapo"))
        .args(["eval", "--model", "default", "--context", "off", "--limit", &count, "--json"])
        .arg("--holes")
        .arg(folder.join("holes.jsonl"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let found = &found["runs"][0]["all"];
    assert_eq!(found["holes"].to_string(), count);
    for figure in ["shown", "exact_match", "edit_similarity", "identifier_f1", "parse_rate"] {
        let (now, then) = (found[figure]["mean"].as_f64(), expected[figure].as_f64());
        let (now, then) = (now.unwrap(), then.unwrap());
        assert!((now - then).abs() <= POINT + 1e-9, "{figure}: {now:.4}, reported {then:.4}");
    }
}
