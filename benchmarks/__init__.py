"""What ``make bench`` runs: each piece of work beside a limit or a peer, measured in the same run.

A row of the table is a function of a ``Bench``; :mod:`benchmarks.__main__` knows their order. ``campaign.py``
and ``limits.py`` hold what several rows share, ``report.py`` prints, stores and compares.
"""
