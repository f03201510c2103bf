"""What became of a run: its books, its certificate, its report tables, and the report people read.

Owns the equations that every run's numbers must satisfy. Counts in SQL, in one scan of the run's messages.
"""
