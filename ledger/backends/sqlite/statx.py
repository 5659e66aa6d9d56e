"""What a file is, asked without its times.

Linux keeps the times of a file fine only where somebody looks at them: who asks with `stat` makes
the next write change them, and the next flush write them too. Asked behind every commit of the
-wal file, an append of 240 µs took 80 µs longer (multigrain timestamps, in Linux since 6.13:
https://docs.kernel.org/filesystems/multigrain-ts.html). statx(2) names what it wants.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Callable

from ...processes import file_identity

_AT_FDCWD, _STATX_INO = -100, 0x100
#: Of `struct statx`, which has 256 bytes: the inode and, at its end, the device's two numbers.
_INODE_AND_DEVICE = struct.Struct("=32xQ96xLL")
_STATX_BYTES = 256


def _find() -> Callable[..., int] | None:
    if sys.platform == "linux":
        statx = getattr(ctypes.CDLL(None), "statx", None)  # glibc 2.28, musl 1.2.5
        if statx is not None:
            statx.argtypes = (
                *(ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_uint, ctypes.c_char_p),
            )
        return statx
    return None


_statx = _find()


def identity(file: str) -> tuple[int, int]:
    """Return device and inode, as `file_identity` does; OSError if nothing has the name."""
    answer = ctypes.create_string_buffer(_STATX_BYTES)
    if _statx is None or _statx(_AT_FDCWD, os.fsencode(file), 0, _STATX_INO, answer):
        return file_identity(file)  # says what is wrong, or answers where statx is forbidden
    inode, major, minor = _INODE_AND_DEVICE.unpack_from(answer)
    return os.makedev(major, minor), inode
