//! Pulls from a hub on the loopback interface that breaks off, lies and refuses.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use hub::{Error, Event, Pulled, Repository, Retry, Settings, Token, find_local, list_local};
use tempfile::TempDir;
use test_support::hub::{Files, Hub, Reply, Request, json_reply};

const REPOSITORY: &str = "Some-Lab/Coder-1.5";
const WEIGHTS: &str = "model.safetensors";
const ATTEMPTS: u32 = 3;

fn files() -> Files {
    // No two stretches alike, so that bytes in the wrong place show.
    let weights = (0_u32..50_000).flat_map(u32::to_le_bytes).collect();
    [("config.json", b"{}".to_vec()), ("tokenizer.json", b"[1]".to_vec()), (WEIGHTS, weights)]
        .map(|(name, bytes)| (name.to_owned(), bytes))
        .into()
}

fn weights() -> Vec<u8> {
    files()[WEIGHTS].clone()
}

fn half() -> usize {
    weights().len() / 2
}

fn faithful(_: &Request, reply: Reply) -> Reply {
    reply
}

/// The half of a file, though all of it is announced.
fn cut(mut reply: Reply) -> Reply {
    reply.body.truncate(half());
    reply
}

fn is_weights(request: &Request) -> bool {
    request.path.ends_with(WEIGHTS)
}

/// A place for models of its own, and a hub.
struct World {
    models: TempDir,
    hub: Hub,
    settings: Settings,
}

impl World {
    fn new(answer: impl Fn(&Request, Reply) -> Reply + Send + Sync + 'static) -> Self {
        let models = tempfile::tempdir().unwrap();
        let hub = Hub::start(REPOSITORY, files(), answer);
        let settings = Settings {
            endpoint: hub.endpoint(),
            token: None,
            offline: false,
            models: models.path().join("models"),
            retry: Retry { n_attempts: ATTEMPTS, first_pause: Duration::ZERO },
            free_space: |_| Ok(u64::MAX),
        };
        Self { models, hub, settings }
    }

    fn pull(&self) -> Result<Pulled, Error> {
        hub::pull(&self.settings, &repository(), "main", &mut |_| ())
    }

    fn directory(&self) -> PathBuf {
        repository().directory(&self.settings.models)
    }

    fn part(&self) -> PathBuf {
        self.directory().join(format!("{WEIGHTS}.part"))
    }

    fn is_complete(&self) -> bool {
        find_local(&self.settings.models, &repository()).is_some_and(|model| model.is_complete)
    }

    /// What was asked about the weights: the Range header and the number of bytes sent.
    fn weights_requests(&self) -> Vec<(Option<String>, usize)> {
        let requests = self.hub.take_requests();
        let requests = requests.iter().filter(|request| is_weights(request));
        requests
            .map(|request| (request.header("range").map(str::to_owned), request.n_sent))
            .collect()
    }

    #[track_caller]
    fn check_whole(&self, n_fetched: usize) {
        let pulled = self.pull().unwrap();
        assert_eq!(pulled.n_fetched, n_fetched);
        assert_eq!(pulled.directory, self.directory());
        for (name, bytes) in files() {
            assert_eq!(fs::read(self.directory().join(&name)).unwrap(), bytes, "{name}");
        }
        assert!(!self.part().exists());
        assert!(self.is_complete());
    }

    #[track_caller]
    fn check_error(&self, expected: &str) {
        let said = self.pull().expect_err("should fail").to_string();
        assert!(said.contains(expected), "{said:?} does not contain {expected:?}");
        assert!(!self.is_complete());
    }
}

fn repository() -> Repository {
    REPOSITORY.parse().unwrap()
}

fn range(start: usize) -> Option<String> {
    Some(format!("bytes={start}-"))
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with('.'))
        .collect();
    names.sort();
    names
}

#[test]
fn a_model_comes_whole_and_only_once() {
    let world = World::new(faithful);
    world.check_whole(3);
    assert_eq!(names(&world.directory()), ["config.json", WEIGHTS, "tokenizer.json"]);
    world.hub.take_requests();
    world.check_whole(0);
    let asked = world.hub.take_requests();
    assert!(asked.iter().all(|request| request.path.starts_with("/api/")), "{asked:?}");
    let listed = list_local(&world.settings.models).unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].repository, repository());
    assert!(weights().len() as u64 <= listed[0].n_bytes);
}

#[test]
fn a_break_is_mended_from_where_it_was() {
    let world = World::new(|request, reply| match request.header("range") {
        None if is_weights(request) => cut(reply),
        _ => reply,
    });
    world.check_whole(3);
    let rest = weights().len() - half();
    assert_eq!(world.weights_requests(), [(None, half()), (range(half()), rest)]);
}

#[test]
fn the_next_pull_goes_on_where_the_last_one_broke() {
    let n_asked = AtomicUsize::new(0);
    let mut world = World::new(move |request, reply| match is_weights(request) {
        true if n_asked.fetch_add(1, Ordering::SeqCst) == 0 => cut(reply),
        _ => reply,
    });
    world.settings.retry.n_attempts = 1;
    world.check_error("gave up");
    assert_eq!(fs::read(world.part()).unwrap(), weights()[..half()]);
    assert_eq!(world.weights_requests(), [(None, half())]);
    world.check_whole(1);
    assert_eq!(world.weights_requests(), [(range(half()), weights().len() - half())]);
}

#[test]
fn a_server_that_ignores_ranges_sends_it_all_again() {
    let world = World::new(|request, reply| match request.header("range") {
        None if is_weights(request) => cut(reply),
        Some(_) => {
            Reply { status: 200, body: weights(), ..Reply::default() }.announcing(weights().len())
        }
        _ => reply,
    });
    world.check_whole(3);
    assert_eq!(world.weights_requests(), [(None, half()), (range(half()), weights().len())]);
}

#[test]
fn a_server_that_continues_elsewhere_is_asked_from_the_beginning() {
    let n_asked = AtomicUsize::new(0);
    let world = World::new(move |request, reply| {
        let elsewhere = format!("bytes 7-{}/{}", weights().len() - 1, weights().len());
        match is_weights(request).then(|| n_asked.fetch_add(1, Ordering::SeqCst)) {
            Some(0) => cut(reply),
            Some(1) => reply.with("Content-Range", &elsewhere),
            _ => reply,
        }
    });
    world.check_whole(3);
    let asked = world.weights_requests().into_iter().map(|(range, _)| range);
    assert_eq!(asked.collect::<Vec<_>>(), [None, range(half()), None]);
}

#[test]
fn a_server_that_always_breaks_is_given_up() {
    let world = World::new(|request, mut reply| {
        if is_weights(request) {
            reply.body.clear();
        }
        reply
    });
    world.check_error("gave up");
    assert_eq!(world.weights_requests().len(), ATTEMPTS as usize);
    let failing = World::new(|_, _| Reply::status(503));
    failing.check_error("after 3 attempts: status 503");
    assert_eq!(failing.hub.take_requests().len(), ATTEMPTS as usize);
}

#[track_caller]
fn check_lie(lie: impl Fn(Reply) -> Reply + Send + Sync + 'static, expected: &str) {
    let world = World::new(move |request, reply| match is_weights(request) {
        true => lie(reply),
        false => reply,
    });
    world.check_error(expected);
    assert!(!world.part().exists());
    assert!(!world.directory().join(WEIGHTS).exists());
    assert_eq!(world.weights_requests().len(), 1);
}

#[test]
fn a_wrong_length_is_found_and_nothing_of_it_is_kept() {
    let should = format!("{WEIGHTS} should have {} bytes", weights().len());
    check_lie(|reply| reply.announcing(weights().len() + 1), &should);
    check_lie(|reply| reply.announcing(weights().len() - 1), &should);
    // The end of the connection ends the body.
    let unannounced = |mut reply: Reply| {
        reply.headers.clear();
        reply.body.extend(b"more");
        reply
    };
    check_lie(unannounced, &should);
}

#[test]
fn a_wrong_total_of_a_range_is_found() {
    let world = World::new(|request, reply| match request.header("range") {
        None if is_weights(request) => cut(reply),
        Some(_) => reply.with("Content-Range", &format!("bytes {}-9/10", half())),
        None => reply,
    });
    world.check_error("should have 200000 bytes, but the server announces or sends 10");
    assert!(!world.part().exists());
}

#[test]
fn a_wrong_byte_is_found_and_nothing_of_it_is_kept() {
    let flip = |mut reply: Reply| {
        reply.body[half()] ^= 1;
        reply
    };
    check_lie(flip, "model.safetensors is damaged: its hash is ");
}

#[test]
fn a_wrong_byte_of_a_small_file_is_found() {
    let world = World::new(|request, mut reply| {
        if request.path.ends_with("resolve/c0/config.json") {
            reply.body = b"[]".to_vec();
        }
        reply
    });
    world.check_error("config.json is damaged");
    assert_eq!(names(&world.directory()), [""; 0]);
}

#[test]
fn a_refusal_says_what_to_do() {
    let mut world = World::new(|_, _| Reply::status(401));
    world.check_error("set HF_TOKEN");
    world.check_error(&format!("accept its conditions at {}/{REPOSITORY}", world.hub.endpoint()));
    world.settings.token = Some(Token::new("secret", "a test").unwrap());
    world.check_error("check that your token may read it");
    let said = format!("{0} {0:?}", world.pull().unwrap_err());
    assert!(!said.contains("secret"), "{said}");
    let gated = World::new(|request, reply| match is_weights(request) {
        true => Reply::status(403),
        false => reply,
    });
    gated.check_error("it is gated, private or does not exist");
    World::new(|_, _| Reply::status(404))
        .check_error("no model Some-Lab/Coder-1.5 at revision main");
    assert!(!world.settings.models.exists());
}

#[test]
fn the_token_stays_with_the_hub() {
    let store = Hub::start(REPOSITORY, Files::new(), |request, _| {
        let reply = Reply { status: 200, body: weights(), ..Reply::default() };
        match request.path.as_str() {
            "/store?signature=s" => reply.announcing(weights().len()),
            _ => Reply::status(404),
        }
    });
    let elsewhere = format!("{}/store?signature=s", store.endpoint());
    let mut world = World::new(move |request, reply| match is_weights(request) {
        true => Reply::status(302).with("Location", &elsewhere),
        false => reply,
    });
    world.settings.token = Some(Token::new("secret", "a test").unwrap());
    world.check_whole(3);
    let asked = world.hub.take_requests();
    let with_token = |request: &Request| request.header("authorization") == Some("Bearer secret");
    assert!(asked.iter().all(with_token), "{asked:?}");
    let elsewhere = store.take_requests();
    assert_eq!(elsewhere.len(), 1);
    assert_eq!(elsewhere[0].header("authorization"), None);
}

#[test]
fn a_disk_that_is_too_small_is_told_before_anything_is_fetched() {
    let mut world = World::new(faithful);
    world.settings.free_space = |_| Ok(1000);
    // What is missing: 2 bytes of config.json, 3 of tokenizer.json, 200,000 of weights.
    world.check_error(&format!("{} bytes are needed (200005 to fetch", 200_005 + (256 << 20)));
    world.check_error("1000 are free");
    assert_eq!(names(&world.directory()), [""; 0]);
    world.settings.free_space = |_| Ok(200_005 + (256 << 20));
    world.check_whole(3);
    // With nothing to fetch, no room is needed.
    world.settings.free_space = |_| Ok(0);
    world.check_whole(0);
}

#[test]
fn names_that_lead_elsewhere_are_refused() {
    for name in
        ["../config.json", "/etc/model.safetensors", "a/../../config.json", "..\\config.json"]
    {
        let world = World::new(faithful);
        let mut files = files();
        files.insert(name.to_owned(), b"{}".to_vec());
        world.hub.publish("c1", files);
        world.check_error("would leave the model's directory");
        assert_eq!(fs::read_dir(world.models.path()).unwrap().count(), 0, "{name}");
    }
}

#[test]
fn offline_means_offline() {
    let mut world = World::new(faithful);
    world.settings.offline = true;
    world.check_error("HF_HUB_OFFLINE");
    assert_eq!(world.hub.take_requests(), []);
}

#[test]
fn two_pulls_at_once_are_one() {
    let world = World::new(faithful);
    let pull = &|report: &mut dyn FnMut(Event)| {
        hub::pull(&world.settings, &repository(), "main", report).unwrap().n_fetched
    };
    let (started, on_start) = mpsc::channel();
    let (waiting, on_wait) = mpsc::channel();
    let fetched = std::thread::scope(|scope| {
        let first = scope.spawn(move || {
            let mut has_waited = false;
            pull(&mut |event| {
                if matches!(event, Event::Progress { .. }) && !has_waited {
                    started.send(()).unwrap();
                    // Stands still in the middle until the other one has met the lock, or has ended without meeting it.
                    has_waited = true;
                    assert_eq!(on_wait.recv(), Ok(()), "the second pull did not wait");
                }
            })
        });
        let second = scope.spawn(move || {
            on_start.recv().unwrap();
            pull(&mut |event| {
                if event == Event::Waiting {
                    waiting.send(()).unwrap();
                }
            })
        });
        [first.join().unwrap(), second.join().unwrap()]
    });
    assert_eq!(fetched, [3, 0]);
    assert_eq!(world.weights_requests(), [(None, weights().len())]);
    world.check_whole(0);
}

#[test]
fn another_revision_fetches_what_changed_and_drops_what_went() {
    let world = World::new(faithful);
    let mut before = files();
    before.insert("merges.txt".to_owned(), b"a b".to_vec());
    before.insert("config.json".to_owned(), b"[]".to_vec());
    world.hub.publish("b0", before);
    assert_eq!(world.pull().unwrap().n_fetched, 4);
    world.hub.publish("c0", files());
    world.hub.take_requests();
    // One file has the same length as before and other bytes.
    world.check_whole(1);
    assert_eq!(names(&world.directory()), ["config.json", WEIGHTS, "tokenizer.json"]);
    assert_eq!(world.weights_requests(), []);
}

#[test]
fn the_beginning_of_other_contents_is_not_continued() {
    let world = World::new(|request, reply| match request.path.contains("resolve/b0/model") {
        true => Reply::status(404),
        false => reply,
    });
    let mut before = files();
    before.insert(WEIGHTS.to_owned(), vec![7; weights().len()]);
    world.hub.publish("b0", before);
    world.check_error("no model Some-Lab/Coder-1.5 at revision b0 with a file model.safetensors");
    fs::write(world.part(), [7; 100]).unwrap();
    world.hub.publish("c0", files());
    world.hub.take_requests();
    world.check_whole(1);
    assert_eq!(world.weights_requests(), [(None, weights().len())]);
}

#[test]
fn files_put_there_by_hand_are_checked_and_used() {
    let world = World::new(faithful);
    fs::create_dir_all(world.directory()).unwrap();
    fs::write(world.directory().join(WEIGHTS), weights()).unwrap();
    fs::write(world.directory().join("config.json"), b"[]").unwrap();
    let mut checked = Vec::new();
    let mut report = |event: Event| {
        if let Event::Checking { file } = event {
            checked.push(file.to_owned());
        }
    };
    hub::pull(&world.settings, &repository(), "main", &mut report).unwrap();
    assert_eq!(checked, ["config.json", WEIGHTS]);
    assert_eq!(world.weights_requests(), []);
    world.check_whole(0);
}

#[test]
fn progress_ends_at_the_whole() {
    let world = World::new(faithful);
    let mut seen = Vec::new();
    let mut report = |event: Event| {
        if let Event::Progress { n_bytes, n_total, .. } = event {
            seen.push((n_bytes, n_total));
        }
    };
    hub::pull(&world.settings, &repository(), "main", &mut report).unwrap();
    assert!(seen.is_sorted(), "{seen:?}");
    assert_eq!(seen.last(), Some(&(200_005, 200_005)));
}

#[test]
fn a_long_list_of_files_comes_in_pages() {
    let endless = World::new(|request, reply| match request.path.contains("/tree/") {
        true => json_reply(&serde_json::json!([])).with(
            "Link",
            &format!("<http://{}{}>; rel=\"next\"", request.header("host").unwrap(), request.path),
        ),
        false => reply,
    });
    endless.check_error("its list of files has no end");
    let foreign = World::new(|request, reply| match request.path.contains("/tree/") {
        true => reply.with("Link", "<http://other.invalid/>; rel=\"next\""),
        false => reply,
    });
    foreign.check_error("its next page is on another host");
    let world = World::new(|request, reply| match request.path.as_str() {
        path if path.ends_with("/tree/c0?page=2") => {
            let mut all = files();
            all.remove("config.json");
            let listing = Hub::listing(&all);
            json_reply(&listing)
        }
        path if path.contains("/tree/") => {
            let host = request.header("host").unwrap();
            let next = format!("<http://{host}{path}?page=2>; rel=\"next\"");
            let mut first = files();
            first.retain(|name, _| name == "config.json");
            json_reply(&Hub::listing(&first)).with("Link", &next)
        }
        _ => reply,
    });
    world.check_whole(3);
}
