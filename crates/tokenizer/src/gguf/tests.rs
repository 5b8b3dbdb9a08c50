//! Vocabularies in GGUF files made up here.

use std::path::Path;
use std::sync::LazyLock;

use test_support::gguf::GgufFile;

use super::files_of_gguf;
use crate::chat::{ChatTemplate, Message};
use crate::sentencepiece::{PieceKind, pieces_of};
use crate::tokenizer::Tokenizer;

static TINY: LazyLock<Tokenizer> = LazyLock::new(|| Tokenizer::from_directory(fixture()).unwrap());

fn fixture() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/tokenizer"))
}

/// The small trained vocabulary.
fn tiny() -> GgufFile {
    let json = std::fs::read(fixture().join("tokenizer.json")).unwrap();
    let description: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let mut tokens = vec![(String::new(), 5); TINY.vocab_size()];
    for (token, id) in description["model"]["vocab"].as_object().unwrap() {
        tokens[id.as_u64().unwrap() as usize] = (token.clone(), 1);
    }
    for added in description["added_tokens"].as_array().unwrap() {
        let content = added["content"].as_str().unwrap().to_owned();
        tokens[added["id"].as_u64().unwrap() as usize] = (content, 3);
    }
    let merges: Vec<String> = description["model"]["merges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|merge| match merge {
            serde_json::Value::String(pair) => pair.clone(),
            pair => format!("{} {}", pair[0].as_str().unwrap(), pair[1].as_str().unwrap()),
        })
        .collect();
    let mut file = GgufFile::default();
    file.text("tokenizer.ggml.model", "gpt2");
    file.text("tokenizer.ggml.pre", "starcoder");
    file.texts("tokenizer.ggml.tokens", tokens.iter().map(|(token, _)| token.as_str()));
    file.texts("tokenizer.ggml.merges", merges.iter().map(String::as_str));
    file.integers("tokenizer.ggml.token_type", tokens.iter().map(|(_, kind)| *kind));
    file
}

/// The small SentencePiece vocabulary.
fn spm() -> GgufFile {
    let pieces = pieces_of(&fixture().join("spm/tokenizer.model"));
    let mut file = GgufFile::default();
    file.text("tokenizer.ggml.model", "llama");
    file.texts("tokenizer.ggml.tokens", pieces.iter().map(|piece| piece.text.as_str()));
    file.floats("tokenizer.ggml.scores", pieces.iter().map(|piece| piece.score));
    let kinds = pieces.iter().map(|piece| piece.kind.number().unwrap());
    file.integers("tokenizer.ggml.token_type", kinds);
    file.integer("tokenizer.ggml.bos_token_id", 1);
    file
}

fn write(file: &GgufFile) -> tempfile::NamedTempFile {
    let written = tempfile::Builder::new().suffix(".gguf").tempfile().unwrap();
    file.write(written.path());
    written
}

#[track_caller]
fn check_error(change: impl FnOnce(&mut GgufFile), expected: &str) {
    check_error_in(tiny(), change, expected);
}

#[track_caller]
fn check_error_in(mut file: GgufFile, change: impl FnOnce(&mut GgufFile), expected: &str) {
    change(&mut file);
    let error = Tokenizer::from_gguf(write(&file).path()).expect_err("it should be refused");
    let error = error.to_string();
    assert!(error.contains(".gguf") && error.contains(expected), "{error:?} lacks {expected:?}");
}

#[test]
fn a_file_encodes_like_its_tokenizer_json() {
    let json = std::fs::read(fixture().join("tokenizer.json")).unwrap();
    let mut description: serde_json::Value = serde_json::from_slice(&json).unwrap();
    // What StarCoder's own tokenizer.json has.
    description["pre_tokenizer"] = serde_json::json!({"type": "Sequence", "pretokenizers": [
        {"type": "Digits", "individual_digits": true},
        {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
    ]});
    let expected = Tokenizer::from_json(description.to_string().as_bytes()).unwrap();
    let found = Tokenizer::from_gguf(write(&tiny()).path()).unwrap();
    assert_eq!(found.vocab_size(), expected.vocab_size());
    assert_eq!(found.fim(), expected.fim());
    assert_eq!(found.bos_to_add(), None);
    let texts = [
        "fn area(x: u32) {\n    return 42;\n}",
        "é — “quoted” 123  \t\n\n  x don't",
        "a <|fim_middle|> b",
    ];
    for text in texts {
        assert_eq!(found.encode(text), expected.encode(text));
        assert_eq!(found.encode_with_specials(text), expected.encode_with_specials(text));
        assert_eq!(found.decode(&found.encode(text)), text);
    }
}

#[test]
fn sentencepiece_pieces_encode_like_their_tokenizer_model() {
    let alone = tempfile::tempdir().unwrap();
    let model = fixture().join("spm/tokenizer.model");
    std::fs::copy(model, alone.path().join("tokenizer.model")).unwrap();
    let expected = Tokenizer::from_directory(alone.path()).unwrap();
    let mut file = spm();
    let found = Tokenizer::from_gguf(write(&file).path()).unwrap();
    assert_eq!(found.vocab_size(), expected.vocab_size());
    assert_eq!(found.bos_to_add(), expected.bos_to_add());
    assert!(found.bos_to_add().is_some());
    let texts = std::fs::read(fixture().join("spm/expected.json")).unwrap();
    let texts: serde_json::Value = serde_json::from_slice(&texts).unwrap();
    // The file cannot tell a user-defined piece, which ends no run of text, from an added token, which does.
    let pieces = pieces_of(&fixture().join("spm/tokenizer.model"));
    let user_defined = pieces.iter().filter(|piece| piece.kind == PieceKind::UserDefined);
    let user_defined: Vec<&str> = user_defined.map(|piece| piece.text.as_str()).collect();
    let cases = texts["plain"].as_array().unwrap().iter().map(|case| case[0].as_str().unwrap());
    let cases: Vec<&str> =
        cases.filter(|text| !user_defined.iter().any(|piece| text.contains(piece))).collect();
    assert!(100 < cases.len(), "{} cases are too few", cases.len());
    for text in cases {
        let ids = expected.encode(text);
        assert_eq!(found.encode(text), ids, "{text:?}");
        assert_eq!(found.decode(&ids), expected.decode(&ids), "{text:?}");
    }

    file.bool("tokenizer.ggml.add_space_prefix", false);
    file.bool("tokenizer.ggml.add_bos_token", false);
    let bare = Tokenizer::from_gguf(write(&file).path()).unwrap();
    assert_eq!(bare.bos_to_add(), None);
    let expected = expected.with_dummy_prefix(false);
    assert_eq!(bare.encode("return x"), expected.encode("return x"));
    assert_ne!(bare.encode("return x"), found.encode("return x"));
}

/// The files written out give what the GGUF file gives: ids, texts, names, and the rendered template.
#[track_caller]
fn check_files(file: &GgufFile, texts: &[&str]) {
    let written = write(file);
    let directory = tempfile::tempdir().unwrap();
    for (name, contents) in files_of_gguf(written.path()).unwrap() {
        std::fs::write(directory.path().join(name), contents).unwrap();
    }
    let [found, expected] = [
        Tokenizer::from_directory(directory.path()).unwrap(),
        Tokenizer::from_gguf(written.path()).unwrap(),
    ];
    assert_eq!(found.vocab_size(), expected.vocab_size());
    assert_eq!(found.bos_to_add(), expected.bos_to_add());
    assert_eq!(found.fim(), expected.fim());
    let specials = |tokenizer: &Tokenizer| {
        let mut names: Vec<String> = tokenizer.special_names().map(str::to_owned).collect();
        names.sort();
        names
    };
    assert_eq!(specials(&found), specials(&expected));
    for text in texts {
        let ids = expected.encode_with_specials(text);
        assert_eq!(found.encode_with_specials(text), ids, "{text:?}");
        assert_eq!(found.encode(text), expected.encode(text), "{text:?}");
        assert_eq!(found.decode(&ids), expected.decode(&ids), "{text:?}");
    }
    let messages = [Message { role: "user".to_owned(), content: "x".to_owned() }];
    let render = |template: Option<ChatTemplate>| template.map(|it| it.render(&messages).unwrap());
    assert_eq!(
        render(ChatTemplate::from_directory(directory.path()).unwrap()),
        render(ChatTemplate::from_gguf(written.path()).unwrap())
    );
}

#[test]
fn a_byte_level_vocabulary_can_be_written_out() {
    let texts = ["let x = 12;\n\t\u{e9}", "<|fim_prefix|>a<|fim_middle|>", " \r\n  don't 世界"];
    let mut file = tiny();
    check_files(&file, &texts);
    file.integer("tokenizer.ggml.bos_token_id", TINY.fim().unwrap().prefix.into());
    file.integer("tokenizer.ggml.eos_token_id", TINY.fim().unwrap().suffix.into());
    file.bool("tokenizer.ggml.add_bos_token", true);
    file.text("tokenizer.chat_template", "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}");
    check_files(&file, &texts);
}

#[test]
fn sentencepiece_pieces_can_be_written_out() {
    let pieces = pieces_of(&fixture().join("spm/tokenizer.model"));
    let spelled: Vec<String> = pieces.iter().map(|piece| format!("a {} b", piece.text)).collect();
    let cases = std::fs::read(fixture().join("spm/expected.json")).unwrap();
    let cases: serde_json::Value = serde_json::from_slice(&cases).unwrap();
    let cases = cases["plain"].as_array().unwrap().iter().map(|case| case[0].as_str().unwrap());
    let texts: Vec<&str> = cases.chain(spelled.iter().map(String::as_str)).collect();
    let mut file = spm();
    check_files(&file, &texts);
    file.bool("tokenizer.ggml.add_space_prefix", false);
    file.bool("tokenizer.ggml.remove_extra_whitespaces", true);
    file.bool("tokenizer.ggml.add_bos_token", false);
    file.integer("tokenizer.ggml.eos_token_id", 2);
    file.text("tokenizer.chat_template", "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}");
    check_files(&file, &texts);
}

#[test]
fn sentencepiece_pieces_that_do_not_fit_together_are_refused() {
    let check = |change: fn(&mut GgufFile), expected| check_error_in(spm(), change, expected);
    check(|file| file.floats("tokenizer.ggml.scores", [0.0]), "have 1 scores");
    check(|file| file.integers("tokenizer.ggml.scores", [0]), "expected an array of floats");
    check(|file| file.remove("tokenizer.ggml.token_type"), "token_type");
    check(
        |file| {
            let n = pieces_of(&fixture().join("spm/tokenizer.model")).len();
            file.integers("tokenizer.ggml.token_type", std::iter::repeat_n(9, n));
        },
        "token 0 is of the unknown type 9",
    );
}

#[test]
fn every_pre_tokenizer_loads_and_loses_nothing() {
    let text = "I'll've 12345 x+=1;\r\n\r\n\t\tlet s = \"é世界\";   // don't\n  ";
    for name in super::pre_tokenizer::names() {
        let mut file = tiny();
        file.text("tokenizer.ggml.pre", name);
        let tokenizer = Tokenizer::from_gguf(write(&file).path()).unwrap();
        assert_eq!(tokenizer.decode(&tokenizer.encode(text)), text, "{name}");
    }
}

#[test]
fn the_start_token_is_added_where_the_file_says_so() {
    let prefix = TINY.fim().unwrap().prefix;
    let mut file = tiny();
    file.integer("tokenizer.ggml.bos_token_id", prefix.into());
    assert_eq!(Tokenizer::from_gguf(write(&file).path()).unwrap().bos_to_add(), None);
    file.bool("tokenizer.ggml.add_bos_token", true);
    assert_eq!(Tokenizer::from_gguf(write(&file).path()).unwrap().bos_to_add(), Some(prefix));
}

#[test]
fn the_chat_template_knows_the_start_and_the_end() {
    let mut file = tiny();
    assert!(ChatTemplate::from_gguf(write(&file).path()).unwrap().is_none());
    let fim = TINY.fim().unwrap();
    file.integer("tokenizer.ggml.bos_token_id", fim.prefix.into());
    file.integer("tokenizer.ggml.eos_token_id", fim.suffix.into());
    file.text("tokenizer.chat_template", "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}");
    file.bool("tokenizer.ggml.add_bos_token", true);
    let written = write(&file);
    let template = ChatTemplate::from_gguf(written.path()).unwrap().unwrap();
    let messages = [Message { role: "user".to_owned(), content: "x".to_owned() }];
    assert_eq!(template.render(&messages).unwrap(), "<|fim_prefix|>x<|fim_suffix|>");
    let tokenizer = Tokenizer::from_gguf(written.path()).unwrap();
    let ids = template.encode(&messages, &tokenizer).unwrap();
    assert_eq!(ids, [vec![fim.prefix], tokenizer.encode("x"), vec![fim.suffix]].concat());

    file.text("tokenizer.chat_template", "{% if %}");
    let error = ChatTemplate::from_gguf(write(&file).path()).unwrap_err().to_string();
    assert!(error.contains(".gguf: tokenizer.chat_template"), "{error}");
}

#[test]
fn what_cannot_be_used_is_named() {
    check_error(|file| file.text("tokenizer.ggml.model", "bert"), "of the kind \"bert\"");
    check_error(|file| file.text("tokenizer.ggml.pre", "tekken"), "pre-tokenizer \"tekken\"");
    check_error(
        |file| file.integer("tokenizer.ggml.tokens", 1),
        "tokenizer.ggml.tokens is an integer",
    );
    check_error(|file| *file = GgufFile::default(), "has no tokenizer.ggml.model");
    check_error(|file| file.texts("tokenizer.ggml.merges", ["not-in the-vocabulary"]), "not-in");
    check_error(|file| file.integers("tokenizer.ggml.token_type", [0]), "have 1 types");
}
