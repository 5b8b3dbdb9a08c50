"""Types into a long file with `dacapo lsp` and prints how long each suggestion took, and what the daemon does at rest.

    python tests/replay/keystrokes.py --dacapo target/release/dacapo --text FILE [--model NAME] [--prompt 1500]

What is typed is FILE itself, from its middle on. A keystroke that the suggestion before had foreseen is answered from
that; the others ask the model, which knows the prompt but for its end. Nobody waits for a pause.
"""

import argparse
import asyncio
import os
import subprocess
import tempfile
from pathlib import Path

from replay import Client, percentiles, status

PACE_S = 0.15
REST_S = 30


def processor_seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def type_on(client, text, times):
    shown = ""
    for character in text:
        foreseen = shown.startswith(character)
        client.type({"insert": character})
        client.ask()
        await client.answered()
        shown = client.items[0]["insertText"] if client.items else ""
        times["foreseen" if foreseen else "asked anew" if shown else "nothing"].append(client.took_ms)
        await asyncio.sleep(PACE_S)


async def main():
    arguments = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    arguments.add_argument("--dacapo", required=True)
    arguments.add_argument("--text", type=Path, required=True)
    arguments.add_argument("--model", default="default")
    arguments.add_argument("--prompt", type=int, default=1500, help="most tokens of a prompt")
    arguments.add_argument("--keys", type=int, default=400)
    arguments = arguments.parse_args()
    text = arguments.text.read_text("utf-8")
    middle = text.index("\n", len(text) // 2) + 1
    settings = {
        "completion": {"maxDelayMs": 0, "maxPromptTokens": arguments.prompt},
        "model": {"name": arguments.model},
        "trusted": True,
    }
    dacapo = str(Path(arguments.dacapo).resolve())
    with tempfile.TemporaryDirectory() as home:
        environment = {"HOME": home, "XDG_RUNTIME_DIR": home}
        client = Client(dacapo, environment, 0, settings, text[:middle])
        await client.start()
        times = {"asked anew": [], "foreseen": [], "nothing": []}
        await type_on(client, text[middle : middle + arguments.keys], times)
        report = await status(dacapo, environment)
        before = processor_seconds(report["processId"])
        await asyncio.sleep(REST_S)
        share = (processor_seconds(report["processId"]) - before) / REST_S
        await client.stop()
        subprocess.run([dacapo, "daemon", "stop"], env=environment, check=True, stdout=subprocess.DEVNULL)
    for name, taken in times.items():
        print(f"{name:11}", percentiles(taken))
    for name, part in report["latency"].items():
        if isinstance(part, dict):
            print(f"{name:12}", "   ".join(f"{key} {value:.1f}" for key, value in part.items()))
    print(f"at rest for {REST_S} s: {share:.2%} of one processor")


if __name__ == "__main__":
    asyncio.run(main())
