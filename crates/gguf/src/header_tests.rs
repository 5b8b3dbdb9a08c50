//! Tests of the header on files made up here, good and bad.

use super::*;

const TEXT: u32 = 8;
const ARRAY: u32 = 9;

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

fn entry(key: &str, kind: u32, value: &[u8]) -> Vec<u8> {
    [string(key), kind.to_le_bytes().to_vec(), value.to_vec()].concat()
}

fn array(kind: u32, count: u64, elements: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &count.to_le_bytes(), elements].concat()
}

fn tensor(name: &str, dimensions: &[u64], kind: u32, offset: u64) -> Vec<u8> {
    let mut bytes = string(name);
    bytes.extend((dimensions.len() as u32).to_le_bytes());
    bytes.extend(dimensions.iter().flat_map(|size| size.to_le_bytes()));
    bytes.extend(kind.to_le_bytes());
    bytes.extend(offset.to_le_bytes());
    bytes
}

fn file(tensors: &[Vec<u8>], entries: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = b"GGUF".to_vec();
    bytes.extend(3_u32.to_le_bytes());
    bytes.extend((tensors.len() as u64).to_le_bytes());
    bytes.extend((entries.len() as u64).to_le_bytes());
    bytes.extend(entries.concat());
    bytes.extend(tensors.concat());
    bytes
}

fn read(bytes: &[u8]) -> Result<Header, Error> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes).unwrap();
    Header::read(file.path())
}

#[track_caller]
fn check_error(bytes: &[u8], expected: &str) {
    let error = read(bytes).expect_err("it should be refused").to_string();
    assert!(error.contains(expected), "{error:?} does not contain {expected:?}");
}

fn sample() -> Vec<u8> {
    let names = [string("a"), string("é")].concat();
    file(
        &[tensor("norm", &[4], 0, 0), tensor("table", &[4, 6], 8, 32)],
        &[
            entry("name", TEXT, &string("tiny")),
            entry("narrow", 0, &[7]),
            entry("wide", 10, &9_u64.to_le_bytes()),
            entry("negative", 5, &(-1_i32).to_le_bytes()),
            entry("theta", 6, &0.5_f32.to_le_bytes()),
            entry("flag", 7, &[1]),
            entry("names", ARRAY, &array(TEXT, 2, &names)),
            entry("kinds", ARRAY, &array(5, 1, &3_i32.to_le_bytes())),
        ],
    )
}

#[test]
fn values_are_read_whatever_their_width() {
    let header = read(&sample()).unwrap();
    assert_eq!(header.text("name").unwrap(), Some("tiny"));
    assert_eq!(header.integer("narrow").unwrap(), Some(7));
    assert_eq!(header.integer("wide").unwrap(), Some(9));
    assert_eq!(header.float("theta").unwrap(), Some(0.5));
    assert_eq!(header.bool("flag").unwrap(), Some(true));
    assert_eq!(header.texts("names").unwrap(), Some(vec!["a", "é"]));
    assert_eq!(header.integers("kinds").unwrap(), Some(vec![3]));
    assert_eq!(header.text("absent").unwrap(), None);
    let table = &header.tensors()["table"];
    assert_eq!((table.shape.as_slice(), table.kind), (&[6, 4][..], 8));
    assert_eq!(table.start, (sample().len() as u64).next_multiple_of(32) + 32);
}

#[test]
fn values_of_another_kind_are_named() {
    let header = read(&sample()).unwrap();
    let messages = [
        header.integer("name").unwrap_err(),
        header.integer("negative").unwrap_err(),
        header.texts("kinds").unwrap_err(),
        header.require::<u64>("general.architecture", None).unwrap_err(),
    ]
    .map(|error| error.to_string());
    let expected = [
        "name is a string; expected an integer from 0 on",
        "negative is an integer; expected an integer from 0 on",
        "kinds is an array; expected an array of strings",
        "the metadata has no general.architecture",
    ];
    for (message, expected) in messages.iter().zip(expected) {
        assert!(message.ends_with(expected), "{message:?} does not end with {expected:?}");
    }
}

#[test]
fn every_truncation_is_refused() {
    let whole = sample();
    for len in 0..whole.len() {
        assert!(read(&whole[..len]).is_err(), "{len} of {} bytes were accepted", whole.len());
    }
}

#[test]
fn damaged_headers_are_refused_in_words() {
    let huge = u64::MAX / 2;
    check_error(b"GGML, once upon a time", "does not begin with GGUF");
    check_error(b"GGUF\x00\x00\x00\x03", "version 50331648 is not supported");
    check_error(&[&b"GGUF\x03\x00\x00\x00"[..], &huge.to_le_bytes()].concat(), "tensors are more");
    check_error(&file(&[], &[entry("a", 77, &[])]), "a: metadata values of type 77");
    check_error(&file(&[], &[entry("a", TEXT, &huge.to_le_bytes())]), "a string of");
    check_error(&file(&[], &[entry("a", ARRAY, &array(0, huge, &[]))]), "array elements are more");
    check_error(&file(&[], &[entry("a", ARRAY, &array(77, 0, &[]))]), "type 77");
    check_error(&file(&[], &[entry("general.alignment", 4, &[0; 4])]), "general.alignment");
    check_error(&file(&[tensor("t", &[1; 5], 0, 0)], &[]), "tensor t: it has 5 dimensions");
    check_error(&file(&[tensor("t", &[1 << 40, 1 << 40], 0, 0)], &[]), "tensor t: its shape");
    check_error(&file(&[tensor("t", &[1], 0, 4)], &[]), "tensor t lies at an impossible place");
    check_error(
        &file(&[tensor("t", &[1], 0, u64::MAX - 7)], &[]),
        "tensor t lies at an impossible",
    );
    let twice = [tensor("t", &[1], 0, 0), tensor("t", &[1], 0, 0)];
    check_error(&file(&twice, &[]), "there are two tensors t");
}

#[test]
fn nesting_and_numbers_of_values_are_bounded() {
    let mut nested = array(0, 0, &[]);
    for _ in 0..1000 {
        nested = array(ARRAY, 1, &nested);
    }
    check_error(&file(&[], &[entry("a", ARRAY, &nested)]), "nested too deep");
    let many = vec![0; 1 << 22];
    let values: Vec<_> =
        ["a", "b"].map(|key| entry(key, ARRAY, &array(0, 1 << 22, &many))).into_iter().collect();
    check_error(&file(&[], &values), "more than 8388608 values");
}
