"""The data folder and what every other room needs of it: places of files, writes, keys, faults.

Begin with `data_folder.py`. What lies in the files is in `log/` and `state/`.
"""
