"""A person at Neovim in a terminal: sees ghost text on the screen, takes it, saves; the file on disk is what counts.

DACAPO is the binary, NEOVIM the editor. PICTURES, if set, is a folder for pictures of the screen.
"""

import os
import pathlib
import shutil
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "terminal"))

from terminal import Terminal, stop_daemon, wait_until  # noqa: E402

TEXT = """\
class Rectangle:
    def __init__(self, width, height):
        self.width = width
"""
INIT = """\
vim.opt.runtimepath:prepend('{plugin}')
vim.o.termguicolors, vim.o.number, vim.o.swapfile = true, true, false
vim.o.shiftwidth, vim.o.expandtab = 4, true
vim.o.statusline = "%f %m%=%{{v:lua.require'dacapo'.statusline()}} %l:%c"
require('dacapo').setup()
"""


def main():
    home = pathlib.Path(tempfile.mkdtemp(prefix="dacapo-nvim-"))
    config, project, binaries = home / "config" / "nvim", home / "project", home / "bin"
    for folder in (config, project / ".git", binaries, home / "run"):
        folder.mkdir(parents=True)
    (config / "init.lua").write_text(INIT.format(plugin=ROOT / "editors" / "nvim"))
    (binaries / "dacapo").symlink_to(os.environ["DACAPO"])
    file = project / "rectangle.py"
    file.write_text(TEXT)
    environment = {"PATH": f"{binaries}:{os.environ['PATH']}", "HOME": str(home), "XDG_RUNTIME_DIR": str(home / "run")}
    for name in ("CONFIG", "DATA", "STATE", "CACHE"):
        environment[f"XDG_{name}_HOME"] = str(home / name.lower())
    nvim = Terminal([os.environ["NEOVIM"], file.name], str(project), environment, columns=72, rows=10)
    try:
        take(nvim, file)
    finally:
        picture(nvim, "nvim-last-screen")
        nvim.close()
        stop_daemon({"XDG_RUNTIME_DIR": str(home / "run")})
        shutil.rmtree(home, ignore_errors=True)


def take(nvim, file):
    nvim.wait_for("the file", lambda screen: "class Rectangle" in screen)
    nvim.press("G", "o")
    again = lambda: nvim.press("Space", "BSpace")  # noqa: E731
    screen = nvim.wait_for("ghost text", lambda screen: ghost_in(screen) != "", again, every_s=8)
    ghost = ghost_in(screen)
    picture(nvim, "nvim-ghost-text")
    nvim.press("Tab", "Escape")
    nvim.type(":write")
    nvim.press("Enter")
    found = wait_until("the file", file.read_text, lambda text: text != TEXT)
    assert found.startswith(f"{TEXT}        {ghost}"), (ghost, found)
    print(f"ok   ghost text is on the screen, Tab takes it, and it is saved: {ghost!r}")


def ghost_in(screen):
    """What the fourth line shows behind its number: nothing is typed there."""
    line = next((line for line in screen.splitlines() if line.lstrip().startswith("4 ")), "")
    return line.strip().removeprefix("4").strip()


def picture(nvim, name):
    folder = os.environ.get("PICTURES")
    if folder:
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
        nvim.picture(pathlib.Path(folder) / f"{name}.svg")


main()
