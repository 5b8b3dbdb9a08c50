"""The screen of a terminal as SVG: text with colours, and nothing that must be fetched."""

import html
import re
from collections import Counter
from dataclasses import dataclass, replace

CELL_WIDTH, CELL_HEIGHT, MARGIN = 8.4, 18, 12
FOREGROUND, BACKGROUND = "#d8dee9", "#242933"
# The sixteen colours that a theme chooses.
NAMED = (
    "#3b4252 #bf616a #a3be8c #ebcb8b #81a1c1 #b48ead #88c0d0 #e5e9f0 "
    "#667084 #d57780 #b1d196 #f0d399 #8fb2d8 #c895bf #93ccdc #eceff4"
).split()
ESCAPE = re.compile(r"\x1b\[([0-9;:]*)m|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()][A-Z0-9]|[\x0e\x0f]")


@dataclass(frozen=True)
class Style:
    foreground: str | None = None
    background: str | None = None
    bold: bool = False
    italic: bool = False
    dim: bool = False
    reverse: bool = False

    def colours(self):
        foreground, background = self.foreground or FOREGROUND, self.background
        return (background or BACKGROUND, foreground) if self.reverse else (foreground, background)


def svg(lines):
    """Lines with escape sequences as `tmux capture-pane -e` writes them."""
    rows = list(_rows(lines))
    background = _commonest_background(rows)
    n_columns = max((sum(len(text) for text, _ in row) for row in rows), default=0)
    width, height = MARGIN * 2 + n_columns * CELL_WIDTH, MARGIN * 2 + len(rows) * CELL_HEIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" '
        f'height="{height:g}" font-family="ui-monospace, Menlo, Consolas, monospace" font-size="14">',
        f'<rect width="100%" height="100%" rx="6" fill="{background}"/>',
    ]
    for row_idx, row in enumerate(rows):
        column = 0
        for text, style in row:
            parts.extend(_run(text, style, row_idx, column))
            column += len(text)
    return "\n".join([*parts, "</svg>", ""])


def _commonest_background(rows):
    counts = Counter()
    for row in rows:
        for text, style in row:
            counts[style.background or BACKGROUND] += len(text)
    return counts.most_common(1)[0][0] if counts else BACKGROUND


def _run(text, style, row_idx, column):
    foreground, background = style.colours()
    left, top = MARGIN + column * CELL_WIDTH, MARGIN + row_idx * CELL_HEIGHT
    width = len(text) * CELL_WIDTH
    if background is not None:
        yield f'<rect x="{left:g}" y="{top:g}" width="{width:g}" height="{CELL_HEIGHT}" fill="{background}"/>'
    if text.strip():
        marks = {"font-weight": style.bold and "bold", "font-style": style.italic and "italic", "opacity": style.dim and "0.6"}
        attributes = "".join(f' {name}="{value}"' for name, value in marks.items() if value)
        yield (
            f'<text x="{left:g}" y="{top + CELL_HEIGHT * 0.75:g}" textLength="{width:g}" xml:space="preserve" '
            f'fill="{foreground}"{attributes}>{html.escape(text)}</text>'
        )


def _rows(lines):
    style = Style()
    for line in lines:
        row, at = [], 0
        for escape in ESCAPE.finditer(line):
            if at < escape.start():
                row.append((line[at : escape.start()], style))
            if escape.group(1) is not None:
                style = _styled(style, escape.group(1))
            at = escape.end()
        if at < len(line):
            row.append((line[at:], style))
        yield row


def _styled(style, codes):
    """The style after an SGR sequence (ECMA-48, section 8.3.117)."""
    numbers = [int(code or 0) for code in codes.replace(":", ";").split(";")]
    while numbers:
        number = numbers.pop(0)
        if number == 0:
            style = Style()
        elif number in (38, 48):
            name = "foreground" if number == 38 else "background"
            style = replace(style, **{name: _colour(numbers)})
        elif number in _FLAGS:
            style = replace(style, **_FLAGS[number])
        elif 30 <= number <= 37 or 90 <= number <= 97:
            style = replace(style, foreground=NAMED[number - 30 if number < 90 else number - 82])
        elif 40 <= number <= 47 or 100 <= number <= 107:
            style = replace(style, background=NAMED[number - 40 if number < 100 else number - 92])
    return style


_FLAGS = {
    1: {"bold": True},
    2: {"dim": True},
    3: {"italic": True},
    7: {"reverse": True},
    22: {"bold": False, "dim": False},
    23: {"italic": False},
    27: {"reverse": False},
    39: {"foreground": None},
    49: {"background": None},
}


def _colour(numbers):
    """Takes what follows 38 or 48: `5;N` or `2;R;G;B`."""
    kind = numbers.pop(0) if numbers else 0
    if kind == 2 and 3 <= len(numbers):
        red, green, blue = (numbers.pop(0) for _ in range(3))
        return f"#{red:02x}{green:02x}{blue:02x}"
    if kind == 5 and numbers:
        return _indexed(numbers.pop(0))
    return None


def _indexed(index):
    if index < 16:
        return NAMED[index]
    if 232 <= index:
        return "#" + f"{8 + (index - 232) * 10:02x}" * 3
    levels = (0, 95, 135, 175, 215, 255)
    index -= 16
    return "#" + "".join(f"{levels[index // step % 6]:02x}" for step in (36, 6, 1))
