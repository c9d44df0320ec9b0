"""Text that fits: how wide it is at most, where to break it, what to leave out.

Nobody knows which font will be there. Widths are those of a wide one (DejaVu Sans, as wide as Verdana), rounded up, so
text fits in every usual sans-serif font.
"""

from __future__ import annotations

import re

from quell.model.times import format_duration

_REGULAR = {
    0.35: "'IJijl ,./:;\\|", 0.4: "()-[]ft·", 0.45: "!r", 0.5: '"*_`', 0.55: "?csz", 0.6: "FLkvxy",
    0.65: "$0123456789EPSTYabdeghnopqu{}", 0.7: "ABCKRVXZ", 0.75: "NU", 0.8: "&DGHOQ◆", 0.85: "#+<=>^w~→↑↓−±", 0.9: "M",
}  # fmt: skip
_BOLD = {
    0.35: " 'ijl", 0.4: ",./:;IJ\\|·", 0.45: "-f", 0.5: "!()[]_`rt", 0.55: '"*', 0.6: "?csz", 0.65: "Lx",
    0.7: "$0123456789EFTaekovy", 0.75: "CPSYZbdghnpqu{}", 0.8: "ABKRVX◆", 0.85: "#+<=>DGHNU^~→↑↓−±", 0.9: "&OQ",
    0.95: "w", 1.15: "W",
}  # fmt: skip
_NARROW = {letter: em for em, letters in _REGULAR.items() for letter in letters}
_WIDE = {letter: em for em, letters in _BOLD.items() for letter in letters}
_OTHER, _OTHER_BOLD = 1.0, 1.1
"""Letters of other scripts, in em."""
_NARROWEST = 0.35
MORE = "…"
_WORDS = re.compile(r"(?<= )")
_BREAKS = re.compile(r"(?<=[-_./:@ ])|(?<=[a-z0-9])(?=[A-Z])")
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean(text: str) -> str:
    """Text without what XML cannot hold, on one line."""
    return " ".join(_NOT_XML.sub("", text).split())


def width(text: str, size: float, *, bold: bool = False) -> float:
    """The most that a line takes, in pixels."""
    known, other = (_WIDE, _OTHER_BOLD) if bold else (_NARROW, _OTHER)
    return size * sum(known.get(letter, other) for letter in text)


def fit(text: str, room: float, size: float, *, bold: bool = False) -> str:
    """The text, with its middle left out when it does not fit: both ends of a name tell something."""
    if width(text, size, bold=bold) <= room:
        return text
    keep = min(len(text) - 1, int(room / (size * _NARROWEST)))  # a name may be a page long
    while keep > 0:
        head = keep - keep // 3
        short = text[:head].rstrip() + MORE + text[len(text) - keep // 3 :].lstrip()
        if width(short, size, bold=bold) <= room:
            return short
        keep -= 1
    return MORE


def wrap(text: str, room: float, size: float, most: int, *, bold: bool = False) -> list[str]:
    """The text on so many lines, broken between words, long ones between their parts; the last line is made to fit."""
    lines = [""]
    parts: list[str] = []
    for word in _WORDS.split(text):
        parts += _BREAKS.split(word) if width(word, size, bold=bold) > room else [word]
    for at, part in enumerate(parts):
        if not lines[-1] or width((lines[-1] + part).rstrip(), size, bold=bold) <= room:
            lines[-1] += part
        elif len(lines) == most:
            lines[-1] += "".join(parts[at:])
            break
        else:
            lines.append(part)
    return [fit(line.strip(), room, size, bold=bold) for line in lines]


def offset(seconds: float) -> str:
    """How long after the beginning, such as "+35 s" or "+1 h 10 min"; "start" for the beginning itself."""
    if abs(seconds) < 1.0:
        return "start"
    text = format_duration(abs(seconds) if abs(seconds) < 600 else round(abs(seconds) / 60.0) * 60.0)
    return ("−" if seconds < 0 else "+") + re.sub(r"(?<=\d)(?=[a-z])|(?<=[a-z])(?=\d)", " ", text.replace("m", "min"))
