"""How much of what others wrote is looked at; all of it checked before the thing limited is parsed."""

MAX_CONTENT = 16 * 1024 * 1024
"""One bundle, envelope or payload. SBOM attestations of large images come near a quarter of it."""
MAX_ANNOTATION = 256 * 1024
"""One annotation of a layer: a certificate chain or a log entry with a copy of a signature."""
MAX_TIMESTAMPS = 32
"""sigstore-go and sigstore-python stop at the same number."""
MAX_SUBJECTS = 1024
MAX_HASHES = 64
"""A proof is as long as the tree is high; no log has 2**64 entries."""
MAX_IDENTITY = 1024
"""Identities are matched against patterns, so their length is bounded first."""
MAX_CERTIFICATE = 64 * 1024
LATEST = 253_402_300_799
"""9999-12-31T23:59:59Z: what a datetime can hold."""
