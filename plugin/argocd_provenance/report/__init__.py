"""Verdicts for people and programs. One law: every output renders the same `Report`, in the same order every time."""
