"""A trusted root fetched anew, through The Update Framework: signed, not older than what was seen, not expired.

One law: nothing is believed but by the root of trust that is here already; what fails leaves everything as it was.

Source: TUF specification 1.0, section 5 (the client workflow, which python-tuf is); sigstore's root-signing repository.
"""

import importlib.util
import tempfile
from pathlib import Path
from urllib.parse import quote, urlsplit

from argocd_provenance.errors import Error, UsageError

PUBLIC_GOOD_URL = "https://tuf-repo-cdn.sigstore.dev"
TARGET = "trusted_root.json"
_TARGET_LENGTH = 1024 * 1024


class RefreshError(Error):
    """No newer root was had; the one that is in use stays."""

    code = "trust-update"


def shipped_bootstrap() -> bytes:
    """The TUF root of the public-good instance, as the sigstore package ships it."""
    spec = importlib.util.find_spec("sigstore")
    if spec is None or not spec.submodule_search_locations:
        raise RefreshError("the sigstore package is not installed")
    folder = Path(next(iter(spec.submodule_search_locations)), "_store", quote(PUBLIC_GOOD_URL, safe=""))
    return (folder / "root.json").read_bytes()


def fetch(url: str, bootstrap: bytes, state: Path, target: str = TARGET) -> bytes:
    """The `target` of the TUF repository at `url`, verified from `bootstrap` on.

    `state` keeps the metadata, so that a later run takes nothing older. Raises `RefreshError`, and `UsageError` where
    `bootstrap` is no TUF root.
    """
    # It brings an HTTP client of its own, which nothing else needs.
    from tuf.api.exceptions import DownloadError, ExpiredMetadataError, RepositoryError  # noqa: PLC0415
    from tuf.api.metadata import Metadata  # noqa: PLC0415
    from tuf.api.serialization import DeserializationError  # noqa: PLC0415
    from tuf.ngclient.config import UpdaterConfig  # noqa: PLC0415
    from tuf.ngclient.updater import Updater  # noqa: PLC0415

    where = url.rstrip("/")
    if urlsplit(where).scheme not in ("http", "https") or not urlsplit(where).hostname:
        raise UsageError(f"--url: {url!r} is no http or https URL")
    try:
        role = Metadata.from_bytes(bootstrap).signed.type
    except DeserializationError:
        role = "nothing"
    if role != "root":
        raise UsageError("--root is no TUF root (root.json, as the repository's owner gives it out)")
    try:
        state.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            updater = Updater(
                metadata_dir=str(state),
                metadata_base_url=where,
                target_base_url=f"{where}/targets/",
                target_dir=folder,
                config=UpdaterConfig(app_user_agent="argocd-provenance"),
                bootstrap=bootstrap,
            )
            updater.refresh()
            found = updater.get_targetinfo(target)
            if found is None:
                raise RefreshError(f"{where} has no target {target}")
            if found.length > _TARGET_LENGTH:
                raise RefreshError(f"{where}: {target} has {found.length} bytes; no trusted root is so large")
            return Path(updater.download_target(found)).read_bytes()
    except ExpiredMetadataError as error:
        raise RefreshError(f"{where}: its metadata has expired ({error}): it is out of date, or withheld") from error
    except DownloadError as error:
        raise RefreshError(f"{where} could not be asked: {_reason(error)}") from error
    except (RepositoryError, ValueError) as error:
        raise RefreshError(f"{where}: what it sends is not signed as it must be: {error}") from error
    except OSError as error:
        raise RefreshError(f"{state}: {error.strerror or error}") from error


def _reason(error: BaseException) -> str:
    """What the innermost exception says; python-tuf's own often says nothing."""
    seen: BaseException | None = error
    found = ""
    while seen is not None:
        found = str(seen) or found
        seen = seen.__cause__ or seen.__context__
    return found[:300] or "no answer"
