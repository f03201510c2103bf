"""The quick start as a newcomer follows it: the files it shows, the commands it has typed, the lines it promises."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from include.settings import ROOT

PAGE = ROOT / "docs" / "quick-start.md"
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"`([^`\n]+)`:\s*\Z")


@dataclass(frozen=True)
class File:
    """A file that the page shows under its name, from the project's root."""

    path: str
    content: str


@dataclass(frozen=True)
class Command:
    """A command that the page shows, and the lines that it is said to print."""

    words: str
    promised: tuple[str, ...] = ()

    def keeps_its_promise(self, printed: str) -> bool:
        """Whether ``printed`` is what the page shows. ``…`` stands for anything, and runs may have other numbers."""
        shown = re.escape("\n".join(self.promised))
        shown = re.sub(r"run\\ \d+", r"run\\ \\d+", shown).replace("…", "(?s:.*)")
        return re.fullmatch(shown, printed.strip()) is not None


def steps() -> Iterator[File | Command]:
    """What the page has one do, in its order."""
    text = PAGE.read_text(encoding="utf-8")
    for block in _BLOCK.finditer(text):
        language, body = block.groups()
        if language == "sh":
            for line in body.splitlines():
                yield Command(line.partition("#")[0].strip())
        elif language == "console":
            for shown in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
                words, *promised = shown.splitlines()
                yield Command(words, tuple(promised))
        elif language:
            named = _NAMED.search(text, 0, block.start())
            assert named is not None, f"this block has no name on the line before it:\n{body}"
            yield File(named[1], body)
