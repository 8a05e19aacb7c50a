"""What one run remembers for the next: answers of registries, and what cryptography has proved.

One law: a memory can make a run faster, never kinder. Every entry is sealed under a key that does not lie in the cache,
for the one question it answers and the time at which it was learned; what has no valid seal is not there. A verdict is
never kept, and whatever goes wrong with a cache makes the run ask anew.
"""
