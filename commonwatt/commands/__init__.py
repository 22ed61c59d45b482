"""The commands under `commonwatt`: arguments, output, exit codes; one module or package each.

Begin with `commonwatt/cli.py`, which lists the commands. Other packages do the work.
"""
