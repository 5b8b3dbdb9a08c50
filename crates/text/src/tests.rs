//! Buffers against a plain `String`, and the odd positions one by one.

use std::ops::Range;

use proptest::prelude::*;

use crate::{Applied, Bias, Buffer, Edit, Encoding, LineEnding, Position};

const ENCODINGS: [Encoding; 3] = [Encoding::Utf8, Encoding::Utf16, Encoding::Utf32];

/// Lines of `text` as byte ranges without their terminators, by a scan that shares nothing with the rope.
fn oracle_lines(text: &str) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut lines = Vec::new();
    let (mut start, mut at) = (0, 0);
    while at < bytes.len() {
        let terminator = match bytes[at] {
            b'\r' if bytes.get(at + 1) == Some(&b'\n') => 2,
            b'\r' | b'\n' => 1,
            _ => 0,
        };
        if terminator == 0 {
            at += 1;
            continue;
        }
        lines.push(start..at);
        at += terminator;
        start = at;
    }
    lines.push(start..bytes.len());
    lines
}

fn oracle_floor(text: &str, offset: usize) -> usize {
    (0..=offset.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap()
}

fn oracle_line_of(lines: &[Range<usize>], offset: usize) -> usize {
    lines.iter().rposition(|line| line.start <= offset).unwrap()
}

fn oracle_position(
    text: &str,
    lines: &[Range<usize>],
    offset: usize,
    encoding: Encoding,
) -> Position {
    let offset = oracle_floor(text, offset);
    let line = oracle_line_of(lines, offset);
    let range = &lines[line];
    let column = encoding.len(&text[range.start..offset.min(range.end)]);
    Position { line: line as u32, column: column as u32 }
}

fn oracle_offset(
    text: &str,
    lines: &[Range<usize>],
    position: Position,
    encoding: Encoding,
) -> usize {
    let Some(range) = lines.get(position.line as usize) else { return text.len() };
    let mut column = 0;
    for (at, character) in text[range.clone()].char_indices() {
        let next = column + encoding.len(character.encode_utf8(&mut [0; 4]));
        if (position.column as usize) < next {
            return range.start + at;
        }
        column = next;
    }
    range.end
}

#[track_caller]
fn assert_invariants(buffer: &Buffer, text: &str, probes: &[(usize, usize)]) {
    buffer.rope.assert_integrity();
    buffer.rope.assert_invariants();
    assert_eq!(buffer.to_string(), text);
    assert_eq!(buffer.len(), text.len());
    assert_eq!(buffer.is_empty(), text.is_empty());

    let lines = oracle_lines(text);
    assert_eq!(buffer.n_lines(), lines.len());
    for (line, range) in lines.iter().enumerate() {
        assert_eq!(buffer.line_range(line), *range, "line {line}");
    }
    assert_eq!(buffer.line_range(lines.len()), text.len()..text.len());

    let mut at = 0;
    while at < text.len() {
        let (chunk, start) = buffer.chunk_at(at);
        assert_eq!(chunk, &text[start..start + chunk.len()]);
        assert!(start <= at && at < start + chunk.len());
        at = start + chunk.len();
    }
    assert_eq!(buffer.chunk_at(text.len()), ("", text.len()));

    for &(first, second) in probes {
        let offset = first % (text.len() + 3);
        let floor = oracle_floor(text, offset);
        assert_eq!(buffer.floor_char_boundary(offset), floor);
        assert_eq!(buffer.line_of(offset), oracle_line_of(&lines, offset.min(text.len())));
        let end = oracle_floor(text, second % (text.len() + 3)).max(floor);
        assert_eq!(buffer.slice(offset..second % (text.len() + 3)), text[floor..end]);

        for encoding in ENCODINGS {
            let position = oracle_position(text, &lines, offset, encoding);
            assert_eq!(buffer.position(offset, encoding), position, "{encoding:?} {offset}");
            let line = first % (lines.len() + 2);
            let width = lines.get(line).map_or(0, Range::len);
            let position = Position { line: line as u32, column: (second % (width + 3)) as u32 };
            assert_eq!(
                buffer.offset(position, encoding),
                oracle_offset(text, &lines, position, encoding),
                "{encoding:?} {position:?}"
            );
        }
    }
}

fn pieces() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "a",
        "let x = 1;",
        " ",
        "\t",
        "\n",
        "\r",
        "\r\n",
        "\n\r",
        "é",
        "ß",
        "e\u{301}",
        "\u{200d}",
        "漢字",
        "😀",
        "👩‍💻",
        "𝒳",
        "\u{2028}",
        "\u{85}",
        "\u{b}",
        "\u{feff}",
        "\0",
    ])
}

/// Short texts for every corner, and texts of several chunks (a rope leaf holds about a kilobyte).
fn texts() -> impl Strategy<Value = String> {
    let short = prop::collection::vec(pieces(), 0..24).prop_map(|parts| parts.concat());
    let long = (prop::collection::vec(pieces(), 1..60), 1..60_usize)
        .prop_map(|(parts, times)| parts.concat().repeat(times));
    prop_oneof![3 => short, 1 => long]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_buffer_equals_a_string(
        text in texts(),
        steps in prop::collection::vec((any::<u32>(), 0..40_usize, texts()), 0..8),
        probes in prop::collection::vec((any::<u32>(), any::<u32>()), 12),
    ) {
        let probes: Vec<_> = probes.into_iter().map(|(first, second)| (first as usize, second as usize)).collect();
        let mut text = text;
        let mut buffer = Buffer::from(text.as_str());
        assert_invariants(&buffer, &text, &probes);
        for (at, length, inserted) in steps {
            let start = at as usize % (text.len() + 2);
            let range = oracle_floor(&text, start)..oracle_floor(&text, start + length);
            let before = buffer.clone();
            let applied = buffer.apply(&Edit { range: start..start + length, text: inserted.clone() });
            assert_eq!(
                applied,
                Applied { start: range.start, old_end: range.end, new_end: range.start + inserted.len() }
            );
            assert_eq!(before.to_string(), text, "a clone does not see later edits");
            text.replace_range(range, &inserted);
            assert_invariants(&buffer, &text, &probes);
        }
    }

    #[test]
    fn positions_that_name_an_offset_lead_back_to_it(text in texts(), at in any::<u32>()) {
        let buffer = Buffer::from(text.as_str());
        let offset = buffer.floor_char_boundary(at as usize % (text.len() + 1));
        let inside_crlf = text[..offset].ends_with('\r') && text[offset..].starts_with('\n');
        for encoding in ENCODINGS {
            let back = buffer.offset(buffer.position(offset, encoding), encoding);
            prop_assert_eq!(back, if inside_crlf { offset - 1 } else { offset });
        }
    }

    #[test]
    fn offsets_move_with_their_text(
        text in texts(),
        inserted in texts(),
        at in any::<u32>(),
        length in 0..40_usize,
        first in any::<u32>(),
        second in any::<u32>(),
    ) {
        let before = Buffer::from(text.as_str());
        let mut after = before.clone();
        let start = at as usize % (text.len() + 1);
        let applied = after.apply(&Edit { range: start..start + length, text: inserted });
        let first = first as usize % (text.len() + 1);
        let second = second as usize % (text.len() + 1);
        for bias in [Bias::Before, Bias::After] {
            let mapped = applied.map_offset(first, bias);
            prop_assert!(mapped <= after.len());
            if first <= second {
                prop_assert!(mapped <= applied.map_offset(second, bias), "order is preserved");
            }
            if first < applied.start {
                prop_assert_eq!(mapped, first);
            }
            if applied.old_end < first {
                prop_assert_eq!(after.len() - mapped, before.len() - first, "the distance to the end stays");
            }
        }
        prop_assert!(applied.map_offset(first, Bias::Before) <= applied.map_offset(first, Bias::After));
    }
}

#[track_caller]
fn check_offset(text: &str, encoding: Encoding, line: u32, column: u32, expected: usize) {
    assert_eq!(Buffer::from(text).offset(Position { line, column }, encoding), expected);
}

#[test]
fn columns_inside_a_character_round_down() {
    check_offset("a😀b", Encoding::Utf16, 0, 2, 1);
    check_offset("a😀b", Encoding::Utf16, 0, 3, 5);
    check_offset("a😀b", Encoding::Utf8, 0, 4, 1);
    check_offset("a😀b", Encoding::Utf32, 0, 2, 5);
}

#[test]
fn columns_past_the_end_stay_before_the_terminator() {
    for (text, expected) in [("é\r\nx", 2), ("é\rx", 2), ("é\nx", 2), ("é", 2)] {
        for encoding in ENCODINGS {
            check_offset(text, encoding, 0, u32::MAX, expected);
        }
    }
}

#[test]
fn lines_past_the_end_are_the_end() {
    for encoding in ENCODINGS {
        check_offset("a\nb", encoding, 2, 0, 3);
        check_offset("a\nb\n", encoding, u32::MAX, u32::MAX, 4);
        check_offset("", encoding, 7, 7, 0);
    }
}

#[test]
fn only_the_protocols_terminators_break_lines() {
    assert_eq!(Buffer::from("a\u{2028}b\u{85}c\u{b}d\u{c}e").n_lines(), 1);
    assert_eq!(Buffer::from("a\r\nb\rc\nd\n\r").n_lines(), 6);
}

#[test]
fn an_edit_may_split_and_join_a_crlf() {
    let mut buffer = Buffer::from("a\r\nb");
    buffer.apply(&Edit { range: 2..2, text: "x".into() });
    assert_eq!((buffer.to_string().as_str(), buffer.n_lines()), ("a\rx\nb", 3));
    buffer.apply(&Edit { range: 2..3, text: String::new() });
    assert_eq!((buffer.to_string().as_str(), buffer.n_lines()), ("a\r\nb", 2));
    assert_eq!(buffer.line_of(2), 0);
    assert_eq!(buffer.position(2, Encoding::Utf16), Position { line: 0, column: 1 });
}

#[test]
fn a_range_that_ends_before_it_starts_is_an_insertion() {
    let mut buffer = Buffer::from("abc");
    #[expect(clippy::reversed_empty_ranges)]
    let applied = buffer.apply(&Edit { range: 2..1, text: "x".into() });
    assert_eq!(applied, Applied { start: 2, old_end: 2, new_end: 3 });
    assert_eq!(buffer.to_string(), "abxc");
}

#[test]
fn ends_of_a_replaced_range_keep_to_their_side() {
    let applied = Applied { start: 2, old_end: 5, new_end: 3 };
    let map = |bias| [1, 2, 3, 4, 5, 6].map(|offset| applied.map_offset(offset, bias));
    assert_eq!(map(Bias::Before), [1, 2, 2, 2, 3, 4]);
    assert_eq!(map(Bias::After), [1, 2, 3, 3, 3, 4]);
    let insertion = Applied { start: 2, old_end: 2, new_end: 4 };
    assert_eq!(insertion.map_offset(2, Bias::Before), 2);
    assert_eq!(insertion.map_offset(2, Bias::After), 4);
}

#[test]
fn the_first_terminator_names_the_line_ending() {
    for (text, expected) in [
        ("", LineEnding::Lf),
        ("a", LineEnding::Lf),
        ("a\nb\r\n", LineEnding::Lf),
        ("\r\n\n", LineEnding::CrLf),
        ("é\rb\n", LineEnding::Cr),
        ("é\r😀", LineEnding::Cr),
        ("\r", LineEnding::Cr),
    ] {
        assert_eq!(Buffer::from(text).line_ending(), expected, "{text:?}");
    }
    assert_eq!(
        [LineEnding::Lf, LineEnding::CrLf, LineEnding::Cr].map(LineEnding::as_str),
        ["\n", "\r\n", "\r"]
    );
}

#[test]
fn megabytes_are_read_edited_and_replaced() {
    let line = "let größe = \"😀\"; // 漢字\r\n";
    let n_lines = 200_000;
    let mut buffer = Buffer::from(line.repeat(n_lines).as_str());
    assert_eq!(buffer.n_lines(), n_lines + 1);
    for line_idx in (0..n_lines).step_by(97) {
        let position = Position { line: line_idx as u32, column: 4 };
        let at = buffer.offset(position, Encoding::Utf16);
        assert_eq!(at, buffer.line_range(line_idx).start + 4);
        buffer.apply(&Edit { range: at..at, text: "𝒳".into() });
        assert_eq!(buffer.position(at + 4, Encoding::Utf16), Position { column: 6, ..position });
    }
    let single = "x".repeat(8 << 20);
    let end = buffer.len();
    buffer.apply(&Edit { range: 0..end, text: single });
    check_single_line(&buffer);
}

#[track_caller]
fn check_single_line(buffer: &Buffer) {
    assert_eq!((buffer.n_lines(), buffer.len()), (1, 8 << 20));
    let position = Position { line: 0, column: 8 << 20 };
    assert_eq!(buffer.position(usize::MAX, Encoding::Utf16), position);
    assert_eq!(buffer.offset(position, Encoding::Utf16), 8 << 20);
}
