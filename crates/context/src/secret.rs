//! The caret's own file without its secrets.

use text::{Buffer, Edit};
use workspace::secrets;

/// A key may begin far above the lines that are shown.
const MARGIN: usize = 16 * 1024;

/// `buffer` with every secret masked that begins within `reach` bytes of `offset` or not far beyond. No length changes, so offsets stay what
/// they are.
pub(crate) fn masked(buffer: &Buffer, offset: usize, reach: usize) -> Buffer {
    let reach = reach.saturating_add(MARGIN);
    let start = buffer.line_range(buffer.line_of(offset.saturating_sub(reach))).start;
    let end = buffer.line_range(buffer.line_of(offset.saturating_add(reach))).end;
    let (start, end) = match end - start <= reach.saturating_mul(4) {
        true => (start, end),
        // Lines of megabytes are cut.
        false => (
            buffer.floor_char_boundary(offset.saturating_sub(reach)),
            buffer.floor_char_boundary(offset.saturating_add(reach)),
        ),
    };
    let text = buffer.slice(start..end);
    let mut masked = buffer.clone();
    for range in secrets(&text) {
        let secret = text.get(range.clone()).unwrap_or_default();
        let masking = |byte| if matches!(byte, b'\n' | b'\r') { char::from(byte) } else { '*' };
        let text = secret.bytes().map(masking).collect();
        masked.apply(&Edit { range: start + range.start..start + range.end, text });
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let buffer = Buffer::from(text);
        for offset in 0..=text.len() {
            let masked = masked(&buffer, offset, 100).to_string();
            assert_eq!(masked, expected, "at {offset}");
            assert_eq!(masked.len(), text.len());
        }
    }

    #[test]
    fn secrets_lose_their_characters_and_keep_their_place() {
        let token = "ghp_0123456789abcdefghijABCDEFGHIJ456789";
        let text = format!("é = 1\nkey = \"{token}\"\r\nrest\n");
        check(&text, &text.replace(token, &"*".repeat(token.len())));
        check("nothing = 1\n", "nothing = 1\n");
    }

    #[test]
    fn a_key_block_is_masked_even_where_only_its_tail_is_near() {
        let line = "MIIEowIBAAKCAQEA75qr0123456789abcdefghijklmnopqrstuvwxyzABCDEF+/\n";
        let head = "-----BEGIN RSA PRIVATE KEY-----\n";
        let text = format!("{head}{}-----END RSA PRIVATE KEY-----\nlet x = 1;\n", line.repeat(20));
        let masked = masked(&Buffer::from(text.as_str()), text.len(), 100).to_string();
        assert!(!masked.contains("MIIEow"), "{masked}");
        assert!(masked.ends_with("let x = 1;\n"));
    }
}
