//! The chat template that a model was trained with, rendered as transformers renders it.

use std::path::Path;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Value;
use minijinja::{Environment, Error as TemplateError, ErrorKind, context};
use serde::Deserialize;

use crate::Error;

const NAME: &str = "chat";

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// `system`, `user` or `assistant`.
    pub role: String,
    pub content: String,
}

impl From<&Message> for Value {
    fn from(message: &Message) -> Self {
        Value::from_pairs([("role", message.role.as_str()), ("content", message.content.as_str())])
    }
}

/// Turns messages into the text that the model expects.
#[derive(Debug)]
pub struct ChatTemplate {
    environment: Environment<'static>,
    bos_token: Option<String>,
    eos_token: Option<String>,
}

#[derive(Default, Deserialize)]
struct TokenizerConfig {
    chat_template: Option<Templates>,
    bos_token: Option<TokenName>,
    eos_token: Option<TokenName>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Templates {
    One(String),
    Named(Vec<NamedTemplate>),
}

#[derive(Deserialize)]
struct NamedTemplate {
    name: String,
    template: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum TokenName {
    Plain(String),
    Added { content: String },
}

impl From<TokenName> for String {
    fn from(name: TokenName) -> Self {
        match name {
            TokenName::Plain(content) | TokenName::Added { content } => content,
        }
    }
}

impl ChatTemplate {
    /// From `chat_template.jinja`, else from `tokenizer_config.json`, of `directory`; `None` when neither has one.
    pub fn from_directory(directory: &Path) -> Result<Option<Self>, Error> {
        let config_path = directory.join("tokenizer_config.json");
        let config: TokenizerConfig = match read(&config_path)? {
            Some(json) => {
                serde_json::from_str(&json).map_err(|error| load_error(&config_path, error))?
            }
            None => TokenizerConfig::default(),
        };
        let template_path = directory.join("chat_template.jinja");
        let (path, source) = match (read(&template_path)?, config.chat_template) {
            (Some(source), _) => (template_path, source),
            (None, Some(Templates::One(source))) => (config_path, source),
            (None, Some(Templates::Named(named))) => {
                match named.into_iter().find(|template| template.name == "default") {
                    Some(template) => (config_path, template.template),
                    None => return Ok(None),
                }
            }
            (None, None) => return Ok(None),
        };
        let template = Self::new(
            source,
            config.bos_token.map(String::from),
            config.eos_token.map(String::from),
        );
        template.map(Some).map_err(|error| load_error(&path, error))
    }

    pub(crate) fn new(
        source: String,
        bos_token: Option<String>,
        eos_token: Option<String>,
    ) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        // Templates are written against Jinja as transformers configures it, Python's string methods included.
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?;
        environment.set_syntax(syntax);
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function(
            "raise_exception",
            |message: String| -> Result<Value, TemplateError> {
                Err(TemplateError::new(ErrorKind::InvalidOperation, message))
            },
        );
        environment.add_template_owned(NAME, source)?;
        Ok(Self { environment, bos_token, eos_token })
    }

    /// The conversation followed by the opening of the assistant's turn.
    pub fn render(&self, messages: &[Message]) -> Result<String, Error> {
        let rendered = self.environment.get_template(NAME).and_then(|template| {
            template.render(context! {
                messages => messages.iter().map(Value::from).collect::<Vec<_>>(),
                add_generation_prompt => true,
                bos_token => self.bos_token.as_deref(),
                eos_token => self.eos_token.as_deref(),
            })
        });
        rendered.map_err(|error| Error::Template { reason: error.to_string() })
    }
}

fn read(path: &Path) -> Result<Option<String>, Error> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(load_error(path, error)),
    }
}

fn load_error(path: &Path, error: impl std::fmt::Display) -> Error {
    Error::Load { path: path.display().to_string(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ChatML with a default system message, as code models commonly ship it.
    const CHATML: &str = "{% if messages[0]['role'] != 'system' %}
<|im_start|>system
You are a test.<|im_end|>
{% endif %}
{% for message in messages %}
<|im_start|>{{ message.role }}
{{ message.content.strip() }}<|im_end|>
{% endfor %}
{% if add_generation_prompt %}
<|im_start|>assistant
{% endif %}
";

    fn user(content: &str) -> Vec<Message> {
        vec![Message { role: "user".to_owned(), content: content.to_owned() }]
    }

    fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(directory.path().join(name), text).unwrap();
        }
        directory
    }

    #[test]
    fn chatml_renders_as_transformers_renders_it() {
        let files = directory(&[("chat_template.jinja", CHATML)]);
        let template = ChatTemplate::from_directory(files.path()).unwrap().unwrap();
        assert_eq!(
            template.render(&user("  Hi  ")).unwrap(),
            "<|im_start|>system\nYou are a test.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
        );
    }

    /// Of the published conversation of 38 tokens.
    #[test]
    fn loopcoders_template_brings_a_system_message_where_there_is_none() {
        let folder =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/loopcoder-v2");
        let template = ChatTemplate::from_directory(&folder).unwrap().unwrap();
        let asked = user("Write a Python function to reverse a string.");
        let turn = "<|im_start|>user\nWrite a Python function to reverse a string.<|im_end|>\n<|im_start|>assistant\n";
        let system = |content: &str| format!("<|im_start|>system\n{content}<|im_end|>\n{turn}");
        assert_eq!(
            template.render(&asked).unwrap(),
            system("You are LoopCoder, a helpful assistant developed by IQuest.")
        );
        let own = Message { role: "system".to_owned(), content: "Be brief.".to_owned() };
        let messages: Vec<Message> = std::iter::once(own).chain(asked).collect();
        assert_eq!(template.render(&messages).unwrap(), system("Be brief."));
    }

    #[test]
    fn the_tokenizer_config_may_hold_it() {
        let config = r#"{"chat_template":"{{ bos_token }}{{ messages[0].content }}{{ eos_token }}",
            "bos_token":{"content":"<s>"},"eos_token":"</s>"}"#;
        let files = directory(&[("tokenizer_config.json", config)]);
        let template = ChatTemplate::from_directory(files.path()).unwrap().unwrap();
        assert_eq!(template.render(&user("Hi")).unwrap(), "<s>Hi</s>");
    }

    #[test]
    fn a_template_may_refuse() {
        let files = directory(&[("chat_template.jinja", "{{ raise_exception('no tools here') }}")]);
        let template = ChatTemplate::from_directory(files.path()).unwrap().unwrap();
        let error = template.render(&user("Hi")).unwrap_err().to_string();
        assert!(error.contains("no tools here"), "{error}");
    }

    #[test]
    fn a_broken_template_names_its_file() {
        let files = directory(&[("chat_template.jinja", "{% if %}")]);
        let error = ChatTemplate::from_directory(files.path()).unwrap_err().to_string();
        assert!(error.contains("chat_template.jinja"), "{error}");
    }

    #[test]
    fn a_model_without_one_is_no_error() {
        assert!(ChatTemplate::from_directory(directory(&[]).path()).unwrap().is_none());
    }
}
