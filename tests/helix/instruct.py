"""A person at Helix who edits by instructions in comments, with a model that follows some.

MODEL is a model with a chat template; `editor.py` says what else it needs.
The model is small, so what it writes is not judged, and one of a few instructions that it follows is enough: that the edit
comes, is saved, and is undone as one step is what counts.
"""

import os

from editor import ROWS, choose, helix_in, picture, saved, saved_now

FUNCTION = """\
def total(prices):
    result = 0
    for price in prices:
        result += price
    return result
"""
INSTRUCTIONS = ["add a docstring", "add type hints", "return None for an empty list", "use the function sum"]


def edit(helix, file):
    """Writes the instruction as a person does, and chooses the action."""
    helix.wait_for("the file", lambda screen: "def total" in screen)
    before, keys = FUNCTION, ["g", "g", "O"]
    for instruction in INSTRUCTIONS:
        helix.press(*keys)
        helix.type(f"# dacapo: {instruction}")
        asked = f"# dacapo: {instruction}\n{FUNCTION}"
        assert saved(helix, file, before) == asked
        choose(helix, "Edit")
        helix.wait_for("the edit", lambda screen: "# dacapo:" not in screen or said(screen) != "")
        found = saved_now(helix, file)
        if found != asked:
            break
        before, keys = asked, ["Escape", "g", "g", "x", "c"]
    assert "dacapo:" not in found and "def total" in found, found
    picture(helix, "helix-edit")
    print(f"ok   a comment is followed and taken away: {found!r}")
    helix.press("u")
    assert saved(helix, file, found) == asked
    print("ok   it is undone as one step")


def said(screen):
    """The message in the last line; that of a file that was written is none."""
    last = screen.split("\n")[ROWS - 1].strip()
    return "" if "written" in last else last


def explain(helix, file):
    """Asks for words, and sees that nothing else changes."""
    before = saved_now(helix, file)
    choose(helix, "Explain")
    helix.wait_for("the words", lambda screen: 20 < len(said(screen)))
    picture(helix, "helix-explain")
    assert saved_now(helix, file) == before
    print("ok   an explanation is shown")


def main():
    with helix_in({"prices.py": FUNCTION}, DACAPO_MODEL=os.environ["MODEL"]) as (helix, project):
        edit(helix, project / "prices.py")
        explain(helix, project / "prices.py")


main()
