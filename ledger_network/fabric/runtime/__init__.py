"""The processes of a native network: started, watched, polled for readiness.

Begin with `supervisor.py`. What a network is told to do is in `operations/`.
"""
