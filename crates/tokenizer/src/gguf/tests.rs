//! Vocabularies in GGUF files made up here.

use std::path::Path;
use std::sync::LazyLock;

use crate::chat::{ChatTemplate, Message};
use crate::sentencepiece::{PieceKind, pieces_of};
use crate::tokenizer::Tokenizer;

static TINY: LazyLock<Tokenizer> = LazyLock::new(|| Tokenizer::from_directory(fixture()).unwrap());

fn fixture() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/tokenizer"))
}

/// Metadata entries, encoded.
struct File {
    entries: Vec<(String, Vec<u8>)>,
}

fn string(text: &str) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text.as_bytes()].concat()
}

impl File {
    /// The small trained vocabulary.
    fn tiny() -> Self {
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
        let mut file = Self { entries: Vec::new() };
        file.text("tokenizer.ggml.model", "gpt2");
        file.text("tokenizer.ggml.pre", "starcoder");
        let spellings: Vec<&str> = tokens.iter().map(|(token, _)| token.as_str()).collect();
        file.texts("tokenizer.ggml.tokens", &spellings);
        file.texts("tokenizer.ggml.merges", &merges.iter().map(String::as_str).collect::<Vec<_>>());
        let kinds: Vec<u8> =
            tokens.iter().flat_map(|(_, kind): &(String, i32)| kind.to_le_bytes()).collect();
        file.array("tokenizer.ggml.token_type", 5, tokens.len(), kinds);
        file
    }

    /// The small SentencePiece vocabulary.
    fn spm() -> Self {
        let pieces = pieces_of(&fixture().join("spm/tokenizer.model"));
        let n_pieces = pieces.len();
        let mut file = Self { entries: Vec::new() };
        file.text("tokenizer.ggml.model", "llama");
        let spellings: Vec<&str> = pieces.iter().map(|piece| piece.text.as_str()).collect();
        file.texts("tokenizer.ggml.tokens", &spellings);
        let scores = pieces.iter().flat_map(|piece| piece.score.to_le_bytes()).collect();
        file.array("tokenizer.ggml.scores", 6, n_pieces, scores);
        let kinds = pieces.iter().flat_map(|piece| number(piece.kind).to_le_bytes()).collect();
        file.array("tokenizer.ggml.token_type", 5, n_pieces, kinds);
        file.number("tokenizer.ggml.bos_token_id", 1);
        file
    }

    fn set(&mut self, key: &str, kind: u32, value: Vec<u8>) {
        self.entries.retain(|(old, _)| old != key);
        self.entries.push((key.to_owned(), [kind.to_le_bytes().to_vec(), value].concat()));
    }

    fn text(&mut self, key: &str, value: &str) {
        self.set(key, 8, string(value));
    }

    fn number(&mut self, key: &str, value: u32) {
        self.set(key, 4, value.to_le_bytes().to_vec());
    }

    fn bool(&mut self, key: &str, value: bool) {
        self.set(key, 7, vec![value.into()]);
    }

    fn array(&mut self, key: &str, kind: u32, len: usize, elements: Vec<u8>) {
        let head = [&kind.to_le_bytes()[..], &(len as u64).to_le_bytes()].concat();
        self.set(key, 9, [head, elements].concat());
    }

    fn texts(&mut self, key: &str, texts: &[&str]) {
        let elements = texts.iter().flat_map(|text| string(text)).collect();
        self.array(key, 8, texts.len(), elements);
    }

    fn write(&self) -> tempfile::NamedTempFile {
        let mut bytes = b"GGUF\x03\0\0\0\0\0\0\0\0\0\0\0".to_vec();
        bytes.extend((self.entries.len() as u64).to_le_bytes());
        for (key, value) in &self.entries {
            bytes.extend(string(key));
            bytes.extend(value);
        }
        let file = tempfile::Builder::new().suffix(".gguf").tempfile().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        file
    }
}

fn number(kind: PieceKind) -> i32 {
    (1..=6).find(|number| PieceKind::from_number(*number) == Some(kind)).unwrap()
}

#[track_caller]
fn check_error(change: impl FnOnce(&mut File), expected: &str) {
    check_error_in(File::tiny(), change, expected);
}

#[track_caller]
fn check_error_in(mut file: File, change: impl FnOnce(&mut File), expected: &str) {
    change(&mut file);
    let error = Tokenizer::from_gguf(file.write().path()).expect_err("it should be refused");
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
    let found = Tokenizer::from_gguf(File::tiny().write().path()).unwrap();
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
    let mut file = File::spm();
    let found = Tokenizer::from_gguf(file.write().path()).unwrap();
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
    let bare = Tokenizer::from_gguf(file.write().path()).unwrap();
    assert_eq!(bare.bos_to_add(), None);
    let expected = expected.with_dummy_prefix(false);
    assert_eq!(bare.encode("return x"), expected.encode("return x"));
    assert_ne!(bare.encode("return x"), found.encode("return x"));
}

#[test]
fn sentencepiece_pieces_that_do_not_fit_together_are_refused() {
    let check = |change: fn(&mut File), expected| check_error_in(File::spm(), change, expected);
    check(|file| file.array("tokenizer.ggml.scores", 6, 1, vec![0; 4]), "have 1 scores");
    check(
        |file| file.array("tokenizer.ggml.scores", 5, 1, vec![0; 4]),
        "expected an array of floats",
    );
    check(|file| file.entries.retain(|(key, _)| !key.ends_with("token_type")), "token_type");
    check(
        |file| {
            let n = pieces_of(&fixture().join("spm/tokenizer.model")).len();
            file.array("tokenizer.ggml.token_type", 5, n, 9_i32.to_le_bytes().repeat(n));
        },
        "token 0 is of the unknown type 9",
    );
}

#[test]
fn every_pre_tokenizer_loads_and_loses_nothing() {
    let text = "I'll've 12345 x+=1;\r\n\r\n\t\tlet s = \"é世界\";   // don't\n  ";
    for name in super::pre_tokenizer::names() {
        let mut file = File::tiny();
        file.text("tokenizer.ggml.pre", name);
        let tokenizer = Tokenizer::from_gguf(file.write().path()).unwrap();
        assert_eq!(tokenizer.decode(&tokenizer.encode(text)), text, "{name}");
    }
}

#[test]
fn the_start_token_is_added_where_the_file_says_so() {
    let prefix = TINY.fim().unwrap().prefix;
    let mut file = File::tiny();
    file.number("tokenizer.ggml.bos_token_id", prefix);
    assert_eq!(Tokenizer::from_gguf(file.write().path()).unwrap().bos_to_add(), None);
    file.bool("tokenizer.ggml.add_bos_token", true);
    assert_eq!(Tokenizer::from_gguf(file.write().path()).unwrap().bos_to_add(), Some(prefix));
}

#[test]
fn the_chat_template_knows_the_start_and_the_end() {
    let mut file = File::tiny();
    assert!(ChatTemplate::from_gguf(file.write().path()).unwrap().is_none());
    let fim = TINY.fim().unwrap();
    file.number("tokenizer.ggml.bos_token_id", fim.prefix);
    file.number("tokenizer.ggml.eos_token_id", fim.suffix);
    file.text("tokenizer.chat_template", "{{ bos_token }}{{ messages[0].content }}{{ eos_token }}");
    file.bool("tokenizer.ggml.add_bos_token", true);
    let written = file.write();
    let template = ChatTemplate::from_gguf(written.path()).unwrap().unwrap();
    let messages = [Message { role: "user".to_owned(), content: "x".to_owned() }];
    assert_eq!(template.render(&messages).unwrap(), "<|fim_prefix|>x<|fim_suffix|>");
    let tokenizer = Tokenizer::from_gguf(written.path()).unwrap();
    let ids = template.encode(&messages, &tokenizer).unwrap();
    assert_eq!(ids, [vec![fim.prefix], tokenizer.encode("x"), vec![fim.suffix]].concat());

    file.text("tokenizer.chat_template", "{% if %}");
    let error = ChatTemplate::from_gguf(file.write().path()).unwrap_err().to_string();
    assert!(error.contains(".gguf: tokenizer.chat_template"), "{error}");
}

#[test]
fn what_cannot_be_used_is_named() {
    check_error(|file| file.text("tokenizer.ggml.model", "bert"), "of the kind \"bert\"");
    check_error(|file| file.text("tokenizer.ggml.pre", "tekken"), "pre-tokenizer \"tekken\"");
    check_error(
        |file| file.number("tokenizer.ggml.tokens", 1),
        "tokenizer.ggml.tokens is an integer",
    );
    check_error(|file| file.entries.clear(), "has no tokenizer.ggml.model");
    check_error(|file| file.texts("tokenizer.ggml.merges", &["not-in the-vocabulary"]), "not-in");
    check_error(|file| file.array("tokenizer.ggml.token_type", 5, 1, vec![0; 4]), "have 1 types");
}
