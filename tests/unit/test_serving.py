"""The resident process, piece by piece."""

import os
from pathlib import Path

import pytest

from argocd_provenance.cli import serving
from argocd_provenance.errors import OperatorError


class TestServing:
    def test_a_folder_that_others_may_write_is_no_place_for_the_socket(self, tmp_path: Path) -> None:
        """They could put their own socket there, and answer in our name."""
        tmp_path.chmod(0o777)

        with pytest.raises(OperatorError, match="others may write"), serving._alone(tmp_path / "socket"):
            pass

    def test_a_run_has_the_clients_environment_and_nothing_of_ours(self, tmp_path: Path) -> None:
        """What the client did not send is not there, and its folder is the working folder."""
        child = os.fork()
        if not child:
            os.environ["STRAY"] = "ours"
            nothing, folder = os.open(os.devnull, os.O_RDWR), os.open(tmp_path, os.O_PATH)
            streams = [os.dup(nothing) for _ in range(3)]
            code = serving._run([b"22", b"1", b"--help", b"SENT=1"], [0, 1, 2], [folder, *streams])
            os._exit(code if dict(os.environ) == {"SENT": "1"} and Path.cwd() == tmp_path.resolve() else 9)

        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
