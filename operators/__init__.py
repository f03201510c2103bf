"""One file a pipeline stage.

An operator reads its arguments, calls include/ with the connections that hooks give it, logs, and returns counts. No
recipient ever passes through XCom: stages hand on run and chunk numbers.
"""
