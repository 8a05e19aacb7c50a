"""What the operator demands, and whether evidence meets it. Pure: values in, a decision out.

The law: what is not shown to meet a demand does not meet it, so that less evidence never helps.

`load` reads files into `model`; `select` says which policies cover an image; `judge` decides.
"""
