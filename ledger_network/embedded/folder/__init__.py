"""The data folder and what all other rooms use: places of files, writes, keys, faults.

Begin with `data_folder.py`. What lies in the files is in `log/` and `state/`.
"""
