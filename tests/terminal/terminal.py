"""A terminal of its own by tmux: keys go in, the screen comes out as text or as a picture."""

import os
import subprocess
import time
import uuid

from picture import svg

LIMIT_S = 240
POLL_S = 0.1


def stop_daemon(environment):
    """Ends the daemon that `dacapo lsp` started below the runtime folder of a test."""
    command = [os.environ["DACAPO"], "daemon", "stop"]
    subprocess.run(command, env={**os.environ, **environment}, check=False, capture_output=True)


class Terminal:
    """One program in one window of a tmux server that nobody else uses."""

    def __init__(self, command, folder, environment, columns=80, rows=24):
        self.socket = f"dacapo-{uuid.uuid4().hex[:8]}"
        size = ["-x", str(columns), "-y", str(rows)]
        plain = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self.environment = {**plain, **environment, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
        settings = ["set", "-g", "status", "off", ";", "set", "-g", "escape-time", "0", ";"]
        self._tmux(*settings, "new-session", "-d", "-c", folder, *size, *command, with_file=True)
        self._tmux("set", "-ga", "terminal-overrides", ",*:Tc")

    def _tmux(self, *words, with_file=False):
        start = ["-f", "/dev/null"] if with_file else []
        command = ["tmux", "-L", self.socket, *start, *words]
        return subprocess.run(command, env=self.environment, check=True, capture_output=True, text=True).stdout

    def press(self, *keys):
        """Keys by tmux's names: Enter, Escape, C-x, and single signs."""
        for key in keys:
            self._tmux("send-keys", key)
            if key == "Escape":
                # Or the program takes it and the next key for one key with Alt.
                time.sleep(0.2)

    def type(self, text):
        """Types a text, one key after the other."""
        for sign in text:
            self._tmux("send-keys", "-l", sign)
            time.sleep(0.02)

    def screen(self):
        return self._tmux("capture-pane", "-p")

    def wait_for(self, what, is_there, between=None, every_s=3):
        """Waits until `is_there` holds for the screen; `between` is done again and again until then."""
        end = time.monotonic() + LIMIT_S
        again = time.monotonic()
        while True:
            screen = self.screen()
            if is_there(screen):
                return screen
            if end <= time.monotonic():
                raise TimeoutError(f"{what} does not come; the screen is:\n{screen}")
            if between is not None and again <= time.monotonic():
                between()
                again = time.monotonic() + every_s
            time.sleep(POLL_S)

    def picture(self, path):
        """Writes the screen as SVG."""
        lines = self._tmux("capture-pane", "-p", "-e", "-N").rstrip("\n").split("\n")
        with open(path, "w", encoding="utf-8") as file:
            file.write(svg(lines))

    def close(self):
        subprocess.run(["tmux", "-L", self.socket, "kill-server"], env=self.environment, check=False, capture_output=True)


def wait_until(what, ask, is_good):
    """Asks again until the answer is as wanted, and returns it."""
    end = time.monotonic() + LIMIT_S
    while True:
        answer = ask()
        if is_good(answer):
            return answer
        if end <= time.monotonic():
            raise TimeoutError(f"{what} stays {answer!r}")
        time.sleep(POLL_S)
