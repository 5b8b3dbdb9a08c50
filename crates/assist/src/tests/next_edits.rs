//! Arguments of a call whose parameters changed: what the model writes, and what of it is taken.

use text::{Encoding, Position};
use workspace::Change;

use super::*;
use crate::next_edit::next_edit;

/// The file after its first function got a parameter and the model wrote `written` at the call.
#[track_caller]
fn check(written: &str, expected: &str) {
    let room = Room::new(Script::new(written));
    let mut workspace = Workspace::new(vec![PathBuf::from("/home")]);
    let text = "fn area(width: u32) {}\n\nfn f() {\n    area(12);\n}\n";
    let path = Some(PathBuf::from("/home/shape"));
    workspace.open(room.id.clone(), path, Some(Language::Rust), 1, text);
    let at = Position { line: 0, column: 18 };
    let change = Change::Range { start: at, end: at, text: ", height: u32".to_owned() };
    workspace.change(&room.id, 2, Encoding::Utf8, [change]).unwrap();
    let cancel = CancelFlag::default();
    let found = next_edit(&room.completer, &workspace.snapshot(), &room.id, 0, &cancel);
    let shown = match found {
        Ok(next) => {
            let text = next.document.buffer.to_string();
            let (before, after) = (&text[..next.range.start], &text[next.range.end..]);
            let line = format!("{before}{}{after}", next.text);
            line.lines().nth(3).unwrap().trim().to_owned()
        }
        Err(reason) => format!("({})", reason.code()),
    };
    assert_eq!(shown, expected);
}

#[test]
fn only_a_list_of_arguments_is_taken() {
    check("12, 34", "area(12, 34);");
    check("12, 34);\n", "area(12, 34);");
    check("12", "(empty)");
    check("12, = 34", "(no-arguments)");
    check("12 34", "(no-arguments)");
}
