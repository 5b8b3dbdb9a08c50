"""A person at Helix: completes, accepts, saves; the file on disk is what counts.

DACAPO is the binary, HELIX the editor. PICTURES, if set, is a folder for pictures of the screen.
"""

import os
import pathlib
import shutil
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "terminal"))

from terminal import Terminal, wait_until  # noqa: E402

TEXT = """\
class Rectangle:
    def __init__(self, width, height):
        self.width = width
"""


def start(home, file):
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
    }
    return Terminal([os.environ["HELIX"], str(file)], str(file.parent), environment)


def picture(helix, name):
    folder = os.environ.get("PICTURES")
    if folder:
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
        helix.picture(pathlib.Path(folder) / f"{name}.svg")


def complete(helix, file):
    """Asks with C-x until the menu is there: while the model is being loaded it is empty."""
    helix.wait_for("the file", lambda screen: "class Rectangle" in screen)
    helix.press("g", "e", "o")
    helix.wait_for("insert mode", lambda screen: "INS" in screen)
    screen = helix.wait_for("the menu", has_item, between=lambda: helix.press("C-x"))
    item = next(line for line in screen.splitlines() if "self.height" in line or is_item(line))
    picture(helix, "helix-completion")
    helix.press("Tab", "Enter", "Escape")
    helix.type(":w")
    helix.press("Enter")
    found = wait_until("the file", file.read_text, lambda text: text != TEXT)
    added = found.removeprefix(TEXT).strip()
    assert found.startswith(TEXT) and added, found
    assert added.splitlines()[0].strip() in item, (added, item)
    print(f"ok   a suggestion is taken from the menu and saved: {added!r}")


def has_item(screen):
    return any(is_item(line) for line in screen.splitlines())


def is_item(line):
    """Helix writes the kind of an item behind its label."""
    return line.rstrip().endswith("text") or " text " in line


def main():
    home = pathlib.Path(tempfile.mkdtemp(prefix="dacapo-helix-"))
    project = home / "project"
    (project / ".git").mkdir(parents=True)
    file = project / "rectangle.py"
    file.write_text(TEXT)
    helix = start(home, file)
    try:
        complete(helix, file)
    except Exception:
        picture(helix, "helix-failure")
        raise
    finally:
        helix.close()
        shutil.rmtree(home, ignore_errors=True)


main()
