//! A model hub on the loopback interface: serves the files of one repository over HTTP, and misbehaves when told to.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};
use sha1::{Digest, Sha1};
use sha2::Sha256;

/// A client that has said nothing for so long says nothing more.
const SILENCE: Duration = Duration::from_secs(20);
const MAX_REQUEST_BYTES: usize = 1 << 16;
/// Far more than any test asks for.
const MAX_REQUESTS: usize = 1000;

/// By name; `.safetensors` are listed as large files with their SHA-256, others by their git hash.
pub type Files = BTreeMap<String, Vec<u8>>;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub path: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    /// How many bytes of a body answered it.
    pub n_sent: usize,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

#[derive(Debug, Clone, Default)]
pub struct Reply {
    pub status: u16,
    /// Without a `Content-Length` among them, the end of the connection ends the body.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    pub fn status(status: u16) -> Self {
        Self { status, ..Self::default() }.announcing(0)
    }

    /// Says that the body has `len` bytes, which may be wrong.
    pub fn announcing(self, len: usize) -> Self {
        self.with("Content-Length", &len.to_string())
    }

    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(other, _)| other != name);
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

type Answer = dyn Fn(&Request, Reply) -> Reply + Send + Sync;

/// Stops when it is dropped.
#[derive(Debug)]
pub struct Hub {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct State {
    repository: String,
    commit: String,
    files: Files,
    requests: Vec<Request>,
    is_over: bool,
}

impl Hub {
    /// Serves `files` as `repository` (`owner/name`) at the commit `c0`; `answer` may change each reply.
    #[track_caller]
    pub fn start(
        repository: &str,
        files: Files,
        answer: impl Fn(&Request, Reply) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (repository, commit) = (repository.to_owned(), "c0".to_owned());
        let requests = Vec::new();
        let state = State { repository, commit, files, requests, is_over: false };
        let state = Arc::new(Mutex::new(state));
        let answer: Box<Answer> = Box::new(answer);
        let thread = std::thread::spawn({
            let state = Arc::clone(&state);
            move || serve(&listener, &state, &answer)
        });
        Self { address, state, thread: Some(thread) }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Another revision with other files.
    #[track_caller]
    pub fn publish(&self, commit: &str, files: Files) {
        let mut state = self.state.lock().expect("no panic in the server");
        state.commit = commit.to_owned();
        state.files = files;
    }

    /// What was asked so far; empties the record.
    #[track_caller]
    pub fn take_requests(&self) -> Vec<Request> {
        std::mem::take(&mut self.state.lock().expect("no panic in the server").requests)
    }

    /// What the hub says that a revision with `files` holds.
    pub fn listing(files: &Files) -> Value {
        let entry = |(name, bytes): (&String, &Vec<u8>)| {
            let blob = Sha1::new_with_prefix(format!("blob {}\0", bytes.len())).chain_update(bytes);
            let oid = hexadecimal(&blob.finalize());
            let mut entry = json!({"type": "file", "path": name, "size": bytes.len(), "oid": oid});
            if name.ends_with(".safetensors") {
                let hash = hexadecimal(&Sha256::digest(bytes));
                entry["lfs"] = json!({"oid": hash, "size": bytes.len(), "pointerSize": 134});
            }
            entry
        };
        files.iter().map(entry).collect()
    }
}

impl Drop for Hub {
    fn drop(&mut self) {
        if let Ok(mut state) = self.state.lock() {
            state.is_over = true;
        }
        // Wakes the server, which waits for a connection.
        let woken = TcpStream::connect(self.address);
        if let (Ok(_), Some(thread)) = (woken, self.thread.take()) {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the server panicked");
        }
    }
}

fn serve(listener: &TcpListener, state: &Mutex<State>, answer: &Answer) {
    for connection in listener.incoming().take(MAX_REQUESTS) {
        if state.lock().expect("no panic elsewhere").is_over {
            return;
        }
        let Ok(mut connection) = connection else { continue };
        let Some(mut request) = read_request(&mut connection) else { continue };
        let usual = state.lock().expect("no panic elsewhere").reply(&request);
        let reply = answer(&request, usual);
        request.n_sent = reply.body.len();
        state.lock().expect("no panic elsewhere").requests.push(request);
        let mut head = format!("HTTP/1.1 {} Because\r\nConnection: close\r\n", reply.status);
        for (name, value) in &reply.headers {
            write!(head, "{name}: {value}\r\n").expect("a string takes everything");
        }
        head.push_str("\r\n");
        // A client that has seen enough hangs up.
        let _ =
            connection.write_all(head.as_bytes()).and_then(|()| connection.write_all(&reply.body));
    }
}

fn read_request(connection: &mut TcpStream) -> Option<Request> {
    connection.set_read_timeout(Some(SILENCE)).ok()?;
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") && bytes.len() < MAX_REQUEST_BYTES {
        let mut byte = [0];
        connection.read_exact(&mut byte).ok()?;
        bytes.extend(byte);
    }
    let text = String::from_utf8(bytes).ok()?;
    let mut lines = text.lines();
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    Some(Request { path, headers: headers.collect(), n_sent: 0 })
}

impl State {
    fn reply(&self, request: &Request) -> Reply {
        let Self { repository, commit, .. } = self;
        let file = request.path.strip_prefix(&format!("/{repository}/resolve/{commit}/"));
        if let Some(bytes) = file.and_then(|name| self.files.get(name)) {
            return whole_or_rest(bytes, request.header("range"));
        }
        let api = format!("/api/models/{repository}");
        match request.path.strip_prefix(&api) {
            Some("/revision/main") => json_reply(&json!({ "sha": commit })),
            Some(tree) if tree == format!("/tree/{commit}") => {
                json_reply(&Hub::listing(&self.files))
            }
            _ => Reply::status(404),
        }
    }
}

fn whole_or_rest(bytes: &[u8], range: Option<&str>) -> Reply {
    let start = range.and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-'));
    let Some(start) = start.and_then(|start| start.parse::<usize>().ok()) else {
        let reply = Reply { status: 200, body: bytes.to_vec(), ..Reply::default() };
        return reply.announcing(bytes.len());
    };
    let Some(rest) = bytes.get(start..).filter(|rest| !rest.is_empty()) else {
        return Reply::status(416);
    };
    let range = format!("bytes {start}-{}/{}", bytes.len() - 1, bytes.len());
    let reply = Reply { status: 206, body: rest.to_vec(), ..Reply::default() };
    reply.announcing(rest.len()).with("Content-Range", &range)
}

pub fn json_reply(value: &Value) -> Reply {
    let body = value.to_string().into_bytes();
    let len = body.len();
    Reply { status: 200, body, ..Reply::default() }.announcing(len)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
