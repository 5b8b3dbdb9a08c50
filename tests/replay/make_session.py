"""Writes session.jsonl: a person typing a Python function, as keystrokes with the pauses before them.

Made and not recorded, from a seed: bursts within words, longer pauses between words and lines, now and then a pause to
think, and typing errors that are taken back.
"""

import json
import random
from pathlib import Path

TEXT = '''
def moving_average(values, size):
    """Averages of every window of the given size."""
    if size <= 0:
        raise ValueError("size must be positive")
    averages = []
    total = 0
    for index, value in enumerate(values):
        total += value
        if size <= index:
            total -= values[index - size]
        if size <= index + 1:
            averages.append(total / size)
    return averages


class Counter:
    def __init__(self):
        self.counts = {}

    def add(self, word):
        self.counts[word] = self.counts.get(word, 0) + 1

    def most_common(self, n):
        pairs = sorted(self.counts.items(), key=lambda pair: pair[1], reverse=True)
        return pairs[:n]
'''


def pause(draw, before, letter):
    """Milliseconds before a letter is typed."""
    if draw.random() < 0.01:
        return draw.uniform(800, 2500)
    if letter == "\n":
        return draw.lognormvariate(5.5, 0.4)
    if letter == " " or before in " \n":
        return draw.lognormvariate(5.2, 0.4)
    return draw.lognormvariate(4.6, 0.35)


def main():
    draw = random.Random(20)
    before = "\n"
    with open(Path(__file__).with_name("session.jsonl"), "w", encoding="utf-8") as out:
        for letter in TEXT:
            if letter.isalpha() and draw.random() < 0.03:
                wrong = draw.choice("etaoins")
                for stroke in ({"insert": wrong}, {"delete": 1}):
                    after = round(pause(draw, before, letter) * 2)
                    out.write(json.dumps({"after_ms": after, **stroke}) + "\n")
            after = round(pause(draw, before, letter))
            out.write(json.dumps({"after_ms": after, "insert": letter}) + "\n")
            before = letter


if __name__ == "__main__":
    main()
