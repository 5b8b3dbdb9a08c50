//! Tests of SentencePiece models against what the Python libraries make of the same files.

use std::path::PathBuf;
use std::sync::LazyLock;

use proptest::prelude::*;
use prost::Message;
use serde_json::{Value, json};

use super::proto::ModelProto;
use super::*;
use crate::Tokenizer;

fn fixture() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/tokenizer/spm")
}

static SMALL: LazyLock<Tokenizer> =
    LazyLock::new(|| Tokenizer::from_directory(&fixture()).unwrap());

static MODEL: LazyLock<Vec<u8>> =
    LazyLock::new(|| std::fs::read(fixture().join("tokenizer.model")).unwrap());

/// A directory with this model and these files beside it.
fn directory(model: &[u8], files: &[(&str, Value)]) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("tokenizer.model"), model).unwrap();
    for (name, content) in files {
        std::fs::write(directory.path().join(name), content.to_string()).unwrap();
    }
    directory
}

fn load(model: &[u8], files: &[(&str, Value)]) -> Result<Tokenizer, String> {
    Tokenizer::from_directory(directory(model, files).path()).map_err(|error| error.to_string())
}

/// The small model with a change to its description, and nothing beside it.
fn changed(change: impl FnOnce(&mut ModelProto)) -> Result<Tokenizer, String> {
    let mut model = ModelProto::decode(MODEL.as_slice()).unwrap();
    change(&mut model);
    load(&model.encode_to_vec(), &[])
}

fn without_dummy_prefix() -> Tokenizer {
    Tokenizer::from_directory(&fixture()).unwrap().with_dummy_prefix(false)
}

/// A list of `expected.json`.
fn expected(name: &str) -> Vec<Value> {
    let text = std::fs::read(fixture().join("expected.json")).unwrap();
    let lists: Value = serde_json::from_slice(&text).unwrap();
    lists[name].as_array().unwrap().clone()
}

fn ids_of(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap().try_into().unwrap()).collect()
}

#[track_caller]
fn check_library(name: &str, n_cases: usize, tokenizer: &Tokenizer) {
    let cases = expected(name);
    assert!(n_cases <= cases.len(), "{} cases are too few", cases.len());
    for case in cases {
        let (text, ids) = (case[0].as_str().unwrap(), ids_of(&case[1]));
        assert_eq!(tokenizer.encode(text), ids, "{text:?}");
        assert_eq!(tokenizer.decode(&ids), case[2].as_str().unwrap(), "{text:?}");
    }
}

#[test]
fn text_is_cut_and_joined_as_by_the_library() {
    check_library("plain", 150, &SMALL);
}

#[test]
fn the_dummy_prefix_can_be_switched_off() {
    check_library("bare", 80, &without_dummy_prefix());
    let bare = changed(|model| {
        model.normalizer_spec.as_mut().unwrap().add_dummy_prefix = Some(false);
    })
    .unwrap();
    check_library("bare", 80, &bare);
    check_library("plain", 150, &bare.with_dummy_prefix(true));
}

#[test]
fn extra_white_space_is_removed_where_the_model_says_so() {
    let trimmed = changed(|model| {
        model.normalizer_spec.as_mut().unwrap().remove_extra_whitespaces = Some(true);
    })
    .unwrap();
    check_library("trimmed", 80, &trimmed);
}

#[test]
fn added_tokens_are_found_as_by_the_slow_tokenizer_of_transformers() {
    let cases = expected("added");
    assert!(70 <= cases.len());
    for case in cases {
        let text = case[0].as_str().unwrap();
        assert_eq!(SMALL.encode_with_specials(text), ids_of(&case[1]), "{text:?}");
    }
}

#[test]
fn any_ids_are_joined_as_by_the_library() {
    for case in expected("decoded") {
        let ids = ids_of(&case[0]);
        assert_eq!(SMALL.decode(&ids), case[1].as_str().unwrap(), "{ids:?}");
    }
}

#[test]
fn tokens_are_found_by_name() {
    let fim = SMALL.fim().unwrap();
    assert_eq!(SMALL.special("<|fim_middle|>"), Some(fim.middle));
    assert_eq!(SMALL.special("</s>"), Some(2));
    assert_eq!(SMALL.special("<think>"), None);
    assert!(SMALL.is_special(0) && SMALL.is_special(fim.prefix));
    let n_ids = u32::try_from(SMALL.vocab_size()).unwrap();
    assert_eq!(SMALL.encode("ü<|im|>"), [n_ids - 1]);
    assert!(!SMALL.is_special(n_ids - 1) && !SMALL.is_special(n_ids));
}

#[test]
fn special_tokens_in_text_are_text() {
    for name in SMALL.special_names() {
        let text = format!("a {name}{name} b<think>{name}");
        let ids = SMALL.encode(&text);
        assert!(ids.iter().all(|id| !SMALL.is_special(*id)), "{name}");
        assert_eq!(SMALL.decode(&ids), text);
    }
}

#[test]
fn a_user_defined_symbol_that_steers_the_model_is_spelled_out() {
    let tokenizer = changed(|model| {
        let piece = model.pieces.iter_mut().find(|piece| piece.piece() == "===").unwrap();
        piece.piece = Some("<fim_middle>".to_owned());
    })
    .unwrap();
    let id = tokenizer.special("<fim_middle>").unwrap();
    assert!(tokenizer.is_special(id));
    assert!(tokenizer.encode_with_specials("<fim_middle>").contains(&id));
    let ids = tokenizer.encode("a<fim_middle>b");
    assert!(!ids.contains(&id));
    assert_eq!(tokenizer.decode(&ids), "a<fim_middle>b");
}

#[test]
fn special_tokens_have_no_text_and_their_runs_no_dummy_prefix() {
    let ids = SMALL.encode_with_specials("<|im_start|>user\n Hi<|im_end|>\n<think> x</think>y");
    assert_eq!(SMALL.decode(&ids), "user\n Hi\n<think> x</think>y");
}

#[test]
fn a_continuation_keeps_its_first_space() {
    let prompt = SMALL.encode("return");
    let answer = SMALL.encode("x");
    let text = |tokenizer: &Tokenizer, prompt: &[u32], ids: &[u32]| {
        let mut stream = tokenizer.decode_stream_after(prompt);
        let text: String = ids.iter().map(|id| stream.push(*id)).collect();
        text + &stream.finish()
    };
    assert_eq!(text(&SMALL, &prompt, &answer), " x");
    assert_eq!(text(&SMALL, &[], &answer), "x");
    let middle = SMALL.fim().unwrap().middle;
    assert_eq!(text(&SMALL, &[prompt, vec![middle]].concat(), &answer), "x");
    assert_eq!(text(&without_dummy_prefix(), &[middle], &answer), " x");
}

#[test]
fn the_first_token_of_a_prompt_is_as_the_config_says() {
    let bos =
        |config: Value| load(&MODEL, &[("tokenizer_config.json", config)]).unwrap().bos_to_add();
    assert_eq!(SMALL.bos_to_add(), None);
    assert_eq!(load(&MODEL, &[]).unwrap().bos_to_add(), Some(1));
    assert_eq!(bos(json!({})), Some(1));
    assert_eq!(bos(json!({"add_bos_token": true, "bos_token": "</s>"})), Some(2));
    assert_eq!(bos(json!({"add_bos_token": true, "bos_token": {"content": "<s>"}})), Some(1));
    assert_eq!(bos(json!({"add_bos_token": false})), None);
    assert_eq!(bos(json!({"add_bos_token": null, "bos_token": null})), Some(1));
}

#[test]
fn each_file_may_name_added_tokens() {
    let ids = json!({"<|im_end|>": 600, "<tool>": 601});
    let plain = load(&MODEL, &[("added_tokens.json", ids.clone())]).unwrap();
    assert_eq!(plain.encode("<tool>"), [601]);
    assert_eq!(plain.special("<tool>"), None);
    assert_eq!(plain.vocab_size(), 602);
    assert_eq!(plain.decode(&[599, 601]), "<tool>");

    let names = json!({"additional_special_tokens": ["<tool>", {"content": "=="}, "unheard of"]});
    let files = [("added_tokens.json", ids), ("special_tokens_map.json", names)];
    let special = load(&MODEL, &files).unwrap();
    assert_eq!(special.special("<tool>"), Some(601));
    assert_eq!(special.special("=="), SMALL.encode("a==").last().copied());
    assert_eq!(special.special("unheard of"), None);
    assert!(!special.encode("a <tool> ==").contains(&601));
    assert_eq!(special.decode(&special.encode("a <tool> ==")), "a <tool> ==");

    let decoder = json!({"added_tokens_decoder": {"2": {"content": "<|end|>", "special": true}}});
    let renamed = load(&MODEL, &[("tokenizer_config.json", decoder)]).unwrap();
    assert_eq!(renamed.encode_with_specials("<|end|>"), [2]);
    assert_eq!(renamed.special("</s>"), None);
}

#[test]
fn the_model_is_preferred_to_its_conversion() {
    let description = std::fs::read(fixture().join("../tokenizer.json")).unwrap();
    let files = [("tokenizer.json", serde_json::from_slice(&description).unwrap())];
    let both = directory(&MODEL, &files);
    let tokenizer = Tokenizer::from_directory(both.path()).unwrap();
    assert_eq!(tokenizer.special("<s>"), Some(1));
    std::fs::remove_file(both.path().join("tokenizer.model")).unwrap();
    assert_eq!(Tokenizer::from_directory(both.path()).unwrap().special("<s>"), None);
}

#[track_caller]
fn check_refused(change: impl FnOnce(&mut ModelProto), word: &str) {
    let error = changed(change).unwrap_err();
    assert!(error.contains("tokenizer.model"), "{error}");
    assert!(error.contains(word), "{error}");
}

#[test]
fn what_is_not_supported_is_refused_in_words() {
    check_refused(|model| model.trainer_spec.as_mut().unwrap().model_type = None, "UNIGRAM");
    check_refused(|model| model.trainer_spec.as_mut().unwrap().model_type = Some(4), "CHAR");
    check_refused(|model| model.trainer_spec.as_mut().unwrap().model_type = Some(9), "9");
    check_refused(
        |model| model.trainer_spec.as_mut().unwrap().byte_fallback = None,
        "byte_fallback",
    );
    check_refused(
        |model| model.trainer_spec.as_mut().unwrap().treat_whitespace_as_suffix = Some(true),
        "treat_whitespace_as_suffix",
    );
    check_refused(
        |model| model.normalizer_spec.as_mut().unwrap().precompiled_charsmap = Some(vec![0]),
        "precompiled_charsmap",
    );
    check_refused(
        |model| {
            model.denormalizer_spec = model.normalizer_spec.clone();
            model.denormalizer_spec.as_mut().unwrap().precompiled_charsmap = Some(vec![0]);
        },
        "denormalizer_spec",
    );
}

#[test]
fn broken_descriptions_are_refused_in_words() {
    check_refused(|model| model.trainer_spec = None, "trainer_spec");
    check_refused(|model| model.normalizer_spec = None, "normalizer_spec");
    check_refused(|model| model.pieces.clear(), "no pieces");
    check_refused(|model| model.pieces[300].piece = None, "piece 300 is empty");
    check_refused(|model| model.pieces[300].score = Some(f32::NAN), "score");
    check_refused(|model| model.pieces[300].kind = Some(7), "type 7");
    check_refused(|model| model.pieces[300] = model.pieces[301].clone(), "twice");
    check_refused(|model| model.pieces[0].kind = Some(3), "no unknown piece");
    check_refused(|model| model.pieces[1].kind = Some(2), "second unknown piece");
    check_refused(|model| model.pieces[300].kind = Some(6), "names no byte");
    check_refused(|model| model.pieces[100].kind = Some(3), "not every byte");
}

#[test]
fn broken_files_beside_the_model_are_refused_in_words() {
    let refused = |name: &str, content: Value| {
        let error = load(&MODEL, &[(name, content)]).unwrap_err();
        error.split('/').next_back().unwrap().to_owned()
    };
    let decoder = |id: &str, entry: Value| {
        refused("tokenizer_config.json", json!({"added_tokens_decoder": {id: entry}}))
    };
    insta::assert_snapshot!(
        refused("added_tokens.json", json!({"a": "b"})),
        @r#"added_tokens.json: invalid type: string "b", expected u32 at line 1 column 8"#
    );
    insta::assert_snapshot!(
        refused("special_tokens_map.json", json!({"bos_token": 1})),
        @"special_tokens_map.json: data did not match any variant of untagged enum Name at line 1 column 15"
    );
    insta::assert_snapshot!(
        refused("added_tokens.json", json!({"a": 9, "b": 9})),
        @"tokenizer.model: in the files beside it: two added tokens have the same id"
    );
    insta::assert_snapshot!(
        decoder("x", json!({"content": "a"})),
        @r#"tokenizer.model: in the files beside it: added token id "x" is no number"#
    );
    insta::assert_snapshot!(
        decoder("4294967295", json!({"content": "a"})),
        @"tokenizer.model: in the files beside it: added token id 4294967295 is not below 4194304"
    );
    insta::assert_snapshot!(
        decoder("9", json!({"content": ""})),
        @"tokenizer.model: in the files beside it: added token 9 is empty"
    );
    insta::assert_snapshot!(
        decoder("9", json!({"content": "a", "single_word": true})),
        @r#"tokenizer.model: in the files beside it: added token 9, "a", asks for whole words (single_word), which is not supported"#
    );
}

#[test]
fn a_file_cut_short_anywhere_is_refused() {
    for n_bytes in 0..MODEL.len() {
        let cut = MODEL.get(..n_bytes).unwrap();
        let error = proto::read(cut).and_then(|description| Bpe::new(&description.pieces));
        assert!(error.is_err(), "the first {n_bytes} bytes are taken for a model");
    }
    assert!(proto::read(&MODEL).is_ok());
}

fn any_text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        "[ -~]{0,12}",
        "\\PC{0,6}",
        "[ \t\r\n]{0,6}",
        prop::sample::select(vec!["self.", "fn ", "==", "=", "->", "    ", "return", "é", "🎉"])
            .prop_map(str::to_owned),
        prop::sample::select(vec!["<think>", "<think>s", "<|im_end|>", "<s>", "<|im_"])
            .prop_map(str::to_owned),
    ];
    prop::collection::vec(part, 0..8).prop_map(|parts| parts.concat())
}

fn streamed(tokenizer: &Tokenizer, ids: &[u32]) -> String {
    let mut stream = tokenizer.decode_stream();
    let mut text = String::new();
    for id in ids {
        text.push_str(&stream.push(*id));
    }
    text + &stream.finish()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn text_survives_the_round_trip(text in any_text(), has_prefix: bool) {
        // The space symbol stands for a space wherever it comes from.
        prop_assume!(!text.contains(SPACE_SYMBOL));
        let bare = without_dummy_prefix();
        let tokenizer = if has_prefix { &*SMALL } else { &bare };
        let ids = tokenizer.encode(&text);
        prop_assert!(ids.iter().all(|id| !tokenizer.is_special(*id)));
        prop_assert_eq!(&tokenizer.decode(&ids), &text);
        prop_assert_eq!(&streamed(tokenizer, &ids), &text);
    }

    #[test]
    fn texts_that_continue_one_another_are_joined_without_a_space(
        texts in prop::collection::vec(any_text(), 1..4),
    ) {
        prop_assume!(!texts.concat().contains(SPACE_SYMBOL));
        let mut ids = Vec::new();
        for text in &texts {
            ids.extend(SMALL.encode_after(&ids, text));
        }
        prop_assert_eq!(SMALL.decode(&ids), texts.concat());
    }

    #[test]
    fn streaming_gives_what_decoding_gives(ids in prop::collection::vec(0_u32..600, 0..40)) {
        prop_assert_eq!(streamed(&SMALL, &ids), SMALL.decode(&ids));
    }

    #[test]
    fn random_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(proto::read(&bytes).is_err());
    }

    #[test]
    fn a_model_with_wrong_bytes_is_refused_or_works(
        places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        text in any_text(),
    ) {
        let mut model = MODEL.clone();
        for (place, byte) in places {
            let place = place.index(model.len());
            model[place] = byte;
        }
        let loaded = proto::read(&model)
            .and_then(|description| SentencePiece::new(description, &AddedFiles::default()));
        if let Ok((model, bytes)) = loaded {
            for id in model.encode(&text, Matching::All, true) {
                prop_assert!(usize::try_from(id).unwrap() < bytes.n_ids());
            }
        }
    }
}
