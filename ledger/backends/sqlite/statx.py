"""What a file is, asked without its times.

Linux keeps the times of a file fine only where somebody looks at them: who asks with `stat` makes
the next write change them, and the next flush write them too. Asked behind every commit of the
-wal file, an append of 240 µs took 80 µs longer (multigrain timestamps, in Linux since 6.13:
https://docs.kernel.org/filesystems/multigrain-ts.html). statx(2) names what it wants.
"""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Callable

from ...processes import file_identity

_AT_FDCWD, _STATX_INO = -100, 0x100
#: Of `struct statx`, which has 256 bytes: the inode and, behind the times, the device's two numbers.
_INODE_AND_DEVICE = struct.Struct("=32xQ96xLL")
_STATX_BYTES = 256


def _find() -> Callable[[bytes], bytes | None]:
    """Return what asks for the inode and the device of a name, and answers None if it cannot."""
    if sys.platform != "linux":
        return _cannot
    # A Python may lack ctypes, and one that is linked statically has nothing to look into.
    try:
        import ctypes

        statx = ctypes.CDLL(None).statx  # glibc 2.28, musl 1.2.5
    except (ImportError, OSError, AttributeError):
        return _cannot
    statx.argtypes = (
        *(ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_uint, ctypes.c_char_p),
    )

    def ask(file: bytes) -> bytes | None:
        answer = ctypes.create_string_buffer(_STATX_BYTES)
        return None if statx(_AT_FDCWD, file, 0, _STATX_INO, answer) else answer.raw

    return ask


def _cannot(file: bytes) -> None:
    return None


_ask = _find()


def identity(file: str) -> tuple[int, int]:
    """Return device and inode, as `file_identity` does; OSError if nothing has the name."""
    answer = _ask(os.fsencode(file))
    if answer is None:
        return file_identity(file)  # says what is wrong, or answers where statx is forbidden
    inode, major, minor = _INODE_AND_DEVICE.unpack_from(answer)
    return os.makedev(major, minor), inode
