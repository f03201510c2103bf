"""One file a pipeline stage.

An operator reads its arguments, calls include/ with the connections that hooks give it, logs, and returns counts. No
recipient ever passes through XCom: stages hand on run and chunk numbers.

Airflow loads all of these files to build a DAG, also when it only runs one task of it. So a file imports at load what
building needs, and what its stage does when the stage works: a task pays for its own stage alone.
"""
