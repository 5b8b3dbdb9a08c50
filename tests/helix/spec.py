"""A person at Helix: completes, accepts, runs an action, saves; the file on disk is what counts.

`editor.py` says what it needs.
"""

from editor import choose, command, helix_in, picture, saved, saved_now, wait_until

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
    choose(helix, action)
    found = wait_until("the body", lambda: saved_now(helix, file), lambda text: text != ACTION_TEXT)
    start = ACTION_TEXT.removesuffix("pass\n")
    assert found.startswith(start) and found != start, found
    print(f"ok   {action} changes the file on disk: {found.removeprefix(start).strip()!r}")
    helix.press("Escape", "u")
    assert saved(helix, file, found) == ACTION_TEXT
    print("ok   it is undone as one step")


def main():
    with helix_in({"rectangle.py": TEXT, "getters.py": ACTION_TEXT}) as (helix, project):
        complete(helix, project / "rectangle.py")
        act(helix, project / "getters.py", WORD, "Rewrite selection")
        act(helix, project / "getters.py", SIGN, "Complete this body")


main()
