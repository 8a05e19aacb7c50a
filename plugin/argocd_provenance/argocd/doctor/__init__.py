"""Whether an installation does what its operator thinks: in the sidecar, and in the cluster.

The law: looking changes nothing and shows no secret. Objects and files come in, findings go out; each has a code of the
closed list in `complaint` and a fix.
"""
