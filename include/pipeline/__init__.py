"""What is done for a run as a whole, as functions that the command line and the operators call.

Owns no tables and no rules: it puts the steps of the rooms below in order.
"""
