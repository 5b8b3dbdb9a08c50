//! Whole prompts as text, and what holds for every prompt.

use std::path::PathBuf;
use std::sync::LazyLock;

use proptest::prelude::*;
use text::{Buffer, Edit};
use tokenizer::Tokenizer;

use crate::assemble::{Near, assemble};
use crate::budget::Budget;
use crate::layout::Layout;
use crate::piece::{NoPrompt, PieceKind, Prompt};
use crate::prompt::caret_offset;
use crate::settings::Settings;
use crate::snippet::Snippet;
use crate::sources::Sources;
use crate::surroundings::{Surroundings, surroundings};
use crate::window::with_line_feeds;

static TOKENIZER: LazyLock<Tokenizer> = LazyLock::new(|| {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/tokenizer");
    Tokenizer::from_directory(&folder).unwrap()
});

mod layouts;
mod next_edits;
mod repositories;
mod secrets;

const AMPLE: Budget = beside(4000, 3000, 900);

/// With nothing from elsewhere.
const fn beside(n_prompt: usize, n_prefix: usize, n_suffix: usize) -> Budget {
    Budget { n_prompt, n_prefix, n_suffix, n_snippets: 0, n_near: n_prompt }
}

fn prompt_of(
    path: &str,
    buffer: &Buffer,
    offset: usize,
    tokenizer: &Tokenizer,
    budget: Budget,
) -> Result<Prompt, NoPrompt> {
    let layout = Layout::SuffixFirst;
    let settings = Settings { budget, layout, sources: Sources::NONE, previous: &[], memo: None };
    let near = Near {
        path,
        repository: Some("shapes"),
        language: Some(syntax::Language::Rust),
        buffer,
        offset: caret_offset(buffer, offset),
    };
    assemble(near, tokenizer, &settings, |_, _| Vec::new())
}

fn prompt(text: &str, offset: usize, budget: Budget) -> Prompt {
    prompt_of("src/shape.rs", &Buffer::from(text), offset, &TOKENIZER, budget).unwrap()
}

/// Cuts the caret `$0` out of a text.
fn at_caret(fixture: &str) -> (String, usize) {
    let offset = fixture.find("$0").unwrap();
    (fixture.replacen("$0", "", 1), offset)
}

fn spelled(prompt: &Prompt) -> String {
    prompt.tokens.iter().map(|id| String::from_utf8_lossy(TOKENIZER.bytes(*id))).collect()
}

fn piece(prompt: &Prompt, kind: PieceKind) -> &str {
    prompt.pieces.iter().find(|piece| piece.kind == kind).map_or("", |piece| &piece.text)
}

const SHAPE: &str = "\
fn area(width: u32, height: u32) -> u32 {
    let product = $0
    product
}

fn main() {
    println!(\"{}\", area(2, 3));
}
";

#[test]
fn everything_fits() {
    let (text, offset) = at_caret(SHAPE);
    insta::assert_snapshot!(spelled(&prompt(&text, offset, AMPLE)), @r#"
    <|file_sep|>src/shape.rs
    <|fim_suffix|>
        product
    }

    fn main() {
        println!("{}", area(2, 3));
    }
    <|fim_prefix|>fn area(width: u32, height: u32) -> u32 {
        let product = <|fim_middle|>
    "#);
}

#[test]
fn whole_lines_are_kept_within_the_budget() {
    let (text, offset) = at_caret(SHAPE);
    let budget = beside(100, 12, 10);
    insta::assert_snapshot!(spelled(&prompt(&text, offset, budget)), @r"
    <|file_sep|>src/shape.rs
    <|fim_suffix|>
        product
    }

    fn main() {
    <|fim_prefix|>    let product = <|fim_middle|>
    ");
}

#[test]
fn lines_longer_than_the_budget_are_cut_on_the_far_side() {
    let (text, offset) =
        at_caret("let values = [1111111111, 2222222222, $03333333333, 4444444444];\n");
    let budget = beside(100, 16, 8);
    insta::assert_snapshot!(
        spelled(&prompt(&text, offset, budget)),
        @"
    <|file_sep|>src/shape.rs
    <|fim_suffix|>33333333<|fim_prefix|>, 2222222222, <|fim_middle|>
    "
    );
}

#[test]
fn pieces_are_counted_and_in_order() {
    let (text, offset) = at_caret(SHAPE);
    let prompt = prompt(&text, offset, AMPLE);
    let kinds: Vec<_> = prompt.pieces.iter().map(|piece| piece.kind).collect();
    assert_eq!(kinds, [PieceKind::Path, PieceKind::Suffix, PieceKind::Prefix]);
    let fim = TOKENIZER.fim().unwrap();
    let mut expected = vec![fim.file_sep.unwrap()];
    expected.extend(TOKENIZER.encode("src/shape.rs\n"));
    expected.push(fim.suffix);
    expected.extend(TOKENIZER.encode(&text[offset..]));
    expected.push(fim.prefix);
    expected.extend(TOKENIZER.encode(&text[..offset]));
    expected.push(fim.middle);
    assert_eq!(prompt.tokens, expected);
    let n_text: usize = prompt.pieces.iter().map(|piece| piece.n_tokens).sum();
    assert_eq!(n_text + 4, prompt.tokens.len());
}

#[test]
fn control_tokens_in_the_document_stay_text() {
    let prompt = prompt("a<|fim_middle|>b<|file_sep|>c", 8, AMPLE);
    let n_special = prompt.tokens.iter().filter(|id| TOKENIZER.is_special(**id)).count();
    assert_eq!(n_special, 4);
}

#[test]
fn carriage_returns_do_not_reach_the_model() {
    let (text, offset) = at_caret(SHAPE);
    let expected = prompt(&text, offset, AMPLE).tokens;
    for line_end in ["\r\n", "\r"] {
        let (text, offset) = at_caret(&SHAPE.replace('\n', line_end));
        assert_eq!(prompt(&text, offset, AMPLE).tokens, expected, "{line_end:?}");
    }
    assert_eq!(prompt("a\r\nb", 2, AMPLE).tokens, prompt("a\nb", 1, AMPLE).tokens, "inside a CRLF");
}

#[test]
fn offsets_past_the_end_and_inside_characters_are_clamped() {
    assert_eq!(prompt("é", 1, AMPLE), prompt("é", 0, AMPLE));
    assert_eq!(prompt("é", usize::MAX, AMPLE), prompt("é", 2, AMPLE));
    assert_eq!(prompt("", 7, AMPLE).tokens.last(), Some(&TOKENIZER.fim().unwrap().middle));
}

#[test]
fn long_paths_lose_their_leading_folders() {
    let header = |path: &str, n_prompt| {
        let budget = Budget::share(n_prompt);
        let prompt = prompt_of(path, &Buffer::from("x"), 1, &TOKENIZER, budget).unwrap();
        piece(&prompt, PieceKind::Path).to_owned()
    };
    assert_eq!(header("one/two/three/shape.rs", 400), "one/two/three/shape.rs\n");
    assert_eq!(header("one/two/three/shape.rs", 70), "three/shape.rs\n");
    assert_eq!(header("one/two/three/shape.rs", 20), "");
    assert_eq!(header(&format!("{}/shape.rs", "x".repeat(100_000)), 400), "shape.rs\n");
}

#[test]
fn a_model_without_infilling_tokens_gets_no_prompt() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/fixtures/tokenizer/tokenizer.json");
    let described = |from: &str, to: &str| {
        let json = std::fs::read_to_string(&path).unwrap().replace(from, to);
        Tokenizer::from_json(json.as_bytes()).unwrap()
    };
    let buffer = Buffer::from("x");
    let without_infilling = described("<|fim_middle|>", "<|other|>");
    assert_eq!(
        prompt_of("a.rs", &buffer, 0, &without_infilling, AMPLE),
        Err(NoPrompt::NoFimTokens)
    );
    let without_files = described("<|file_sep|>", "<|other|>");
    let prompt = prompt_of("a.rs", &buffer, 0, &without_files, AMPLE).unwrap();
    assert_eq!(prompt.tokens.first(), Some(&without_files.fim().unwrap().suffix));
    assert_eq!(piece(&prompt, PieceKind::Path), "// a.rs\n");
}

#[test]
fn a_budget_below_the_control_tokens_is_refused() {
    let result = |n_prompt| {
        prompt_of("a.rs", &Buffer::from("abc"), 1, &TOKENIZER, Budget::share(n_prompt))
            .map(|prompt| prompt.tokens.len())
    };
    assert_eq!(result(2), Err(NoPrompt::BudgetTooSmall));
    assert_eq!(result(3), Ok(3));
}

#[test]
fn a_huge_document_costs_a_window_of_it() {
    // One line of 50 MB, and as many lines: both would take minutes here if they were tokenised whole.
    let budget = Budget::share(640);
    let one_line = "x = 1; ".repeat(50_000_000 / 7);
    let cut = prompt(&one_line, one_line.len() / 2, budget);
    assert!(320 <= cut.tokens.len() && cut.tokens.len() <= 640, "{}", cut.tokens.len());
    let many_lines = one_line.replace("; ", ";\n");
    let cut = prompt(&many_lines, many_lines.len() / 2, budget);
    assert!(320 <= cut.tokens.len() && cut.tokens.len() <= 640, "{}", cut.tokens.len());
}

/// Tokens at the front that two prompts share.
fn n_shared(one: &Prompt, other: &Prompt) -> usize {
    one.tokens.iter().zip(&other.tokens).take_while(|(a, b)| a == b).count()
}

#[test]
fn typing_seldom_moves_the_start_of_the_prefix() {
    let line = "    let product = width * height;\n";
    let mut text = line.repeat(200);
    let mut last = prompt(&text, text.len(), Budget::share(640));
    let (mut n_keys, mut n_moves) = (0, 0);
    for key in line.repeat(20).chars() {
        text.push(key);
        let next = prompt(&text, text.len(), Budget::share(640));
        // What was typed on the last line or two may be cut into tokens anew, but nothing before it.
        if n_shared(&last, &next) + 40 < last.tokens.len() {
            n_moves += 1;
        }
        n_keys += 1;
        last = next;
    }
    assert!(n_moves <= 2, "the start moved {n_moves} times in {n_keys} keys");
    assert!(0 < n_moves, "the test does not reach a move");
}

#[test]
fn typing_on_a_very_long_line_seldom_moves_the_start() {
    let mut text = "x = 1; ".repeat(2000);
    let mut last = prompt(&text, text.len(), Budget::share(640));
    let (mut n_keys, mut n_moves) = (0, 0);
    for key in "yy = 22; ".repeat(20).chars() {
        text.push(key);
        let next = prompt(&text, text.len(), Budget::share(640));
        if n_shared(&last, &next) + 40 < last.tokens.len() {
            n_moves += 1;
        }
        n_keys += 1;
        last = next;
    }
    assert!(n_moves <= n_keys / 60, "the start moved {n_moves} times in {n_keys} keys");
}

fn document() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        4 => "[ ]{0,8}(let|return|fn|value|é𝄞|\\(|\\)|\\{|42| ){0,8}",
        1 => "\\PC{0,60}",
        1 => Just(String::new()),
    ];
    let end = prop_oneof![6 => Just("\n"), 1 => Just("\r\n"), 1 => Just("\r"), 1 => Just("")];
    prop::collection::vec((line, end), 0..40)
        .prop_map(|lines| lines.into_iter().map(|(line, end)| line + end).collect())
}

fn budget() -> impl Strategy<Value = Budget> {
    (3_usize..300, 0_usize..200, 0_usize..100)
        .prop_map(|(n_prompt, n_prefix, n_suffix)| beside(n_prompt, n_prefix, n_suffix))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn prompts_keep_to_the_budget_and_to_the_caret(
        text in document(),
        at in any::<prop::sample::Index>(),
        budget in budget(),
    ) {
        let offset = text.floor_char_boundary(at.index(text.len() + 1));
        let cut = prompt(&text, offset, budget);
        prop_assert!(cut.tokens.len() <= budget.n_prompt);
        for piece in &cut.pieces {
            let most = match piece.kind {
                PieceKind::Path => budget.n_prompt / 4,
                PieceKind::Suffix => budget.n_suffix,
                PieceKind::Prefix => budget.n_prefix,
                other => panic!("no piece of kind {other:?} was given"),
            };
            prop_assert!(piece.n_tokens <= most, "{:?}", piece);
        }
        let inside_line_end = text[..offset].ends_with('\r') && text[offset..].starts_with('\n');
        let offset = offset - usize::from(inside_line_end);
        let prefix = piece(&cut, PieceKind::Prefix);
        let suffix = piece(&cut, PieceKind::Suffix);
        prop_assert!(with_line_feeds(&text[..offset]).ends_with(prefix));
        prop_assert!(with_line_feeds(&text[offset..]).starts_with(suffix));
        prop_assert_eq!(prompt(&text, offset, budget), cut);
    }

    #[test]
    fn text_before_the_caret_does_not_change_the_suffix(
        text in document(),
        before in document(),
        budget in budget(),
    ) {
        let one = prompt(&text, 0, budget);
        let mut buffer = Buffer::from(text.as_str());
        buffer.apply(&Edit { range: 0..0, text: format!("{before}x") });
        let other =
            prompt_of("src/shape.rs", &buffer, before.len() + 1, &TOKENIZER, budget).unwrap();
        prop_assert_eq!(piece(&one, PieceKind::Suffix), piece(&other, PieceKind::Suffix));
    }

    #[test]
    fn typing_keeps_the_tokens_before_the_last_line(
        text in document(),
        at in any::<prop::sample::Index>(),
        key in "[ a-z(é\n]",
    ) {
        let offset = text.floor_char_boundary(at.index(text.len() + 1));
        let (before, after) = text.split_at(offset);
        let budget = beside(20_000, 15_000, 4000);
        let one = prompt(&text, offset, budget);
        let other = prompt(&format!("{before}{key}{after}"), offset + key.len(), budget);
        // A line end and the indentation after it are cut into tokens together, so the last line begins with the
        // white space before it.
        let before = with_line_feeds(before);
        let line = before.rfind('\n').map_or("", |line_feed| &before[..line_feed]).trim_end();
        let mut n_bytes = 0;
        let n_prefix_tokens = one.pieces.last().unwrap().n_tokens;
        let prefix_start = one.tokens.len() - 1 - n_prefix_tokens;
        let n_kept = one.tokens[prefix_start..]
            .iter()
            .take_while(|id| {
                n_bytes += TOKENIZER.bytes(**id).len();
                n_bytes <= line.len()
            })
            .count();
        prop_assert!(prefix_start + n_kept <= n_shared(&one, &other));
    }
}
