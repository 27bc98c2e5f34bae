"""build/bench.svg: a bar for each contender in each row, by the data of build/bench.json."""

from __future__ import annotations

from html import escape

from harness.contenders import ALL
from harness.rows import show_number

WIDTH, LEFT, RIGHT = 960, 330, 130
BAR, GAP, HEAD = 13, 16, 64
COLORS = {
    "frappe_rt": "#1f6feb",
    "floor": "#8b949e",
    "bun": "#d29922",
    "node": "#3fb950",
    "python": "#a371f7",
}
TITLES = {contender.name: contender.title for contender in ALL}
TEXT = 'font-family="sans-serif" font-size="12"'


def _text(x, y, text, more=""):
    return f'<text x="{x:.0f}" y="{y:.0f}" {TEXT} {more}>{escape(text)}</text>'


def _bars(row, y):
    contenders = row["contenders"]
    most = max(abs(c["median"]) for c in contenders.values()) or 1
    yield _text(8, y + 11, f"{row['title']}", 'font-weight="bold"')
    better = "more is better" if row["more_is_better"] else "less is better"
    yield _text(8, y + 26, f"{row['unit']}, {better}", 'fill="#57606a"')
    for name, figures in contenders.items():
        long = (WIDTH - LEFT - RIGHT) * abs(figures["median"]) / most
        color = COLORS.get(name, "#000")
        size = f'x="{LEFT}" y="{y}" width="{max(long, 1):.1f}" height="{BAR - 2}"'
        yield f'<rect {size} fill="{color}"/>'
        yield _text(LEFT + max(long, 1) + 5, y + 10, show_number(figures["median"]))
        y += BAR


def _legend(data):
    x = LEFT
    names = {n for row in data["rows"].values() for n in row["contenders"]}
    for name, color in COLORS.items():
        if name in names:
            yield f'<rect x="{x}" y="34" width="11" height="11" fill="{color}"/>'
            yield _text(x + 16, 44, TITLES[name])
            x += 100


def make_svg(data):
    parts = [_text(8, 22, "frappe_rt beside its peers: medians", 'font-weight="bold"')]
    parts += _legend(data)
    y = HEAD
    for row in data["rows"].values():
        parts += _bars(row, y)
        y += max(len(row["contenders"]) * BAR, 2 * BAR) + GAP
    size = f'width="{WIDTH}" height="{y}" viewBox="0 0 {WIDTH} {y}"'
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n'
        f'<rect width="{WIDTH}" height="{y}" fill="#fff"/>\n{body}\n</svg>\n'
    )
