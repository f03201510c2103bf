"""The product itself, in plain Python.

Nothing below this package imports Airflow: operators and plugins call it with the connections that hooks give them,
and the command line calls it directly.
"""
