//! Tests of encoding and decoding with the small trained vocabulary.

use std::path::PathBuf;
use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn fixture() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/tokenizer")
}

static TINY: LazyLock<Tokenizer> = LazyLock::new(|| Tokenizer::from_directory(&fixture()).unwrap());

/// The small vocabulary with a change to its description.
fn changed(change: impl FnOnce(&mut Value)) -> Result<Tokenizer, Error> {
    let text = std::fs::read(fixture().join("tokenizer.json")).unwrap();
    let mut description: Value = serde_json::from_slice(&text).unwrap();
    change(&mut description);
    Tokenizer::from_json(&serde_json::to_vec(&description).unwrap())
}

fn byte_level(tokenizer: &Tokenizer) -> &ByteLevel {
    match &tokenizer.kind {
        Kind::ByteLevel(model) => model,
        Kind::SentencePiece(_) => panic!("not of a tokenizer.json"),
    }
}

fn pieces(tokenizer: &Tokenizer, ids: &[u32]) -> Vec<String> {
    ids.iter().map(|id| String::from_utf8_lossy(tokenizer.bytes(*id)).into_owned()).collect()
}

#[track_caller]
fn check_plain(tokenizer: &Tokenizer, text: &str) {
    let ids = tokenizer.encode(text);
    let special: Vec<_> = ids.iter().filter(|id| tokenizer.is_special(**id)).collect();
    assert!(special.is_empty(), "{text:?} gives the special ids {special:?}");
    assert_eq!(tokenizer.decode(&ids), text);
}

#[test]
fn code_is_cut_as_in_training() {
    let ids = TINY.encode("fn area(x: u32) {\n    return 42;\n}");
    insta::assert_snapshot!(pieces(&TINY, &ids).join("·"), @r"
    fn· area·(·x·:· u·3·2·)· {·
        ·return· ·4·2·;·
    ·}
    ");
}

#[test]
fn control_tokens_in_text_are_text() {
    for name in TINY.special_names() {
        check_plain(&TINY, name);
        check_plain(&TINY, &format!("a {name}{name}\n{name} // {name}é"));
    }
    check_plain(&TINY, "<|fim_<|fim_middle|>middle|>");
}

#[test]
fn control_tokens_without_the_special_flag_are_neutralised_too() {
    let tokenizer = changed(|description| {
        for token in description["added_tokens"].as_array_mut().unwrap() {
            token["special"] = json!(false);
        }
    })
    .unwrap();
    check_plain(&tokenizer, "<|fim_middle|>");
    assert_eq!(tokenizer.fim(), TINY.fim());
}

#[test]
fn control_tokens_that_the_model_itself_would_find_are_neutralised() {
    // Without a pre-tokenizer, and with words looked up before any merge, the whole text is one word of the vocabulary.
    let tokenizer = changed(|description| {
        description["pre_tokenizer"] = Value::Null;
        description["model"]["ignore_merges"] = json!(true);
    })
    .unwrap();
    let found = byte_level(&tokenizer).encode_plain("<|fim_middle|>").unwrap();
    assert_eq!(found, [tokenizer.fim().unwrap().middle]);
    check_plain(&tokenizer, "<|fim_middle|>");
}

#[test]
fn added_words_that_steer_nothing_are_matched_in_text() {
    let tokenizer = changed(|description| {
        let id = TINY.vocab_size();
        description["added_tokens"].as_array_mut().unwrap().push(json!({
            "id": id, "content": "          ", "special": false,
            "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
        }));
    })
    .unwrap();
    assert_eq!(tokenizer.vocab_size(), TINY.vocab_size() + 1);
    let ids = tokenizer.encode("x          y");
    assert_eq!(pieces(&tokenizer, &ids), ["x", "          ", "y"]);
    check_plain(&tokenizer, "x          y");
}

#[test]
fn special_tokens_are_matched_where_asked_for() {
    let fim = TINY.fim().unwrap();
    let mut expected = vec![fim.suffix];
    expected.extend(TINY.encode("b"));
    expected.push(fim.prefix);
    expected.extend(TINY.encode("a"));
    expected.push(fim.middle);
    assert_eq!(TINY.encode_with_specials("<|fim_suffix|>b<|fim_prefix|>a<|fim_middle|>"), expected);
    assert_eq!(TINY.decode(&expected), "ba");
}

#[test]
fn special_tokens_are_found_by_name() {
    let fim = TINY.fim().unwrap();
    assert_eq!(TINY.special("<|fim_middle|>"), Some(fim.middle));
    assert_eq!(TINY.special("<|file_sep|>"), fim.file_sep);
    assert_eq!(TINY.special("<|repo_name|>"), fim.repo_name);
    assert_eq!(TINY.special("<|fim_pad|>"), fim.pad);
    assert_eq!(TINY.special("fn"), None);
    assert!(TINY.is_special(fim.prefix));
    assert!(!TINY.is_special(u32::MAX));
    assert_eq!(TINY.special_names().count(), 7);
}

#[test]
fn a_vocabulary_without_infilling_tokens_loads() {
    let tokenizer = changed(|description| {
        description["added_tokens"].as_array_mut().unwrap().truncate(1);
    })
    .unwrap();
    assert_eq!(tokenizer.fim(), None);
    check_plain(&tokenizer, "let x = 1;");
}

#[test]
fn unknown_ids_have_no_text() {
    assert_eq!(TINY.decode(&[u32::MAX, 1 << 30]), "");
    let mut stream = TINY.decode_stream();
    assert_eq!(stream.push(u32::MAX), "");
    assert_eq!(stream.finish(), "");
}

#[test]
fn an_unfinished_character_is_held_back() {
    let ids = TINY.encode("𝄞");
    assert_eq!(ids.len(), 4, "the test needs a character of several tokens");
    let mut stream = TINY.decode_stream();
    let pushed: Vec<String> = ids.iter().map(|id| stream.push(*id)).collect();
    assert_eq!(pushed, ["", "", "", "𝄞"]);
    assert_eq!(stream.finish(), "");

    let mut stream = TINY.decode_stream();
    assert_eq!(stream.push(ids[0]), "");
    assert_eq!(stream.push(TINY.encode("x")[0]), "\u{fffd}x");
    assert_eq!(stream.push(ids[0]), "");
    assert_eq!(stream.finish(), "\u{fffd}");
}

#[track_caller]
fn check_broken(result: Result<Tokenizer, Error>, expected: &str) {
    let message = result.unwrap_err().to_string();
    assert!(message.contains(expected), "{message:?} does not say {expected:?}");
}

#[test]
fn broken_files_are_refused_with_their_path() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokenizer.json");
    let named = path.display().to_string();
    check_broken(Tokenizer::from_directory(directory.path()), &named);
    for contents in ["", "{", "[]", "null", "{\"version\": \"1.0\"}"] {
        std::fs::write(&path, contents).unwrap();
        check_broken(Tokenizer::from_directory(directory.path()), &named);
        check_broken(Tokenizer::from_directory(directory.path()), "not a tokenizer description");
    }
    std::fs::write(&path, [0xff, 0xfe, 0x00]).unwrap();
    check_broken(Tokenizer::from_directory(directory.path()), &named);
}

#[test]
fn other_kinds_of_tokenizer_are_refused() {
    check_broken(changed(|it| it["decoder"] = Value::Null), "the decoder is not ByteLevel");
    check_broken(changed(|it| it["decoder"] = json!({"type": "ByteFallback"})), "not ByteLevel");
    check_broken(
        changed(|it| {
            it["model"] = json!({"type": "WordLevel", "vocab": {"a": 0}, "unk_token": "a"})
        }),
        "not a BPE",
    );
    check_broken(changed(|it| it["model"]["vocab"]["zzz"] = json!(u32::MAX)), "is not below");
}

#[test]
fn cutting_and_padding_asked_for_by_the_file_are_ignored() {
    let tokenizer = changed(|description| {
        description["truncation"] = json!({
            "direction": "Right", "max_length": 2, "strategy": "LongestFirst", "stride": 0,
        });
        description["padding"] = json!({
            "strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": null,
            "pad_id": 0, "pad_type_id": 0, "pad_token": "<|fim_pad|>",
        });
    })
    .unwrap();
    let text = "let total = 1;";
    assert_eq!(tokenizer.encode_with_specials(text), TINY.encode(text));
}

/// Text that is rich in characters of several bytes, line ends and control tokens.
fn any_text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        4 => "\\PC{0,12}",
        2 => "[ \t\r\n]{1,4}",
        2 => "(fn|let|return|value|_x|42|\\(|\\)|\\{){1,4}",
        1 => "(<\\|fim_middle\\|>|<\\|file_sep\\|>|<\\|fim_|middle\\|>|\u{fffd}|é|𝄞|\u{1f468}\u{200d}\u{1f469})",
    ];
    prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
}

/// The small vocabulary with every pre-tokenizer that a text may be cut for.
static CUT: LazyLock<Vec<Tokenizer>> = LazyLock::new(|| {
    let split = |regex: &str| json!({"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": false});
    let byte_level = |use_regex: bool| {
        json!({
            "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true,
            "use_regex": use_regex,
        })
    };
    let mut chains: Vec<Vec<Value>> = Vec::new();
    for regex in cuts::SPLITTING {
        chains.push(vec![split(regex), byte_level(false)]);
        for harmless in cuts::HARMLESS {
            chains.push(vec![split(harmless), split(regex), byte_level(false)]);
            chains.push(vec![split(regex), split(harmless), byte_level(false)]);
        }
    }
    chains.push(vec![byte_level(true)]);
    chains.push(vec![json!({"type": "Digits", "individual_digits": true}), byte_level(true)]);
    let with = |chain: Vec<Value>| {
        changed(|description| {
            description["pre_tokenizer"] = json!({"type": "Sequence", "pretokenizers": chain});
        })
        .unwrap()
    };
    chains.into_iter().map(with).collect()
});

#[test]
fn only_what_is_known_is_cut() {
    let may_be_cut = |change: fn(&mut Value)| byte_level(&changed(change).unwrap()).may_be_cut;
    assert!(CUT.iter().all(|tokenizer| byte_level(tokenizer).may_be_cut));
    assert!(may_be_cut(|_| {}));
    assert!(may_be_cut(|it| it["normalizer"] = json!({"type": "NFC"})));
    assert!(!may_be_cut(|it| it["normalizer"] = json!({"type": "Lowercase"})));
    assert!(!may_be_cut(|it| it["pre_tokenizer"] = Value::Null));
    assert!(!may_be_cut(|it| {
        it["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = json!(".+");
    }));
    assert!(!may_be_cut(|it| it["pre_tokenizer"]["pretokenizers"][0]["invert"] = json!(true)));
    assert!(!may_be_cut(|it| {
        it["pre_tokenizer"]["pretokenizers"][1]["add_prefix_space"] = json!(true);
    }));
    assert!(!may_be_cut(|it| it["added_tokens"][0]["content"] = json!("a\n")));
    assert!(!may_be_cut(|it| it["added_tokens"][0]["rstrip"] = json!(true)));
}

fn streamed(ids: &[u32]) -> String {
    let mut stream = TINY.decode_stream();
    let mut text: String = ids.iter().map(|id| stream.push(*id)).collect();
    text.push_str(&stream.finish());
    text
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn text_survives_the_round_trip(text in any_text()) {
        let ids = TINY.encode(&text);
        prop_assert!(ids.iter().all(|id| !TINY.is_special(*id)));
        prop_assert_eq!(&TINY.decode(&ids), &text);
        prop_assert_eq!(&streamed(&ids), &text);
    }

    #[test]
    fn parts_of_a_text_have_the_tokens_of_the_whole(
        lines in prop::collection::vec(any_text(), 0..4),
        first in 0_usize..16,
    ) {
        let text = lines.join(" a\n");
        for tokenizer in CUT.iter().skip(first).step_by(16) {
            let whole = tokenizer.encode_plain(&text, true);
            let parts = cuts::parts(&text).flat_map(|part| tokenizer.encode_plain(part, true));
            prop_assert_eq!(parts.collect::<Vec<_>>(), whole.as_slice());
            prop_assert_eq!(tokenizer.encode(&text), whole);
        }
    }

    #[test]
    fn text_without_control_tokens_is_encoded_as_by_the_library(text in "\\PC{0,40}") {
        prop_assume!(!text.contains("<|"));
        prop_assert_eq!(TINY.encode(&text), TINY.encode_with_specials(&text));
    }

    #[test]
    fn streaming_gives_what_decoding_gives(ids in prop::collection::vec(0_u32..500, 0..40)) {
        prop_assert_eq!(streamed(&ids), TINY.decode(&ids));
    }

    #[test]
    fn decoding_agrees_with_the_library(ids in prop::collection::vec(0_u32..500, 0..40)) {
        let expected = byte_level(&TINY).inner.decode(&ids, true).unwrap();
        prop_assert_eq!(TINY.decode(&ids), expected);
    }
}
