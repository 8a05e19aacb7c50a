"""What GitHub's certificates say: fields are compared, free text is not split."""

import pytest

from argocd_provenance.policy.github import Workflow, server, workflow_in

REPOSITORY = "https://github.com/acme/shop"
SHA = "9e" * 20


class TestWorkflow:
    @pytest.mark.parametrize(
        ("uri", "found"),
        [
            (
                f"{REPOSITORY}/.github/workflows/a.yml@refs/heads/main",
                Workflow(".github/workflows/a.yml", "refs/heads/main"),
            ),
            (f"{REPOSITORY}/.github/workflows/a.yml@{SHA}", Workflow(".github/workflows/a.yml", SHA)),
            (f"{REPOSITORY}/a.yml@refs/heads/a@b", Workflow("a.yml", "refs/heads/a@b")),
            (f"{REPOSITORY}/a.yml@b.yml@refs/heads/main", None),
            (f"{REPOSITORY}/a.yml@main", None),
            (f"{REPOSITORY}/a.yml@refs/heads/main\n", None),
            (f"{REPOSITORY}/a.yml", None),
            (f"{REPOSITORY}/@refs/heads/main", None),
            (f"{REPOSITORY}-evil/a.yml@refs/heads/main", None),
            ("https://github.com/acme/\u017fhop/a.yml@refs/heads/main", None),
        ],
    )
    def test_a_workflow_is_a_path_at_a_ref_in_that_repository(self, uri: str, found: Workflow | None) -> None:
        """A file name with an @ is no workflow, rather than another one."""
        assert workflow_in(REPOSITORY, uri) == found

    @pytest.mark.parametrize(
        ("issuer", "url"),
        [
            ("https://token.actions.githubusercontent.com", "https://github.com"),
            ("https://token.actions.githubusercontent.com/acme", "https://github.com"),
            ("https://token.actions.acme.ghe.com", "https://acme.ghe.com"),
            ("https://git.corp.example/_services/token", "https://git.corp.example"),
            ("https://token.actions.githubusercontent.com.evil", None),
            ("https://gitlab.com", None),
        ],
    )
    def test_an_issuer_speaks_for_its_own_server(self, issuer: str, url: str | None) -> None:
        """GitHub, its enterprises, its tenants and its server product."""
        assert server(issuer) == url
