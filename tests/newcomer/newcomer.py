"""A newcomer at a terminal: types what docs/getting-started says, in a new home, until the first suggestion is taken and saved.

usage: newcomer.py nvim|helix|emacs|vscode [--build]

DACAPO is a built binary; it is put where `cargo install` would leave it, which itself runs only with --build.
PROGRAM is the editor; for VS Code it is `editors/vscode/dist/e2e/newcomer.mjs`, which needs CODE_SERVER and CHROMIUM. The pages are those of this tree, and the lines that they show below a command must be what it prints.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "terminal"))

from terminal import Terminal, stop_daemon, wait_until  # noqa: E402

PAGES = ROOT / "docs" / "getting-started"
BUILD = "cargo install"
# The home in the pages.
HOME = "/home/me"
SUGGESTION = "self."


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("editor", choices=EDITORS)
    arguments.add_argument("--build", action="store_true")
    arguments = arguments.parse_args()
    program, page, take = EDITORS[arguments.editor]
    home = pathlib.Path(tempfile.mkdtemp(prefix="dacapo-newcomer-")).resolve()
    try:
        follow(home, program, [PAGES / "README.md", PAGES / page], take, arguments.build)
    finally:
        stop_daemon({"XDG_RUNTIME_DIR": str(home / "run")})
        shutil.rmtree(home, ignore_errors=True)


def follow(home, program, pages, take, builds):
    (home / "bin").mkdir()
    (home / "run").mkdir()
    put_program(home / "bin" / program)
    subprocess.run(["git", "clone", "--quiet", ROOT, home / "dacapo"], check=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    if builds:
        for name in ("CARGO_HOME", "RUSTUP_HOME"):
            environment.setdefault(name, os.path.expanduser(f"~/.{name.removesuffix('_HOME').lower()}"))
        environment["CARGO_INSTALL_ROOT"] = str(home / ".cargo")
    # As rustup leaves it: VS Code asks a login shell for the path.
    (home / ".profile").write_text('PATH="$HOME/.cargo/bin:$PATH"\n')
    path = f"{home / '.cargo' / 'bin'}:{home / 'bin'}:{os.environ['PATH']}"
    environment |= {"PATH": path, "HOME": str(home), "XDG_RUNTIME_DIR": str(home / "run")}
    shell = Terminal(["bash", "--norc", "--noprofile"], str(home), environment, columns=120, rows=30)
    try:
        shell.type("PS1='=$?\\n$ '")
        shell.press("Enter")
        commands = [command for page in pages for command in commands_of(page)]
        for command, shown in commands[:-1]:
            if command.startswith(BUILD) and not builds:
                put_binary(home / ".cargo" / "bin")
                print(f"        -  $ {command}   (a built one is put there)")
                continue
            run(shell, home, command, shown)
        command, _ = commands[-1]
        file = home / command.split()[-1].removeprefix("~/")
        before = file.read_text()
        started = enter(shell, command)
        print(f"           $ {command}")
        for at, said in take(shell):
            print(f"{at - started:7.1f} s    {said}")
        # An editor may save by itself before the suggestion is taken.
        after = wait_until("the suggestion on disk", file.read_text, lambda text: added(before, text).startswith(SUGGESTION))
        print(f"{time.monotonic() - started:7.1f} s    on disk: {added(before, after)}")
    finally:
        shell.close()


def added(before, after):
    return after.removeprefix(before).strip() if after.startswith(before) else ""


def put_program(place):
    """The editor by its name; what a person has as `code` is here a workbench in a browser."""
    program = os.environ["PROGRAM"]
    if not program.endswith(".mjs"):
        place.symlink_to(program)
        return
    place.write_text(f"""\
#!/bin/sh
case "$1" in
--install-extension) exec node '{os.environ["CODE_SERVER"]}' "$@" ;;
*) CODE_SERVER='{os.environ["CODE_SERVER"]}' CHROMIUM='{os.environ["CHROMIUM"]}' exec node '{program}' "$1" ;;
esac
""")
    place.chmod(0o755)


def put_binary(folder):
    folder.mkdir(parents=True)
    shutil.copy(os.environ["DACAPO"], folder / "dacapo")


def commands_of(page):
    """The commands of a page, each with the lines that it shows below; a here-document belongs to its command."""
    for block in re.findall(r"^```console\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL):
        lines = block.splitlines()
        while lines:
            command = lines.pop(0).removeprefix("$ ")
            if command.endswith("<<'END'"):
                end = lines.index("END") + 1
                command, lines = "\n".join([command, *lines[:end]]), lines[end:]
            shown = []
            while lines and not lines[0].startswith("$ "):
                shown.append(lines.pop(0))
            yield command, shown


def run(shell, home, command, shown):
    started = enter(shell, command)
    screen = shell.wait_for(command, lambda screen: re.search(r"=\d+\n\$\n*$", screen))
    print(f"{time.monotonic() - started:7.1f} s  $ {command.splitlines()[0]}")
    said = screen.replace(str(home), HOME)
    assert said.rstrip().endswith("=0\n$"), f"`{command}` fails:\n{said}"
    for line in shown:
        assert line in said, f"`{line}`, which the page shows, is not what is seen:\n{said}"
        print(f"             {line}")


def enter(shell, command):
    """Types a command, and returns when it was begun."""
    shell.press("C-l")
    for line in command.splitlines():
        shell.type(line)
        started = time.monotonic()
        shell.press("Enter")
    return started


def take_in_nvim(nvim):
    nvim.wait_for("the file", lambda screen: "class Rectangle" in screen)
    yield time.monotonic(), "the file is shown"
    nvim.type(":checkhealth dacapo")
    nvim.press("Enter")
    nvim.wait_for("the page", lambda screen: "version 0." in screen)
    yield time.monotonic(), ":checkhealth dacapo"
    nvim.type(":q")
    nvim.press("Enter", "G", "o")
    nvim.wait_for("grey text", lambda screen: screen.count(SUGGESTION) == 2)
    yield time.monotonic(), "G, o: grey text comes"
    nvim.press("Tab", "Escape")
    nvim.type(":w")
    nvim.press("Enter")
    yield time.monotonic(), "<Tab>, <Esc>, :w"


def take_in_helix(helix):
    helix.wait_for("the file", lambda screen: "class Rectangle" in screen)
    yield time.monotonic(), "the file is shown"
    helix.press("g", "e", "o")
    helix.wait_for("the menu", lambda screen: screen.count(SUGGESTION) == 2, lambda: helix.press("C-x"))
    yield time.monotonic(), "ge, o, Ctrl-x: the menu comes"
    helix.press("Tab", "Enter", "Escape")
    helix.type(":w")
    helix.press("Enter")
    yield time.monotonic(), "Tab, Enter, Escape, :w"


def take_in_emacs(emacs):
    emacs.wait_for("the connection", lambda screen: "Connected!" in screen)
    yield time.monotonic(), "[eglot] Connected!"
    emacs.press("M->", "Tab")
    emacs.wait_for("the suggestion", lambda screen: screen.count(SUGGESTION) == 2, lambda: emacs.press("C-M-i"))
    yield time.monotonic(), "M->, TAB, C-M-i: the suggestion is taken"
    emacs.press("C-x", "C-s")


def take_in_vscode(terminal):
    for seen in ("the file is shown", "the status bar says that the server is there", "grey text comes", "it is taken and saved"):
        terminal.wait_for(seen, lambda screen: seen in screen)  # noqa: B023
        yield time.monotonic(), seen


# The program, its page, and how a suggestion is taken.
EDITORS = {
    "nvim": ("nvim", "neovim.md", take_in_nvim),
    "helix": ("hx", "helix.md", take_in_helix),
    "vscode": ("code", "vscode.md", take_in_vscode),
    "emacs": ("emacs", "emacs.md", take_in_emacs),
}

if __name__ == "__main__":
    main()
