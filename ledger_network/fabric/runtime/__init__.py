"""The processes of a native network: starting, watching and polling them for readiness.

Begin with `supervisor.py`. The commands for a whole network are in `operations/`.
"""
