"""The commands under `commonwatt`: arguments, output and exit codes, one module or room each.

Begin with `commonwatt/cli.py`, which lists the commands. Other packages do the work.
"""
