"""One file an external system: how Airflow's connections become ours.

Registered as an Airflow provider (:mod:`hooks.provider`), so that the connection types are in Airflow's UI.
A database's driver is imported with the first connection: the UI and the parsing of DAGs load hooks that never connect.
"""
