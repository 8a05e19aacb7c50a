"""``trust``: the trusted roots that are in use, their age, and how to have newer ones."""

import json
import os
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from argocd_provenance.cli import options
from argocd_provenance.errors import OperatorError, UsageError

_FILE = click.Path(path_type=Path, dir_okay=False)
_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.group()
def command() -> None:
    """Show trusted roots, refresh them, and take over what `gh attestation trusted-root` prints."""


@command.command()
@options.config
def show(config: Path | None) -> None:
    """Show each trust domain: where its root is, how old it is, and what it proves."""
    from argocd_provenance.cli import operator
    from argocd_provenance.evidence import rootfacts

    path = operator.config_path(config, os.environ)
    named = config is not None or "ARGOCD_PROVENANCE_CONFIG" in os.environ
    ruled = operator.load(path, []) if named or path.exists() else operator.without_config([])
    now = datetime.now(UTC)
    places = operator.places_of_roots(ruled)
    for name, domain in operator.domains(ruled).items():
        found = rootfacts.facts(domain.root, now)
        click.echo(f"{name}: {places[name]}")
        if found.newest is not None:
            click.echo(f"  newest key in use since {found.newest:%Y-%m-%d}, {rootfacts.age(found.newest, now)} ago")
        if found.ends is not None:
            click.echo(f"  the next key ends on {found.ends:%Y-%m-%d}")
        click.echo(
            f"  certificate authorities: {found.authorities}, logs: {found.logs}, CT logs: {found.ct_logs}, "
            f"timestamp authorities: {found.timestamp_authorities}"
        )
        click.echo(f"  requires {', '.join(sorted(domain.requires))}; sha256:{found.fingerprint}")


@command.command()
@click.option("--into", type=_FOLDER, default=Path("trust"), show_default=True, help="The folder that holds the roots.")
@click.option("--url", metavar="URL", help="The TUF repository of another Sigstore instance; needs --root and --name.")
@click.option("--root", type=_FILE, metavar="FILE", help="Its first TUF root, which you trust (root.json).")
@click.option("--name", metavar="NAME", help="The name of the file that is written, without .json.")
def update(into: Path, url: str | None, root: Path | None, name: str | None) -> None:
    """Fetch the newest trusted root through The Update Framework.

    What is written was signed for, is not older than what was there, and can be read; otherwise the last good root stays.
    """
    from argocd_provenance.evidence import refresh
    from argocd_provenance.evidence.trust import PUBLIC_GOOD, offered, trust_domain

    if (url is None) != (root is None) or (url is None) != (name is None):
        raise UsageError("--url, --root and --name go together; without them the public-good root is refreshed")
    called = name or PUBLIC_GOOD
    if os.path.basename(called) != called or called.startswith("."):  # noqa: PTH119 - a text, no path yet
        raise UsageError(f"--name: {called!r} is no name of a file")
    file = into / f"{called}.json"
    bootstrap = refresh.shipped_bootstrap() if root is None else _read(root)
    try:
        raw = refresh.fetch(url or refresh.PUBLIC_GOOD_URL, bootstrap, into / "tuf" / called)
        trust_domain(called, raw, offered(raw))
    except OperatorError as error:
        if isinstance(error, UsageError):
            raise
        raise refresh.RefreshError(f"{error}. {_kept(file)}") from error
    except refresh.RefreshError as error:
        raise refresh.RefreshError(f"{error}. {_kept(file)}") from error
    before = file.read_bytes() if file.exists() else None
    if raw != before:
        _write(file, raw)
    click.echo(f"{file}: {'is the newest already' if raw == before else 'written'}")
    if before is None:
        field = f"publicGood: {file}" if root is None else f"trust: [{{name: {called}, trustedRoot: {file}}}]"
        click.echo(f"Name it in the config:\n{field}")


@command.command("import")
@click.argument("file", type=_FILE)
@click.option(
    "--into", type=_FOLDER, default=Path("trust"), show_default=True, help="The folder to write the roots to."
)
def import_(file: Path, into: Path) -> None:
    """Split FILE into trusted roots, one file each, and print the config's lines for them.

    FILE is what `gh attestation trusted-root` prints, a trusted root on each line; or one TrustedRoot.
    """
    from argocd_provenance.evidence.rootfacts import instance
    from argocd_provenance.evidence.trust import offered, trust_domain

    written: list[tuple[str, Path, list[str]]] = []
    contents: list[bytes] = []
    roots = list(_roots(_read(file)))
    for number, raw in enumerate(roots, 1):
        try:
            name = instance(raw) or f"imported-{number}"
            trust_domain(name, raw, offered(raw))
        except OperatorError as error:
            raise OperatorError(f"{file}: root {number} of {len(roots)}: {error}") from error
        if any(name == known for known, _, _ in written):
            name = f"{name}-{number}"
        requires = offered(raw)
        written.append((name, into / f"{name}.json", sorted(requires)))
        contents.append(raw)
    for (_, path, _), raw in zip(written, contents, strict=True):
        _write(path, raw)
    click.echo("\n".join(f"{path}: written" for _, path, _ in written))
    others = [one for one in written if one[0] != "public-good"]
    click.echo("Name them in the config:")
    for name, path, _ in written:
        if name == "public-good":
            click.echo(f"publicGood: {path}")
    if others:
        click.echo("trust:")
    for name, path, proves in others:
        click.echo(f"  - {{name: {name}, trustedRoot: {path}, requires: [{', '.join(proves)}]}}")


def _roots(content: bytes) -> Iterator[bytes]:
    """The roots in a file: one JSON document, or one a line."""
    try:
        json.loads(content)
        found = [content.strip()]
    except ValueError:
        found = [line.strip() for line in content.splitlines() if line.strip()]
    if not found:
        raise UsageError("the file holds no trusted root")
    yield from (raw + b"\n" for raw in found)


def _kept(file: Path) -> str:
    if not file.exists():
        return "Nothing was written"
    day = datetime.fromtimestamp(file.stat().st_mtime, UTC)
    return f"The last good root stays: {file}, of {day:%Y-%m-%d}"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error


def _write(file: Path, content: bytes) -> None:
    """Whole, or not at all."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.", delete=False) as made:
            made.write(content)
            made.flush()
            os.fsync(made.fileno())
        Path(made.name).chmod(0o644)
        Path(made.name).replace(file)
    except OSError as error:
        raise OperatorError(f"{file}: cannot be written: {error.strerror}") from error
