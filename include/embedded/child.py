"""Turns itself into a program that ends when the process that started it ends, however that one ended.

Run as a script: ``child.py PARENT_PID SIGNAL USER COMMAND…``; an empty USER keeps the present one. The kernel
sends SIGNAL when the *thread* that started this goes. It forgets the wish when the user changes, so the user
comes first.
"""

import ctypes
import os
import pwd
import sys

PR_SET_PDEATHSIG = 1


def main(parent: str, death_signal: str, user: str, *command: str) -> None:
    """Take the user, ask for the signal, become the program."""
    if user:
        entry = pwd.getpwnam(user)
        os.initgroups(user, entry.pw_gid)
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
    if os.getppid() != int(parent):
        sys.exit("the process that asked for this is gone")
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
