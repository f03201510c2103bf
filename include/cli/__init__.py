"""The command line, ``./bongsu``: for people at a terminal and for scripts that read its exit code.

Owns arguments, progress and wording. What a command does is done by the other packages; each is imported only
when its command runs, so that ``--help`` answers at once.
"""
