"""What is attached to an image, and what of it is proved.

Law: an `Evidence` exists only where a signature was checked against a trust anchor, and `verify` alone makes one.

The way of the bytes::

    candidate.py    parse: layer or bundle → Candidate, all of it unproved     (cosign_layer.py, bundle.py, envelope.py)
    verify.py       Candidate + trust anchor + artifact → Evidence | Rejected
      trust.py        trust domains: the operator's trusted roots
      bridge.py       the only file that imports sigstore: times, chain, SCT, log entry
      certificate.py  who a certificate names
      keys.py         public keys, and one signature over one message
      log_entry.py    does the log entry speak of this very signature?
      statement.py    does what was signed speak of this very artifact?
    values.py       Evidence, Rejected, anchors: what leaves this package
"""
