"""A whole Sigstore in one process: certificate authority, CT log, transparency logs, timestamp authority, signers.

The law: for demonstrations and tests only; its keys live as long as the process. It emits the wire forms of cosign 2 and 3,
actions/attest and slsa-github-generator byte for byte, so that real verifiers accept them::

    sigstore = VirtualSigstore(now)
    signer = sigstore.issue("https://github.com/acme/app/.github/workflows/release.yml@refs/heads/main")
    layer = sigstore.sign_layer("sha256:…", signer)                         # cosign 2: one layer of sha256-….sig
    bundle = encode(sigstore.bundle(signer, statement("sha256:…", SLSA)))   # cosign 3, actions/attest
    root = encode(sigstore.trusted_root())                                  # for `trust:` of the config
"""

from argocd_provenance.demo.sigstore.authority import CertificateAuthority
from argocd_provenance.demo.sigstore.content import Layer, simple_signing, statement
from argocd_provenance.demo.sigstore.ctlog import CTLog
from argocd_provenance.demo.sigstore.rekor import Rekor
from argocd_provenance.demo.sigstore.signer import Signer
from argocd_provenance.demo.sigstore.timestamp import TimestampAuthority
from argocd_provenance.demo.sigstore.virtual import GITHUB, VirtualSigstore
from argocd_provenance.demo.sigstore.wire import encode

__all__ = [
    "GITHUB",
    "CTLog",
    "CertificateAuthority",
    "Layer",
    "Rekor",
    "Signer",
    "TimestampAuthority",
    "VirtualSigstore",
    "encode",
    "simple_signing",
    "statement",
]
