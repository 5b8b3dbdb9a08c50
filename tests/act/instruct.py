"""`dacapo act` with a small public model that follows some instructions; DACAPO is the binary, MODEL the model.

What the model writes is not judged. What counts is that each action that needs instructions asks it, ends in a patch that
applies, in words, or in a reason with a way out, and that code is written the same way each time.
"""

import json
import os
import pathlib
import subprocess
import tempfile

FUNCTION = """\
def total(prices):
    result = 0
    for price in prices:
        result += price
    return result
"""


def act(folder, action, *arguments):
    """The report of one run, and whether it says that all went well."""
    command = [os.environ["DACAPO"], "act", "prices.py:3:5", action, "--model", os.environ["MODEL"], "--json", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240)
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    assert report["generated_tokens"] > 0, report
    assert (done.returncode == 0) == (report["reason"] is None and not (report["concern"] and "--write" in arguments))
    assert (report["diff"] is None) == (report["reason"] is not None or report["text"] is not None)
    return report


def applied(folder, diff):
    """The files of a folder of their own after `git apply`."""
    with tempfile.TemporaryDirectory() as copy:
        copy = pathlib.Path(copy)
        (copy / "prices.py").write_text(FUNCTION)
        subprocess.run(["git", "apply", "-"], cwd=copy, input=diff, text=True, check=True)
        return {path.name: path.read_text() for path in copy.iterdir()}


def main():
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "prices.py").write_text(FUNCTION)
        edits = [act(folder, "edit", "--instruction", "use the function sum") for _ in range(2)]
        assert edits[0]["raw"] == edits[1]["raw"], [edit["raw"] for edit in edits]
        assert edits[0]["diff"], edits[0]
        assert applied(folder, edits[0]["diff"])["prices.py"] != FUNCTION
        print("ok   an edit is a patch, and the same one each time")

        fix = act(folder, "fix", "--instruction", "the variable 'result' hides a name of another scope")
        if fix["diff"]:
            applied(folder, fix["diff"])
        print("ok   a fix is a patch or a reason:", (fix["reason"] or {}).get("code", "a patch"))

        tests = act(folder, "tests")
        if tests["diff"]:
            assert "test" in applied(folder, tests["diff"])["test_prices.py"]
        else:
            assert tests["reason"]["code"] in ("no-tests", "no-code", "elided"), tests
        print("ok   tests are tests, or there is a reason:", (tests["reason"] or {}).get("code", "a patch"))

        assert act(folder, "explain")["text"].strip()
        print("ok   an explanation is words")
        assert (pathlib.Path(folder) / "prices.py").read_text() == FUNCTION
        print("ok   nothing is written unless it was asked for")


main()
