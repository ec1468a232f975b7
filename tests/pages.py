"""The pages of the documentation as data: code blocks, links, anchors, and the commands that they name."""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
EXCUSE = re.compile(r"<!-- not executed: (.+?) -->", re.DOTALL)
TARGET = re.compile(r"""(?:src|srcset|href)=["']([^"']+)["']""")
OPERATORS = "|&;()<>"
PROGRAMS = ("pytest", "quantgate", "python", "pip")


@dataclass(frozen=True)
class Block:
    """A fenced block of code."""

    line: int
    language: str
    text: str
    excuse: str  # why it is not executed, from the comment before it; empty where there is none

    @property
    def file(self) -> str:
        """The file that the block is, where its first line is a comment with a path."""
        named = re.match(r"# ([\w./-]+\.\w+)\n", self.text)
        return named[1] if named else ""


@dataclass(frozen=True)
class Command:
    """A command of a console block, and the lines that it is said to print; none: whatever it prints."""

    line: str
    printed: tuple[str, ...]


@dataclass(frozen=True)
class Page:
    path: Path
    blocks: tuple[Block, ...]
    links: tuple[str, ...]
    anchors: frozenset[str]
    spans: tuple[str, ...]  # code within text

    def blocks_in(self, language: str) -> list[Block]:
        return [block for block in self.blocks if block.language == language]


@functools.cache
def read(path: Path) -> Page:
    tokens = MarkdownIt("commonmark").enable("table").parse(path.read_text())
    inline = [child for token in tokens for child in token.children or ()]
    links = [str(child.attrs["href"]) for child in inline if child.type == "link_open"]
    links += [str(child.attrs["src"]) for child in inline if child.type == "image"]
    for token in (*tokens, *inline):
        links += TARGET.findall(token.content) if token.type.startswith("html_") else []
    titles = [tokens[at + 1].content for at, token in enumerate(tokens) if token.type == "heading_open"]
    spans = [child.content for child in inline if child.type == "code_inline"]
    return Page(path, tuple(_blocks(tokens)), tuple(links), frozenset(_anchors(titles)), tuple(spans))


def _blocks(tokens: list[Token]) -> Iterator[Block]:
    for before, token in zip([Token("", "", 0), *tokens], tokens, strict=False):
        if token.type == "fence":
            excuse = EXCUSE.search(before.content) if before.type == "html_block" else None
            line = token.map[0] + 1 if token.map else 0
            yield Block(line, token.info.strip(), token.content, excuse[1] if excuse else "")


def _anchors(titles: list[str]) -> Iterator[str]:
    """As GitHub makes them: lower case, spaces to hyphens, other signs left out; the second of a name ends in -1."""
    seen: dict[str, int] = {}
    for title in titles:
        anchor = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        number = seen.get(anchor, 0)
        seen[anchor] = number + 1
        yield f"{anchor}-{number}" if number else anchor


def console(block: Block) -> list[Command]:
    """Commands begin with `$ ` and go on where a line ends in a backslash."""
    found: list[Command] = []
    for line in block.text.splitlines():
        last = found[-1] if found else None
        if last and last.line.endswith("\\") and not last.printed:
            found[-1] = Command(f"{last.line[:-1].rstrip()} {line.strip()}", ())
        elif line.startswith("$ "):
            found.append(Command(line[2:], ()))
        else:
            assert last, f"line {block.line}: a console block begins with a command"
            found[-1] = Command(last.line, (*last.printed, line))
    return found


def prints(command: Command, output: str) -> bool:
    """Whether `output` is what the page says; `…` stands for the rest of a line, alone for any number of lines."""
    if not command.printed:
        return True
    said = [line.rstrip() for line in command.printed]
    pattern = "".join(
        r"(?:.*\n)*?" if line == "…" else ".*?".join(map(re.escape, line.split("…"))) + r" *\n" for line in said
    )
    return re.fullmatch(pattern, output.rstrip("\n") + "\n") is not None


def commands(text: str) -> Iterator[list[str]]:
    """The words of every command of a script or a line, without the variables before it."""
    for line in text.replace("\\\n", " ").splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=OPERATORS)
        lexer.whitespace_split = True
        words: list[str] = []
        for word in (*lexer, ";"):
            if not set(word) <= set(OPERATORS):
                words.append(word)
                continue
            while words and re.match(r"[A-Z_]+=", words[0]):
                words = words[1:]
            if words:
                yield words
            words = []
