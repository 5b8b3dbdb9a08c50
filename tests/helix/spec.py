"""A person at Helix: completes, accepts, runs an action, saves; the file on disk is what counts.

DACAPO is the binary, HELIX the editor. PICTURES, if set, is a folder for pictures of the screen.
"""

import os
import pathlib
import shutil
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "terminal"))

from terminal import Terminal, stop_daemon, wait_until  # noqa: E402

TEXT = """\
class Rectangle:
    def __init__(self, width, height):
        self.width = width
"""
ACTION_TEXT = """\
class Rectangle:
    def __init__(self, width, height):
        self.width = width
        self.height = height

    def get_width(self):
        return self.width

    def get_height(self):
        pass
"""
# Keys that go to the word that stands for the body: to its first sign, and from there to its end.
SIGN = "10gggs"
WORD = f"{SIGN}e"


def start(home, folder, *files):
    """Helix with the lines that we ship, unchanged, and dacapo on its PATH."""
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
    }
    (home / "run").mkdir()
    return Terminal([os.environ["HELIX"], *files], str(folder), environment, rows=14)


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


def complete(helix, file):
    """Asks with C-x until the menu is there: while the model is being loaded it is empty."""
    helix.wait_for("the file", lambda screen: "class Rectangle" in screen)
    helix.press("g", "e", "o")
    helix.wait_for("insert mode", lambda screen: "INS" in screen)
    screen = helix.wait_for("the menu", lambda screen: any(map(is_item, screen.splitlines())), lambda: helix.press("C-x"))
    item = next(line for line in screen.splitlines() if is_item(line))
    picture(helix, "helix-completion")
    helix.press("Tab", "Enter")
    found = saved(helix, file, TEXT)
    added = found.removeprefix(TEXT).strip()
    assert found.startswith(TEXT) and added, found
    assert added.splitlines()[0] in item, (added, item)
    print(f"ok   a suggestion is taken from the menu and saved: {added!r}")


def is_item(line):
    """Helix writes the kind of an item behind its label."""
    return line.rstrip().endswith(" text")


def act(helix, file, keys, action):
    """Runs an action on what `keys` select, and takes it back as one step of undo."""
    command(helix, f":open {file.name}")
    helix.wait_for("the other file", lambda screen: "get_height" in screen)
    helix.press(*keys)
    ask = lambda: helix.press("Escape", "Space", "a")  # noqa: E731
    helix.wait_for("the action", lambda screen: action in screen, ask, every_s=5)
    picture(helix, "helix-code-action")
    helix.press("Enter")
    found = wait_until("the body", lambda: saved_now(helix, file), lambda text: text != ACTION_TEXT)
    start = ACTION_TEXT.removesuffix("pass\n")
    assert found.startswith(start) and found != start, found
    print(f"ok   {action} changes the file on disk: {found.removeprefix(start).strip()!r}")
    helix.press("Escape", "u")
    assert saved(helix, file, found) == ACTION_TEXT
    print("ok   it is undone as one step")


def saved_now(helix, file):
    command(helix, ":write")
    return on_disk(file)


def main():
    home = pathlib.Path(tempfile.mkdtemp(prefix="dacapo-helix-"))
    project = home / "project"
    (project / ".git").mkdir(parents=True)
    texts = {"rectangle.py": TEXT, "getters.py": ACTION_TEXT}
    for name, text in texts.items():
        (project / name).write_text(text)
    helix = start(home, project, "rectangle.py")
    try:
        complete(helix, project / "rectangle.py")
        act(helix, project / "getters.py", WORD, "Rewrite selection")
        act(helix, project / "getters.py", SIGN, "Complete this body")
    except Exception:
        picture(helix, "helix-failure")
        raise
    finally:
        helix.close()
        stop_daemon({"XDG_RUNTIME_DIR": str(home / "run")})
        shutil.rmtree(home, ignore_errors=True)


main()
