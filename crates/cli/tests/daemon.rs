//! The daemon as users meet it: started by `dacapo lsp`, one for all editors, replaced, stopped.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Folders of a user of our own, and what runs in them.
struct User {
    home: TempDir,
}

impl User {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("run")).unwrap();
        std::fs::create_dir_all(home.path().join("config/dacapo")).unwrap();
        // A test that fails leaves no daemon behind for long.
        let config = "[daemon]\nexitAfterSeconds = 20\n";
        std::fs::write(home.path().join("config/dacapo/config.toml"), config).unwrap();
        Self { home }
    }

    fn dacapo(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", self.home.path());
        for (name, folder) in
            [("RUNTIME_DIR", "run"), ("STATE_HOME", "state"), ("CONFIG_HOME", "config")]
        {
            command.env(format!("XDG_{name}"), self.home.path().join(folder));
        }
        command
    }

    fn socket(&self) -> PathBuf {
        self.home.path().join("run/dacapo/socket")
    }

    fn editor(&self) -> Editor {
        Editor::start(&mut self.dacapo(&program()))
    }

    fn status(&self) -> Value {
        let output = self.dacapo(&program()).args(["daemon", "status", "--json"]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn stop(&self) -> Value {
        let output = self.dacapo(&program()).args(["daemon", "stop", "--json"]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

impl Drop for User {
    fn drop(&mut self) {
        let _ = self.dacapo(&program()).args(["daemon", "stop"]).output();
    }
}

/// `dacapo lsp`, and we are the editor.
struct Editor {
    child: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Editor {
    fn start(command: &mut Command) -> Self {
        let command = command.arg("lsp").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, output }
    }

    fn send(&mut self, message: &Value) {
        let body = message.to_string();
        let input = self.child.stdin.as_mut().unwrap();
        write!(input, "Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
        input.flush().unwrap();
    }

    fn receive(&mut self) -> Value {
        let mut header = String::new();
        self.output.read_line(&mut header).unwrap();
        let length = header.trim().strip_prefix("Content-Length: ").expect("a header");
        let mut rest = vec![0; 2 + length.parse::<usize>().unwrap()];
        self.output.read_exact(&mut rest).unwrap();
        serde_json::from_slice(&rest[2..]).unwrap()
    }

    fn ask(&mut self, id: i64, method: &str, params: Value) -> Value {
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        loop {
            let message = self.receive();
            if message["id"] == id {
                return message["result"].clone();
            }
        }
    }

    fn initialize(&mut self) {
        self.initialize_in(&[]);
    }

    fn initialize_in(&mut self, folders: &[&Path]) {
        let folders: Vec<Value> =
            folders.iter().map(|folder| json!({"uri": uri(folder), "name": "folder"})).collect();
        let params = json!({
            "capabilities": {},
            "clientInfo": {"name": "test editor"},
            "workspaceFolders": folders,
        });
        assert_eq!(self.ask(1, "initialize", params)["serverInfo"]["name"], "dacapo");
        self.send(&json!({"jsonrpc": "2.0", "method": "initialized", "params": {}}));
    }

    /// Exit code after a polite end.
    fn leave(mut self) -> Option<i32> {
        self.ask(99, "shutdown", Value::Null);
        self.send(&json!({"jsonrpc": "2.0", "method": "exit"}));
        self.child.wait().unwrap().code()
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn uri(path: &Path) -> String {
    format!("file://{}", path.display())
}

fn program() -> PathBuf {
    env!("CARGO_BIN_EXE_dacapo").into()
}

#[test]
fn ten_editors_at_once_get_one_daemon() {
    let user = User::new();
    let mut editors: Vec<Editor> = (0..10).map(|_| user.editor()).collect();
    editors.iter_mut().for_each(Editor::initialize);
    let status = user.status();
    assert_eq!(status["running"], true);
    assert_eq!(status["sessions"].as_array().unwrap().len(), 10, "{status}");
    assert_eq!(status["sessions"][0]["client"], "test editor");

    let uri = "file:///a.py";
    let text = "def total(values):\n    result = 0\n    for value in values:\n        ";
    for editor in &mut editors {
        let document = json!({"uri": uri, "languageId": "python", "version": 1, "text": text});
        editor.send(&json!({"jsonrpc": "2.0", "method": "textDocument/didOpen", "params": {"textDocument": document}}));
        let params = json!({
            "textDocument": {"uri": uri},
            "position": {"line": 3, "character": 8},
            "context": {"triggerKind": 1},
        });
        assert!(editor.ask(2, "textDocument/inlineCompletion", params)["items"].is_array());
    }
    let status = user.status();
    assert_eq!(status["requests"], 10);
    assert_eq!(status["models"], json!([{"name": "default", "state": "ready", "message": null}]));
    assert!(status["latency"]["p95Ms"].as_f64().unwrap() > 0.0);

    for editor in editors {
        assert_eq!(editor.leave(), Some(0));
    }
    assert_eq!(user.stop(), json!({"stopped": true}));
    assert_eq!(user.status(), json!({"running": false}));
    assert!(!user.socket().exists());
    assert_eq!(user.stop(), json!({"stopped": false}));
}

#[test]
fn the_socket_is_the_users_alone() {
    let user = User::new();
    let mut editor = user.editor();
    editor.initialize();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&user.socket()), 0o600);
    assert_eq!(mode(user.socket().parent().unwrap()), 0o700);
    assert_eq!(editor.leave(), Some(0));
}

#[test]
fn an_editor_that_vanishes_leaves_the_others_alone() {
    let user = User::new();
    let (mut one, mut other) = (user.editor(), user.editor());
    one.initialize();
    other.initialize();
    // In the middle of a message.
    one.child
        .stdin
        .as_mut()
        .unwrap()
        .write_all(b"Content-Length: 500\r\n\r\n{\"jsonrpc\"")
        .unwrap();
    drop(one);
    while user.status()["sessions"].as_array().unwrap().len() != 1 {}
    assert_eq!(other.leave(), Some(0));
}

#[test]
fn a_socket_that_a_dead_daemon_left_is_no_hindrance() {
    let user = User::new();
    let mut editor = user.editor();
    editor.initialize();
    let id = user.status()["processId"].to_string();
    assert!(Command::new("kill").args(["-9", &id]).status().unwrap().success());
    let mut error = String::new();
    editor.child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
    assert!(error.contains("the daemon ended"), "{error}");
    assert_eq!(editor.child.wait().unwrap().code(), Some(1));
    assert!(user.socket().exists());
    let mut editor = user.editor();
    editor.initialize();
    assert_eq!(editor.leave(), Some(0));
}

#[test]
fn a_daemon_of_another_build_makes_way_and_serves_its_sessions_to_their_end() {
    let user = User::new();
    let copy = user.home.path().join("dacapo");
    std::fs::copy(program(), &copy).unwrap();
    let mut older = Editor::start(&mut user.dacapo(&copy));
    older.initialize();
    let first = user.status();
    let mut newer = user.editor();
    newer.initialize();
    let second = user.status();
    assert_ne!(first["build"], second["build"]);
    assert_ne!(first["processId"], second["processId"]);
    assert_eq!(second["sessions"].as_array().unwrap().len(), 1, "{second}");
    assert_eq!(older.leave(), Some(0));
    assert_eq!(newer.leave(), Some(0));
}

#[test]
fn without_a_place_for_a_daemon_the_editor_is_served_all_the_same() {
    let user = User::new();
    // Open to others, so no place for a socket.
    let folder = user.home.path().join("run/dacapo");
    std::fs::create_dir(&folder).unwrap();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o777)).unwrap();
    let mut editor = user.editor();
    editor.initialize();
    let mut stderr = editor.child.stderr.take().unwrap();
    assert_eq!(editor.leave(), Some(0));
    let mut log = String::new();
    stderr.read_to_string(&mut log).unwrap();
    assert!(log.contains("only you may use"), "{log}");
}

#[test]
fn standalone_starts_no_daemon() {
    let user = User::new();
    let mut editor = Editor::start(user.dacapo(&program()).env("DACAPO_STANDALONE", "true"));
    editor.initialize();
    assert_eq!(user.status(), json!({"running": false}));
    assert_eq!(editor.leave(), Some(0));
}

#[test]
fn an_end_without_shutdown_is_an_error() {
    let user = User::new();
    let mut editor = user.editor();
    editor.initialize();
    editor.send(&json!({"jsonrpc": "2.0", "method": "exit"}));
    assert_eq!(editor.child.wait().unwrap().code(), Some(1));
}

#[test]
fn editors_of_one_folder_share_its_index_which_follows_what_they_tell() {
    let user = User::new();
    let folder = tempfile::tempdir().unwrap();
    for name in ["a.py", "b.py"] {
        std::fs::write(folder.path().join(name), "def f(x):\n    return x\n").unwrap();
    }
    std::fs::write(folder.path().join(".env"), "PASSWORD=hunter2\n").unwrap();
    let until = |n_files: u64| loop {
        let status = user.status();
        let indexes = status["indexes"].as_array().unwrap().clone();
        assert!(indexes.len() <= 1, "{status}");
        let index = indexes.first().cloned().unwrap_or_default();
        if index["complete"] == true && index["files"] == n_files {
            break index;
        }
    };
    let (mut one, mut other) = (user.editor(), user.editor());
    one.initialize_in(&[folder.path()]);
    other.initialize_in(&[folder.path()]);
    assert_eq!(until(2)["root"], folder.path().to_str().unwrap());

    let new = folder.path().join("c.py");
    std::fs::write(&new, "def g(x):\n    return x\n").unwrap();
    let changes = json!({"changes": [{"uri": uri(&new), "type": 1}]});
    one.send(
        &json!({"jsonrpc": "2.0", "method": "workspace/didChangeWatchedFiles", "params": changes}),
    );
    until(3);
    std::fs::remove_file(&new).unwrap();
    let saved = json!({"textDocument": {"uri": uri(&new)}});
    other.send(&json!({"jsonrpc": "2.0", "method": "textDocument/didSave", "params": saved}));
    until(2);

    assert_eq!(one.leave(), Some(0));
    until(2);
    let settings = json!({"settings": {"context": {"repository": false}}});
    other.send(&json!({"jsonrpc": "2.0", "method": "workspace/didChangeConfiguration", "params": settings}));
    while user.status()["indexes"] != json!([]) {}
    assert_eq!(other.leave(), Some(0));
}

#[test]
fn a_suggestion_that_was_never_shown_does_not_count_as_left() {
    let user = User::new();
    let mut editor = user.editor();
    editor.initialize();
    let uri = "file:///a.py";
    let mut text =
        "def total(values):\n    result = 0\n    for value in values:\n        ".to_owned();
    let document = json!({"uri": uri, "languageId": "python", "version": 1, "text": text});
    let notify = |editor: &mut Editor, method: &str, params: Value| {
        editor.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    };
    notify(&mut editor, "textDocument/didOpen", json!({"textDocument": document}));
    let (mut column, mut version) = (8, 1);
    let mut n_left_after = |is_told: bool| {
        let params = json!({
            "textDocument": {"uri": uri},
            "position": {"line": 3, "character": column},
            "context": {"triggerKind": 1},
        });
        let answer = editor.ask(version + 1, "textDocument/inlineCompletion", params);
        let item = answer["items"][0].clone();
        assert!(item.is_object(), "nothing suggested after {text:?}");
        if is_told {
            notify(&mut editor, "textDocument/didShowCompletion", json!({"item": item}));
        }
        // No suggestion begins so.
        let end = json!({"line": 3, "character": column});
        let change = json!({"range": {"start": end, "end": end}, "text": "q = "});
        (column, version) = (column + 4, version + 1);
        text.push_str("q = ");
        let document = json!({"uri": uri, "version": version});
        let params = json!({"textDocument": document, "contentChanges": [change]});
        notify(&mut editor, "textDocument/didChange", params);
        // The change has been taken in when this is answered.
        editor.ask(1000 + version, "dacapo/documentState", json!({"textDocument": {"uri": uri}}));
        user.status()["sessions"][0]["left"].as_u64().unwrap()
    };
    // Of a client that never tells, everything counts.
    assert_eq!([n_left_after(false), n_left_after(true)], [1, 2]);
    assert_eq!([n_left_after(false), n_left_after(true)], [2, 3]);
}
