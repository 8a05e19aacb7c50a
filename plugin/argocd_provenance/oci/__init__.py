"""What a registry holds: references and digests, manifests and blobs, and what hangs on a digest.

One law: nothing that a registry sent is believed before its digest was computed, and nothing is asked of a host that
the operator did not permit.
"""
