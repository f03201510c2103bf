"""The services a campaign needs, on this machine and from nothing: PostgreSQL, MariaDB, the carrier's agents
and Airflow.

A detached supervisor starts and watches them for as long as somebody needs them: a command holds a lock while
it works, ``bongsu up`` leaves a file behind. Everything they write lies in the state directory
(``BONGSU_HOME``), so that two installations, or the tests and a demo, run side by side.
"""
