"""The commands under `commonwatt`: arguments, output and exit codes, one module each.

Begin with `commonwatt/cli.py`, which lists them. The work is done elsewhere.
"""
