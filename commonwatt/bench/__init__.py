"""The numbers that the project promises, measured on this machine in this run."""
