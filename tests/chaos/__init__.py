"""The crash matrix and the storms: whatever dies, whenever it dies, nothing is lost and nothing is doubled.

`flows.py` is the list of what is tried; `points.py` finds by itself where each of them can be killed.
"""
