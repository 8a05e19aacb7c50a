"""Handing a run to a resident process that has imported everything already; `cli.serving` is the other end.

One law: it changes who does the work, never what is done. Each request is a fork of its own, with the client's own
arguments, environment, folder and streams; where anything is amiss before the streams are handed over, the client does
the work itself. Nothing but the standard library's cheapest parts is imported here.
"""
