"""What the operator demands, and whether evidence meets it. Pure: values in, a decision out.

`load` reads files into `model`; `select` says which policies cover an image; `judge` decides.
"""
