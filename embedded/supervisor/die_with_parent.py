"""Run a command that dies with its parent: `python -I -S die_with_parent.py PARENT_PID COMMAND ...`.

Linux kills the command (prctl PR_SET_PDEATHSIG) when the process that started it has ended in any way; on other systems
the command just runs. It is a program of its own, standard library only, because the setting must be made in the child
between fork and exec, where the supervisor with its threads must run no Python.
"""

import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with_parent(parent_pid: int) -> None:
    """Ask the kernel for SIGKILL when the parent ends; a parent that ended before the request counts too."""
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:
        os._exit(1)


def main() -> None:
    """Bind this process to its parent, then become the command."""
    parent_pid, command = int(sys.argv[1]), sys.argv[2:]
    die_with_parent(parent_pid)
    os.execv(command[0], command)  # noqa: S606 - the command is the supervisor's own


if __name__ == "__main__":
    main()
