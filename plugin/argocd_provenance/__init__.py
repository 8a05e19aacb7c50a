"""argocd-provenance: it asks whether this is the image that our pipeline built.

The flow is the floor plan, one folder a stage, in the order in which an image travels::

    source -render-> text -documents-> image fields -oci-> digests and what hangs on them
                                                                  | evidence (cryptography)
    stdout <-documents- digests and annotations <-policy- verdicts <-'
    stderr <-report

`pipeline` is the whole run on one screen, `cli` puts the edges together.
"""

__version__ = "0.1.0"
