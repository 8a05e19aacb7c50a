"""A whole world on loopback: a virtual Sigstore that signs, a registry that stores, a story that shows the product.

One law: nothing here is ever trusted outside this process; its keys live as long as the process does. Tests use the
same Sigstore and the same registry, so that what is shown is what is tested.
"""
