//! What each layout makes of the same parts, and what holds for every layout.

use super::*;

const ELSEWHERE: &str = "pub fn double(n: u32) -> u32 {\n    n + n\n}\n";

fn snippet(kind: PieceKind, path: &str, text: &str, score: f64) -> Snippet {
    let lines = 4..4 + text.lines().count();
    Snippet { kind, path: path.to_owned(), lines, text: text.to_owned(), score }
}

fn laid_out(
    tokenizer: &Tokenizer,
    fixture: &str,
    settings: &Settings<'_>,
    snippets: Vec<Snippet>,
) -> Prompt {
    let (text, offset) = at_caret(fixture);
    let near = Near {
        path: "src/shape.rs",
        repository: Some("shapes"),
        language: Some(syntax::Language::Rust),
        buffer: &Buffer::from(text.as_str()),
        offset,
    };
    assemble(near, tokenizer, settings, |_, _| snippets).unwrap()
}

fn settings(layout: Layout, n_prompt: usize) -> Settings<'static> {
    Settings { layout, ..Settings::new(&TOKENIZER, n_prompt) }
}

fn shown(layout: Layout, fixture: &str) -> String {
    let snippets = vec![snippet(PieceKind::Definition, "src/math.rs", ELSEWHERE, 1.0)];
    spelled(&laid_out(&TOKENIZER, fixture, &settings(layout, 640), snippets))
}

const CALL: &str = "fn twice() -> u32 {\n    double($0)\n}\n";

#[test]
fn suffix_first() {
    insta::assert_snapshot!(shown(Layout::SuffixFirst, CALL));
}

#[test]
fn prefix_first() {
    insta::assert_snapshot!(shown(Layout::PrefixFirst, CALL));
}

#[test]
fn repository() {
    insta::assert_snapshot!(shown(Layout::Repository, CALL));
}

#[test]
fn continuation() {
    insta::assert_snapshot!(shown(Layout::Continuation, CALL));
}

#[test]
fn a_vocabulary_without_a_token_for_files_gets_comments() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/tokenizer");
    let json = std::fs::read_to_string(folder.join("tokenizer.json")).unwrap();
    let json = json.replace("<|file_sep|>", "<|other|>");
    let tokenizer = Tokenizer::from_json(json.as_bytes()).unwrap();
    assert_eq!(Layout::of(&tokenizer), Layout::PrefixFirst);
    let snippets = vec![snippet(PieceKind::Definition, "src/math.rs", ELSEWHERE, 1.0)];
    let prompt = laid_out(&tokenizer, CALL, &settings(Layout::PrefixFirst, 640), snippets);
    insta::assert_snapshot!(spelled(&prompt));
}

#[test]
fn layouts_are_told_by_their_tokens_and_named() {
    assert_eq!(Layout::of(&TOKENIZER), Layout::Repository);
    for layout in Layout::ALL {
        assert_eq!(Layout::from_name(layout.name()), Some(layout));
    }
    assert_eq!(Layout::from_name("sideways"), None);
}

#[test]
fn what_was_shown_before_keeps_its_place() {
    let part = |kind, name: &str, score| {
        snippet(kind, &format!("{name}.rs"), &format!("fn {name}() {{}}\n"), score)
    };
    let order = |previous: &[crate::piece::Piece], snippets: Vec<Snippet>| {
        let settings = Settings { previous, ..settings(Layout::SuffixFirst, 640) };
        let prompt = laid_out(&TOKENIZER, CALL, &settings, snippets);
        let sources: Vec<_> = prompt
            .pieces
            .iter()
            .filter(|piece| piece.kind.is_snippet())
            .map(|piece| piece.source.clone())
            .collect();
        (sources.join(" "), prompt.pieces)
    };
    use PieceKind::{Edited, Similar};
    let first = vec![part(Similar, "a", 0.5), part(Edited, "b", 0.9), part(Similar, "c", 0.7)];
    let (sources, pieces) = order(&[], first);
    assert_eq!(sources, "a.rs c.rs b.rs", "the best nearest to the caret, what is edited last");
    let next = vec![part(Similar, "c", 0.4), part(Similar, "d", 0.9), part(Similar, "a", 0.6)];
    let (sources, _) = order(&pieces, next);
    assert_eq!(sources, "a.rs c.rs d.rs", "what was there stays in front, in its order");
}

fn snippets() -> impl Strategy<Value = Vec<Snippet>> {
    let kind = prop::sample::select(vec![PieceKind::Similar, PieceKind::Edited]);
    let snippet = (kind, "[a-c]{1,3}/[a-z]{1,9}.rs", document(), 0.0..1.0)
        .prop_map(|(kind, path, text, score)| snippet(kind, &path, &text, score));
    prop::collection::vec(snippet, 0..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_layout_keeps_to_its_budget(
        text in document(),
        at in any::<prop::sample::Index>(),
        snippets in snippets(),
        n_prompt in 6_usize..700,
    ) {
        let offset = text.floor_char_boundary(at.index(text.len() + 1));
        let fixture = format!("{}$0{}", &text[..offset], &text[offset..]);
        for layout in Layout::ALL {
            let settings = settings(layout, n_prompt);
            let prompt = laid_out(&TOKENIZER, &fixture, &settings, snippets.clone());
            prop_assert!(prompt.tokens.len() <= n_prompt);
            let n_elsewhere: usize = prompt
                .pieces
                .iter()
                .filter(|piece| piece.kind.is_snippet())
                .map(|piece| piece.n_tokens)
                .sum();
            prop_assert!(n_elsewhere <= settings.budget.n_snippets);
            let again = laid_out(&TOKENIZER, &fixture, &settings, snippets.clone());
            prop_assert_eq!(prompt, again);
        }
    }

    #[test]
    fn no_text_is_taken_for_a_control_token(
        at in 0_usize..4,
        name in prop::sample::select(
            TOKENIZER.special_names().map(str::to_owned).collect::<Vec<_>>(),
        ),
    ) {
        let place = |idx| if at == idx { name.as_str() } else { "" };
        let fixture = format!("a{}b $0c{}d\n", place(0), place(1));
        let path = format!("src/{}.rs", place(2));
        let text = format!("fn {}() {{}}\n", place(3));
        for layout in Layout::ALL {
            let snippets = vec![snippet(PieceKind::Similar, &path, &text, 1.0)];
            let prompt = laid_out(&TOKENIZER, &fixture, &settings(layout, 640), snippets);
            let n_special = prompt.tokens.iter().filter(|id| TOKENIZER.is_special(**id)).count();
            let expected = match layout {
                Layout::SuffixFirst | Layout::PrefixFirst => 5,
                Layout::Repository => 6,
                Layout::Continuation => 0,
            };
            prop_assert_eq!(n_special, expected);
            let is_shown = at != 1 || layout.shows_suffix();
            prop_assert_eq!(TOKENIZER.decode(&prompt.tokens).contains(&name), is_shown);
        }
    }
}
