"""Becomes a child process: the last steps between fork and exec. Standard library only.

Run as a script: ``launch.py --parent PID --death-signal N [--uid U --gid G --groups A,B]
[--read-anywhere] -- COMMAND…``. It drops privileges, asks the kernel for a signal when the
supervisor dies, and executes COMMAND. It must not import anything of the project: it runs before
every child and costs 20 ms.
"""

import argparse
import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAP_DAC_READ_SEARCH = 2
_CAPABILITY_VERSION_3 = 0x20080522


def main(arguments: list[str]) -> None:
    """Execute the command in ``arguments``."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, required=True)
    parser.add_argument("--death-signal", type=int, required=True)
    parser.add_argument("--uid", type=int)
    parser.add_argument("--gid", type=int)
    parser.add_argument("--groups", default="")
    parser.add_argument("--read-anywhere", action="store_true")
    parser.add_argument("command", nargs="+")
    chosen = parser.parse_args(arguments)
    if chosen.uid is not None:
        groups = [int(group) for group in chosen.groups.split(",") if group]
        drop_privileges(chosen.uid, chosen.gid, groups, read_anywhere=chosen.read_anywhere)
    # After the change of account: the kernel forgets the signal when credentials change.
    _prctl(_PR_SET_PDEATHSIG, chosen.death_signal)
    if os.getppid() != chosen.parent:
        sys.exit(1)  # the supervisor died before the kernel knew that we care
    os.execv(chosen.command[0], chosen.command)  # noqa: S606  # the command is the supervisor's own


def drop_privileges(uid: int, gid: int, groups: list[int], *, read_anywhere: bool) -> None:
    """Become ``uid`` for good; ``read_anywhere`` keeps the one right to pass closed folders."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    if read_anywhere:
        _prctl(_PR_SET_KEEPCAPS, 1)
    os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    if read_anywhere:
        _keep_only(_CAP_DAC_READ_SEARCH)
        _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_READ_SEARCH)


def _keep_only(capability: int) -> None:
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
    bit = 1 << capability
    # Two halves (low, high) of effective, permitted, inheritable.
    sets = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
    if _libc().capset(header, sets) != 0:
        raise OSError(ctypes.get_errno(), "capset refused")


def _prctl(option: int, *values: int) -> None:
    padded = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    if _libc().prctl(option, *padded) != 0:
        raise OSError(ctypes.get_errno(), f"prctl {option} refused")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


if __name__ == "__main__":
    main(sys.argv[1:])
