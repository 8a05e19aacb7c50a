"""What the documents point at is there: files, headings, commands and options."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from argocd_provenance.cli.group import group

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "SECURITY.md", ROOT / "CHANGELOG.md", ROOT / "tests" / "README.md"]
PAGES += sorted((ROOT / "docs").glob("*.md"))
FENCED = re.compile(r"^( *)```.*?^\1```$", re.MULTILINE | re.DOTALL)


def pages() -> list[object]:
    return [pytest.param(page, id=str(page.relative_to(ROOT))) for page in PAGES]


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", FENCED.sub("", page.read_text()), re.MULTILINE):
        text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        plain = re.sub(r"[^\w\- ]", "", text).replace(" ", "-")
        found.add(plain if plain not in found else f"{plain}-1")
    return found


def links(page: Path) -> Iterator[tuple[Path, str]]:
    """Each relative link of a page: the file it names, and the anchor, if any."""
    for target in re.findall(r"\]\(([^)\s]+)\)", FENCED.sub("", page.read_text())):
        if not re.match(r"[a-z]+:", target):
            path, _, anchor = target.partition("#")
            yield (page.parent / path).resolve() if path else page, anchor


def commands(text: str) -> Iterator[list[str]]:
    """The command lines of ours in console blocks and between backticks: the words after our name."""
    names = "|".join(group.list_commands(click.Context(group)))
    for span in re.findall(r"`([^`\n]+)`", FENCED.sub("", text)):
        if ours := re.match(rf"(?:\S*argocd-provenance )((?:{names})\b.*)$", span) or re.match(
            rf"((?:{names}) .*)$", span
        ):
            yield _words(ours[1])
    for line in _console(text):
        if ours := re.match(r"(?:.*[/ ])?argocd-provenance ([a-z-].*)$", line):
            yield _words(ours[1])


def _console(text: str) -> Iterator[str]:
    """The commands in console blocks, one by one, without comments; what goes on in the next line is joined."""
    for block in re.findall(r"^ *```console\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            yield from re.split(r" \| | && ", line.partition("  #")[0].removeprefix("$ "))


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()


def unknown(words: list[str]) -> list[str]:
    """What a command line of ours says that no command knows."""
    command: click.Command = group
    context = click.Context(group)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        name, *words = words
        inner = command.get_command(context, name)
        if inner is None:
            return [name]
        command = inner
    known = {option for one in command.get_params(context) for option in (*one.opts, *one.secondary_opts)}
    known |= {"-h", "--help"}
    own = words[: words.index("--")] if "--" in words else words  # what follows is another program's
    options = [word.partition("=")[0] for word in own if word.startswith("-") and word != "-"]
    return [option for option in options if option not in known]


class TestLinks:
    @pytest.mark.parametrize("page", pages())
    def test_every_relative_link_leads_to_a_file_and_a_heading(self, page: Path) -> None:
        """Anchors as GitHub makes them of headings."""
        lost = [
            f"{target}#{anchor}"
            for target, anchor in links(page)
            if not target.exists() or (anchor and anchor not in anchors(target))
        ]

        assert lost == []

    def test_the_readme_names_every_page(self) -> None:
        """Who looks for something starts there."""
        named = {target for target, _ in links(ROOT / "README.md")}

        assert sorted(set((ROOT / "docs").glob("*.md")) - named) == []


class TestCommands:
    @pytest.mark.parametrize("page", pages())
    def test_every_command_and_option_that_a_page_names_exists(self, page: Path) -> None:
        """By the commands themselves."""
        assert [(words, wrong) for words in commands(page.read_text()) if (wrong := unknown(words))] == []

    def test_a_command_and_an_option_that_are_not_there_are_seen(self) -> None:
        """This test itself can fail."""
        text = (
            "`argocd-provenance trust shwo` and\n```console\n$ argocd-provenance verify REF --polcy FILE   # so\n```\n"
        )

        assert [unknown(words) for words in commands(text)] == [["shwo"], ["--polcy"]]

    def test_every_command_is_written_about(self) -> None:
        """A command that no page names is one that nobody finds."""
        told = {words[0] for page in PAGES for words in commands(page.read_text())}

        assert sorted(set(group.list_commands(click.Context(group))) - told) == []
