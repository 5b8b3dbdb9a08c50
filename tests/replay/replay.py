"""Plays typing sessions to `dacapo lsp` at their real speed and prints how long suggestions took.

    python tests/replay/replay.py --dacapo target/release/dacapo
    python tests/replay/replay.py --dacapo target/release/dacapo --clients 10 --seconds 120

Like an editor without a wait of its own it asks at every keystroke, and cancels what it asked before. Every request must
have exactly one answer. Each client begins at another line of the session, and with the text anew at its end. All clients
share one daemon, in folders of its own; its memory is looked at on the way, and what the daemon says of its own times is
printed at the end. The time of a cancelled request is that from the cancellation on.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
HEADER = "import math\n\n\ndef distance(a, b):\n    return math.hypot(a[0] - b[0], a[1] - b[1])\n\n"


class Client:
    """One editor: sends what is typed, asks, cancels, and counts answers."""

    def __init__(self, dacapo, environment, number, settings, text=HEADER):
        self.dacapo, self.environment = dacapo, environment
        self.settings = settings
        self.uri = f"file:///replay/{number}.py"
        self.next_id = 1
        self.asked = {}
        self.cancelled_at = {}
        self.times = {"suggestion": [], "nothing": [], "cancelled": []}
        self.first_text = self.text = text
        self.version = 1
        self.items, self.took_ms = [], 0

    async def start(self):
        self.process = await asyncio.create_subprocess_exec(
            self.dacapo, "lsp", env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.reading = asyncio.create_task(self.read())
        options = {"initializationOptions": self.settings}
        self.request("initialize", {"processId": os.getpid(), "capabilities": {}, **options})
        await self.answered()
        self.notify("initialized", {})
        document = {"uri": self.uri, "languageId": "python", "version": 1, "text": self.text}
        self.notify("textDocument/didOpen", {"textDocument": document})
        # The weights are read, and not measured.
        self.ask(kind=1)
        await self.answered()
        self.times = {name: [] for name in self.times}

    def send(self, message):
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    def notify(self, method, params):
        self.send({"method": method, "params": params})

    def request(self, method, params):
        number, self.next_id = self.next_id, self.next_id + 1
        self.asked[number] = time.perf_counter()
        self.send({"id": number, "method": method, "params": params})
        return number

    def place(self):
        return end_of(self.text)

    def ask(self, kind=2):
        context = {"triggerKind": kind}
        place = {"textDocument": {"uri": self.uri}, "position": self.place(), "context": context}
        return self.request("textDocument/inlineCompletion", place)

    def type(self, stroke):
        if "insert" in stroke:
            place = self.place()
            self.change(place, place, self.text + stroke["insert"], stroke["insert"])
            return
        end, kept = self.place(), self.text[: -stroke["delete"]]
        self.change(end_of(kept), end, kept, "")

    def begin_anew(self):
        """So that the text does not grow for ever, as nobody's does."""
        self.change({"line": 0, "character": 0}, self.place(), self.first_text, self.first_text)

    def change(self, start, end, text, inserted):
        self.text, self.version = text, self.version + 1
        change = {"range": {"start": start, "end": end}, "text": inserted}
        document = {"uri": self.uri, "version": self.version}
        self.notify("textDocument/didChange", {"textDocument": document, "contentChanges": [change]})

    async def read(self):
        while header := await self.process.stdout.readline():
            length = int(header.split(b":")[1])
            await self.process.stdout.readline()
            message = json.loads(await self.process.stdout.readexactly(length))
            if "method" in message:
                continue
            number = message["id"]
            now = time.perf_counter()
            took = now - self.asked.pop(number)  # A second answer fails here.
            self.items = items = (message.get("result") or {}).get("items")
            if number in self.cancelled_at:
                kind, took = "cancelled", now - self.cancelled_at.pop(number)
            else:
                kind = "suggestion" if items else "nothing"
            self.took_ms = took * 1e3
            self.times[kind].append(self.took_ms)

    async def answered(self):
        while self.asked and not self.reading.done():
            await asyncio.sleep(0.005)
        if self.reading.done():
            self.reading.result()

    async def play(self, strokes, until):
        last = None
        while time.monotonic() < until:
            for stroke in strokes:
                await asyncio.sleep(stroke["after_ms"] / 1e3)
                if until <= time.monotonic():
                    break
                self.type(stroke)
                if last in self.asked:
                    self.cancelled_at[last] = time.perf_counter()
                    self.notify("$/cancelRequest", {"id": last})
                last = self.ask()
                await self.process.stdin.drain()
            else:
                if until == float("inf"):
                    break
                self.begin_anew()
        await self.answered()

    async def stop(self):
        self.request("shutdown", None)
        await self.answered()
        self.notify("exit", None)
        await self.process.wait()
        self.reading.cancel()
        if self.asked:
            sys.exit(f"requests without an answer: {sorted(self.asked)}")


def end_of(text):
    lines = text.split("\n")
    return {"line": len(lines) - 1, "character": len(lines[-1])}


def from_another_line(strokes, share):
    """The same session from that share of it on, as no two people press the same key at the same moment."""
    lines = [0, *(at + 1 for at, stroke in enumerate(strokes) if stroke.get("insert", "").endswith("\n"))]
    start = lines[int(share * len(lines))]
    return strokes[start:] + strokes[:start]


def percentiles(times):
    times = sorted(times)
    if not times:
        return "none"
    at = lambda share: times[min(len(times) - 1, int(share * len(times)))]
    return (
        f"{len(times):6} answers   p50 {at(0.5):7.1f} ms   p90 {at(0.9):7.1f} ms"
        f"   p95 {at(0.95):7.1f} ms   p99 {at(0.99):7.1f} ms   longest {times[-1]:7.1f} ms"
    )


async def status(dacapo, environment):
    process = await asyncio.create_subprocess_exec(
        dacapo, "daemon", "status", "--json", env=environment, stdout=subprocess.PIPE
    )
    output, _ = await process.communicate()
    return json.loads(output)


async def watch(dacapo, environment, interval=10):
    """Prints the daemon's memory again and again."""
    began = time.monotonic()
    while True:
        report = await status(dacapo, environment)
        memory = (report.get("memoryBytes") or 0) / 1e6
        sessions = len(report.get("sessions", []))
        print(f"{time.monotonic() - began:6.0f} s   {memory:7.1f} MB   {sessions} sessions   {report.get('requests')} requests")
        await asyncio.sleep(interval)


async def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--dacapo", required=True)
    arguments.add_argument("--session", type=Path, default=HERE / "session.jsonl")
    arguments.add_argument("--clients", type=int, default=1)
    arguments.add_argument("--seconds", type=float, help="go on for so long instead of once")
    arguments.add_argument("--max-delay", type=int, metavar="MS", help="the setting completion.maxDelayMs")
    arguments.add_argument("--most-memory", type=float, metavar="MB", help="fail if the daemon ends up with more")
    arguments = arguments.parse_args()
    settings = {}
    if arguments.max_delay is not None:
        settings = {"completion": {"maxDelayMs": arguments.max_delay}}
    strokes = [json.loads(line) for line in arguments.session.read_text("utf-8").splitlines()]
    dacapo = str(Path(arguments.dacapo).resolve())
    with tempfile.TemporaryDirectory() as home:
        environment = {"HOME": home, "XDG_RUNTIME_DIR": home}
        clients = [Client(dacapo, environment, number, settings) for number in range(arguments.clients)]
        await asyncio.gather(*(client.start() for client in clients))
        watching = asyncio.create_task(watch(dacapo, environment))
        until = time.monotonic() + arguments.seconds if arguments.seconds else float("inf")
        played = [from_another_line(strokes, number / len(clients)) for number in range(len(clients))]
        await asyncio.gather(*(client.play(part, until) for client, part in zip(clients, played)))
        watching.cancel()
        report = await status(dacapo, environment)
        await asyncio.gather(*(client.stop() for client in clients))
        subprocess.run([dacapo, "daemon", "stop"], env=environment, check=True, stdout=subprocess.DEVNULL)
    for kind in ("suggestion", "nothing", "cancelled"):
        print(f"{kind:11}", percentiles([took for client in clients for took in client.times[kind]]))
    parts = {name: times for name, times in report["latency"].items() if isinstance(times, dict)}
    for name, times in parts.items():
        print(f"{name:12}", "   ".join(f"{key} {value:.1f}" for key, value in times.items()))
    memory = (report["memoryBytes"] or 0) / 1e6
    print(f"memory at the end {memory:.1f} MB")
    if arguments.most_memory is not None and arguments.most_memory < memory:
        sys.exit(f"the daemon has more than {arguments.most_memory} MB of memory")
    if not any(client.times["suggestion"] for client in clients):
        sys.exit("nothing was suggested")


if __name__ == "__main__":
    asyncio.run(main())
