"""Simulated meters on real Modbus/TCP."""
