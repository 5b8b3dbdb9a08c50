//! Where the user was.

use text::{Encoding, Position};

use crate::visits::{MAX_VISITS, NEAR};
use crate::{Change, DocumentId, Workspace};

/// A workspace with documents of a hundred lines.
fn opened(names: &[&str]) -> Workspace {
    let mut workspace = Workspace::default();
    for name in names {
        let id = DocumentId((*name).into());
        workspace.open(id, Some(name.into()), None, 1, &"line\n".repeat(100));
    }
    workspace
}

fn visit(workspace: &mut Workspace, name: &str, line: usize) {
    workspace.visit(&DocumentId(name.into()), line * "line\n".len() + 2);
}

#[track_caller]
fn check(workspace: &Workspace, expected: &str) {
    let snapshot = workspace.snapshot();
    let shown = snapshot.visits().iter().map(|it| format!("{}:{}", it.path.display(), it.line));
    assert_eq!(shown.collect::<Vec<_>>().join(" "), expected);
}

#[test]
fn places_are_remembered_once_and_the_latest_comes_first() {
    let mut workspace = opened(&["a", "b"]);
    check(&workspace, "");
    visit(&mut workspace, "a", 3);
    visit(&mut workspace, "b", 50);
    check(&workspace, "b:50 a:3");
    visit(&mut workspace, "a", 3 + NEAR);
    check(&workspace, "a:23 b:50");
    visit(&mut workspace, "a", 24 + NEAR);
    check(&workspace, "a:44 a:23 b:50");
    visit(&mut workspace, "gone", 1);
    check(&workspace, "a:44 a:23 b:50");
    workspace.close(&DocumentId("a".into())).unwrap();
    check(&workspace, "a:44 a:23 b:50");
}

#[test]
fn places_move_along_with_their_text() {
    let mut workspace = opened(&["a", "b"]);
    visit(&mut workspace, "b", 10);
    visit(&mut workspace, "a", 50);
    visit(&mut workspace, "a", 10);
    let mut replace = |start: u32, end: u32, text: &str| {
        let at = |line| Position { line, column: 0 };
        let change = Change::Range { start: at(start), end: at(end), text: text.to_owned() };
        workspace.change(&DocumentId("a".into()), 2, Encoding::Utf8, [change]).unwrap();
        let snapshot = workspace.snapshot();
        snapshot.visits().iter().map(|it| it.line).collect::<Vec<_>>()
    };
    assert_eq!(replace(20, 20, "x\ny\n"), [10, 52, 10]);
    assert_eq!(replace(5, 8, ""), [7, 49, 10]);
    assert_eq!(replace(40, 60, ""), [7, 40, 10], "its own line is gone");
    assert_eq!(replace(0, 0, "\r\n"), [8, 41, 10]);
}

#[test]
fn few_places_are_remembered() {
    let names: Vec<String> = (0..MAX_VISITS + 3).map(|idx| format!("{idx:02}")).collect();
    let mut workspace = opened(&names.iter().map(String::as_str).collect::<Vec<_>>());
    names.iter().for_each(|name| visit(&mut workspace, name, 0));
    let snapshot = workspace.snapshot();
    assert_eq!(snapshot.visits().len(), MAX_VISITS);
    assert_eq!(snapshot.visits().last().unwrap().path.as_os_str(), "03");
}
