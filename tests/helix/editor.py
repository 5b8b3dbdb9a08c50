"""A real Helix in a terminal, with folders of its own.

DACAPO is the binary, HELIX the editor. PICTURES, if set, is a folder for pictures of the screen.
"""

import contextlib
import itertools
import os
import pathlib
import shutil
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "terminal"))

from terminal import Terminal, stop_daemon, wait_until  # noqa: E402


ROWS = 14


@contextlib.contextmanager
def helix_in(texts, **environment):
    """Helix in a new project of these files by name, with the first one open; yields it and the project's folder."""
    home = pathlib.Path(tempfile.mkdtemp(prefix="dacapo-helix-"))
    project = home / "project"
    (project / ".git").mkdir(parents=True)
    for name, text in texts.items():
        (project / name).write_text(text)
    helix = start(home, project, next(iter(texts)), **environment)
    try:
        yield helix, project
    except Exception:
        picture(helix, "helix-failure")
        raise
    finally:
        helix.close()
        stop_daemon({"XDG_RUNTIME_DIR": str(home / "run")})
        shutil.rmtree(home, ignore_errors=True)


def start(home, folder, file, **more):
    """Helix with the lines that we ship, unchanged, and dacapo on its PATH.

    `more` are further variables of its environment.
    """
    config = home / "config" / "helix"
    config.mkdir(parents=True)
    shutil.copy(ROOT / "editors" / "helix" / "languages.toml", config)
    (config / "config.toml").write_text("[editor]\ntrue-color = true\n[editor.lsp]\ndisplay-messages = true\n")
    binaries = home / "bin"
    binaries.mkdir()
    (binaries / "dacapo").symlink_to(os.environ["DACAPO"])
    environment = {
        "PATH": f"{binaries}:{os.environ['PATH']}",
        "HOME": str(home),
        "XDG_CONFIG_HOME": str(home / "config"),
        "XDG_CACHE_HOME": str(home / "cache"),
        "XDG_RUNTIME_DIR": str(home / "run"),
        **more,
    }
    (home / "run").mkdir()
    return Terminal([os.environ["HELIX"], file], str(folder), environment, rows=ROWS)


def picture(helix, name):
    folder = os.environ.get("PICTURES")
    if folder:
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
        helix.picture(pathlib.Path(folder) / f"{name}.svg")


def command(helix, text):
    helix.press("Escape")
    helix.type(text)
    helix.press("Enter")


def on_disk(file):
    """What the file holds; Helix moves the old one away and writes anew, so it may be missing or cut short for a moment."""
    before, now = None, None
    while now is None or now != before:
        time.sleep(0.05)
        try:
            before, now = now, file.read_text()
        except FileNotFoundError:
            now = None
    return now


def saved(helix, file, before):
    """Writes the file and returns what is on disk, once that is another text."""
    command(helix, ":write")
    return wait_until("the file", lambda: on_disk(file), lambda text: text != before)


def saved_now(helix, file):
    command(helix, ":write")
    return on_disk(file)


def choose(helix, action):
    """Runs an action from the menu, once the menu has it."""
    ask = lambda: helix.press("Escape", "Space", "a")  # noqa: E731
    screen = helix.wait_for("the action", lambda screen: action in screen, ask, every_s=5)
    helix.press(*["Down"] * n_above(screen.splitlines(), action))
    picture(helix, "helix-code-action")
    helix.press("Enter")


def n_above(lines, action):
    """How many entries of the menu stand above that one: titles begin with a capital, in one column."""
    row = next(row for row, line in enumerate(lines) if action in line)
    column = lines[row].index(action)
    above = itertools.takewhile(lambda line: line[column : column + 1].isupper(), reversed(lines[:row]))
    return len(list(above))
