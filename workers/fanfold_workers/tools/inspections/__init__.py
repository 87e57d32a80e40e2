"""Checks that need no model: each reads the files of a scope and returns findings with verbatim quotes."""
