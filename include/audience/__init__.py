"""The audience of a run: customer files, rows judged one by one, and the frozen list of recipients.

Owns reading CSV and XLSX, normalising phone numbers, and the names of every reason for which somebody does
not get a message.
"""
