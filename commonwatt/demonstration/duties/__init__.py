"""What members of the market owe it, slot after slot: gates, seeds, runs, corrections.

Begin with `members.py`; `seeds.py` is their part in the draw, `corrections.py` what late readings ask for.
What households do lives above, in `bidding.py` and `meter_process.py`.
"""
