"""The processes of a native network: started, watched, polled for readiness.

Begin with `supervisor.py`. The commands for a whole network are in `operations/`.
"""
