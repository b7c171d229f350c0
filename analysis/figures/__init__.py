"""Figures as plain dictionaries for Plotly, built from the curves that a run stored. Pure: no Django, no database.

Every figure carries a summary for people who do not see it, and its columns: the same numbers are drawn, tabulated, and
given as CSV. A module that builds figures of runs names them in BUILDERS and gives their numbers by `columns`.
"""
