"""Numbers of files and bytes in words."""

from __future__ import annotations

_PREFIXES = ("kB", "MB", "GB", "TB", "PB")


def size_text(size: int) -> str:
    """Write a number of bytes in decimal units with three digits: `83.9 MB`."""
    if size < 1000:
        return f"{size} B"
    amount = float(size)
    for prefix in _PREFIXES:
        amount /= 1000
        if amount < 999.5 or prefix == _PREFIXES[-1]:
            break
    digits = max(0, 3 - len(str(int(amount))))
    return f"{amount:.{digits}f} {prefix}"


def files_text(count: int) -> str:
    """Write a number of files: `1 file`, `1,234 files`."""
    return f"{count:,} file{'' if count == 1 else 's'}"
