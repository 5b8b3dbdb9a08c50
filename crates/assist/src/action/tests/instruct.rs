//! Edit, fix, tests and explain, with what models put around their answers.

use std::path::Path;
use std::sync::Arc;

use engine::Sampling;
use tokenizer::ChatTemplate;
use workspace::{Language, MemorySystem};

use super::{CONFIG, Stage, TOKENIZER, shown};
use crate::action::{Action, ActionAnswer, Diagnostic, Effect, Target};
use crate::completion::Config;

use Language::{Python, Rust};

const CHATML: &str = "{% for message in messages %}<{{ message.role }}>{{ message.content }}\n{% endfor %}<assistant>\n";

pub(super) fn chat() -> ChatTemplate {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("chat_template.jinja"), CHATML).unwrap();
    ChatTemplate::from_directory(folder.path()).unwrap().unwrap()
}

struct Ask<'a> {
    instruction: Option<&'a str>,
    problem: Option<&'a str>,
}

const NOTHING: Ask<'static> = Ask { instruction: None, problem: None };

fn act(
    language: Language,
    marked: &str,
    action: Action,
    ask: &Ask<'_>,
    written: &str,
) -> (ActionAnswer, String) {
    let mut stage = Stage::new(language, marked, action, &[written]);
    stage.actor = stage.actor.with_chat(chat());
    stage.request.instruction = ask.instruction.map(str::to_owned);
    let range = stage.request.selection.clone();
    stage.request.diagnostic = ask.problem.map(|message| Diagnostic {
        range,
        message: message.to_owned(),
        related: Vec::new(),
    });
    let answer = stage.act();
    let requests = stage.requests.lock().unwrap();
    let prompt = requests.first().map(|it| TOKENIZER.decode(&it.tokens)).unwrap_or_default();
    (answer, prompt)
}

#[track_caller]
fn check_edit(language: Language, marked: &str, written: &str, expected: &str) {
    let ask = Ask { instruction: Some("Call h."), ..NOTHING };
    let (answer, prompt) = act(language, marked, Action::Edit, &ask, written);
    assert_eq!(shown(&answer), expected, "raw {:?}", answer.raw);
    assert!(prompt.contains("Call h."), "{prompt}");
}

#[test]
fn an_item_is_edited_as_asked() {
    let before = "use a;\n\nimpl A {\n    fn f() {\n        $0g();\n    }\n}\n";
    let after = "use a;\n\nimpl A {\n    fn f() {\n        h();\n    }\n}\n";
    let item = "fn f() {\n    h();\n}";
    check_edit(Rust, before, &format!("{item}\n```"), after);
    check_edit(Rust, before, &format!("{item}\n```\n\nI call `h` now."), after);
    check_edit(Rust, before, &format!("```\nHere it is:\n```rust\n{item}\n```\n"), after);
    let file = format!("use a;\n\nimpl A {{\n    {}\n}}\n```", item.replace('\n', "\n    "));
    check_edit(Rust, before, &file, after);
    check_edit(Rust, before, "fn f() {\n        h();\n    }\n```", after);
    check_edit(Rust, before, "fn f() {\n    g();\n}\n```", "(unchanged)");
    check_edit(Rust, before, "fn f() {\n    // ... rest of the code\n}\n```", "(elided)");
    check_edit(Rust, before, "```", "(no-code)");
}

#[test]
fn a_selection_is_edited_in_whole_lines() {
    check_edit(
        Python,
        "def f():\n    a = 1\n    b = $0a$0\n    return b\n",
        "b = h(a)\n```",
        "def f():\n    a = 1\n    b = h(a)\n    return b\n",
    );
}

#[test]
fn a_comment_may_hold_the_instruction_and_goes_away() {
    let (answer, prompt) = act(
        Rust,
        "// dacapo: call h\n// instead$0\nfn f() {\n    g();\n}\n",
        Action::Edit,
        &NOTHING,
        "fn f() {\n    h();\n}\n```",
    );
    assert_eq!(shown(&answer), "fn f() {\n    h();\n}\n");
    assert!(prompt.contains("call h instead") && !prompt.contains("dacapo:"), "{prompt}");
    let (answer, _) = act(
        Python,
        "def f():\n    a = 1\n    # dacapo: return two\n    $0return a\n",
        Action::Edit,
        &NOTHING,
        "return 2\n```",
    );
    assert_eq!(shown(&answer), "def f():\n    a = 1\n    return 2\n");
    let (answer, _) = act(Rust, "fn f() {$0}\n", Action::Edit, &NOTHING, "x");
    assert_eq!(shown(&answer), "(no-instruction)");
}

#[test]
fn a_problem_is_mended_where_it_stands() {
    let ask = Ask { problem: Some("cannot find function `g`"), ..NOTHING };
    let marked = "fn e() {}\r\n\r\nfn f() {\r\n    $0g();\r\n}\r\n";
    let (answer, prompt) = act(Rust, marked, Action::Fix, &ask, "fn f() {\n    h();\n}\n```");
    assert_eq!(shown(&answer), "fn e() {}\r\n\r\nfn f() {\r\n    h();\r\n}\r\n");
    assert!(prompt.contains("The line `g();` has this problem: cannot find function `g`"));
    let (answer, _) = act(Rust, marked, Action::Fix, &NOTHING, "x");
    assert_eq!(shown(&answer), "(no-diagnostic)");
}

#[test]
fn tests_go_where_the_language_has_them() {
    let test = "#[test]\nfn f_works() {\n    f();\n}";
    let module = format!(
        "#[cfg(test)]\nmod tests {{\n    use super::*;\n\n    {}\n}}\n",
        test.replace('\n', "\n    ")
    );
    for written in [format!("{test}\n```"), format!("{module}```")] {
        let (answer, _) = act(Rust, "fn f() {$0}\n", Action::Tests, &NOTHING, &written);
        assert_eq!(shown(&answer), format!("fn f() {{}}\n\n{module}"), "{written}");
    }
    let python = "def f():\n    return $01\n";
    let test = "def test_f():\n    assert f() == 1\n";
    let written = format!("{test}```");
    let (answer, _) = act(Python, python, Action::Tests, &NOTHING, &written);
    let Ok(Effect::Edit(change)) = answer.effect else { panic!("{answer:?}") };
    let Target::File { path, exists: false } = &change.target else { panic!("{change:?}") };
    assert!(path.ends_with("test_shape.py"), "{path:?}");
    assert_eq!(change.after().to_string(), test);
}

#[test]
fn what_is_no_test_goes_nowhere() {
    let marked = "def f():\n    return $01\n";
    for written in
        ["def f():\n    return 1\n```", "def f():\n    return 2\n\ndef test_f():\n    f()\n```"]
    {
        let (answer, _) = act(Python, marked, Action::Tests, &NOTHING, written);
        assert_eq!(shown(&answer), "(no-tests)", "{written}");
    }
}

/// The answer where these files are on disk.
fn tests_beside(files: &[(&str, &[u8])]) -> ActionAnswer {
    let written = "def test_f():\n    assert f() == 1\n```";
    let marked = "def f():\n    return $01\n";
    let mut stage = Stage::new(Python, marked, Action::Tests, &[written]);
    stage.actor = stage.actor.with_chat(chat());
    let files = files.iter().map(|(path, text)| (*path, *text));
    stage.workspace = std::mem::take(&mut stage.workspace).on(Arc::new(MemorySystem::new(files)));
    stage.act()
}

#[test]
fn tests_are_added_to_those_that_are_there() {
    let old = "def test_g():\n    pass\n";
    let answer = tests_beside(&[("/home/tests/test_shape.py", old.as_bytes())]);
    let Ok(Effect::Edit(change)) = answer.effect else { panic!("{answer:?}") };
    let Target::File { path, exists: true } = &change.target else { panic!("{change:?}") };
    assert_eq!(path, Path::new("/home/tests/test_shape.py"));
    let expected = format!("{old}\n\ndef test_f():\n    assert f() == 1\n");
    assert_eq!(change.after().to_string(), expected);

    let answer = tests_beside(&[("/home/test_shape.py", b"\xff\xfe")]);
    assert_eq!(shown(&answer), "(unreadable-test-file)");
}

#[test]
fn a_request_takes_the_form_of_loopcoders_template() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/loopcoder-v2");
    let mut stage = Stage::new(Rust, "fn f() {$0}\n", Action::Edit, &["fn f() { h() }\n```"]);
    stage.actor = stage.actor.with_chat(ChatTemplate::from_directory(&folder).unwrap().unwrap());
    stage.request.instruction = Some("Call h.".to_owned());
    assert_eq!(shown(&stage.act()), "fn f() { h() }\n");
    let prompt = TOKENIZER.decode(&stage.requests.lock().unwrap()[0].tokens);
    let (role, request) = prompt.split_once("<|im_end|>\n<|im_start|>user\n").unwrap();
    assert!(role.starts_with("<|im_start|>system\nYou are an expert programmer"), "{role}");
    assert!(!prompt.contains("LoopCoder"), "a default message beside our own: {prompt}");
    assert!(
        request.starts_with("File `shape`:\n\n```rust\nfn f() {}\n```\n\nCall h."),
        "{request}"
    );
    assert!(request.ends_with("<|im_end|>\n<|im_start|>assistant\n```rust\n"), "{request}");
}

#[test]
fn code_is_written_the_same_way_each_time() {
    let recommended = Sampling { temperature: 0.6, top_p: 0.85, top_k: 20, seed: 0 };
    for (action, expected) in [
        (Action::Edit, Sampling::GREEDY),
        (Action::Tests, Sampling::GREEDY),
        (Action::Explain, recommended),
    ] {
        let mut stage = Stage::new(Rust, "fn f() {$0}\n", action, &["x"]);
        let config = Config { sampling: recommended, ..CONFIG };
        stage.actor = stage.actor.with_config(config).with_chat(chat());
        stage.request.instruction = Some("Call h.".to_owned());
        stage.act();
        assert_eq!(stage.requests.lock().unwrap()[0].sampling, expected, "{action}");
    }
    // Of no use, it is drawn once.
    for (config, drawn) in [(CONFIG.sampling, 0.7), (recommended, 0.6)] {
        let marked = "fn f() {\n    $0g();\n}\n";
        let answers = ["```", "fn f() {\n    h();\n}\n```"];
        let mut stage = Stage::new(Rust, marked, Action::Edit, &answers);
        let config = Config { sampling: config, ..CONFIG };
        stage.actor = stage.actor.with_config(config).with_chat(chat());
        stage.request.instruction = Some("Call h.".to_owned());
        assert_eq!(shown(&stage.act()), "fn f() {\n    h();\n}\n");
        let requests = stage.requests.lock().unwrap();
        let temperatures: Vec<f32> = requests.iter().map(|it| it.sampling.temperature).collect();
        assert_eq!(temperatures, [0.0, drawn]);
    }
}

#[test]
fn words_are_shown_without_thoughts() {
    let written = "Hm.\n</think>\nIt does nothing.";
    let (answer, _) = act(Rust, "fn f() {$0}\n", Action::Explain, &NOTHING, written);
    assert_eq!(shown(&answer), "It does nothing.");
}

#[test]
fn a_model_without_a_template_says_so() {
    for action in [Action::Fix, Action::Edit, Action::Tests, Action::Explain] {
        let answer = Stage::new(Rust, "fn f() {$0}\n", action, &["x"]).act();
        assert_eq!(shown(&answer), "(no-instructions)");
    }
}

#[test]
fn secrets_are_masked_in_the_prompt_and_stay_in_the_code() {
    let token = "ghp_0123456789abcdefghijABCDEFGHIJ456789";
    let stars = "*".repeat(token.len());
    let marked = format!("fn f() {{\n    $0g(\"{token}\");\n}}\n");
    let problem = format!("no function takes \"{token}\"");
    let ask = Ask { problem: Some(&problem), ..NOTHING };
    let written = format!("fn f() {{\n    h(\"{stars}\");\n}}\n```");
    let (answer, prompt) = act(Rust, &marked, Action::Fix, &ask, &written);
    assert_eq!(shown(&answer), format!("fn f() {{\n    h(\"{token}\");\n}}\n"));
    assert!(!prompt.contains("ghp_") && prompt.contains(&stars), "{prompt}");
    for action in [Action::Explain, Action::Tests] {
        let (_, prompt) = act(Rust, &marked, action, &NOTHING, "x");
        assert!(!prompt.contains("ghp_") && prompt.contains(&stars), "{prompt}");
    }
}
