"""Names that are nearly those of settings: mistyped, or written in another way."""

from collections.abc import Collection

_LONGEST = 64  # of the names that are compared


def meant(name: str, known: Collection[str]) -> str | None:
    """The known name that `name` was probably meant to be; None when it is near to none of them."""
    if len(name) > _LONGEST:
        return None
    written = name.upper().replace("-", "_").replace(".", "_")
    joined = [one for one in known if one.replace("_", "") == written.replace("_", "")]
    if joined:
        return joined[0]
    found = min(known, key=lambda one: _mistakes(written, one))
    return found if _mistakes(written, found) <= max(1, len(found) // 5) else None


def _mistakes(written: str, name: str) -> int:
    """How many letters are wrong, missing, too many, or exchanged with the next one.

    This is the restricted Damerau-Levenshtein distance.
    """
    before: list[int] = []
    last = list(range(len(name) + 1))
    for row, letter in enumerate(written, 1):
        this = [row]
        for column, wanted in enumerate(name, 1):
            cost = min(
                last[column] + 1, this[column - 1] + 1, last[column - 1] + (letter != wanted)
            )
            exchanged = (
                row > 1 and column > 1 and written[row - 2 : row] == wanted + name[column - 2]
            )
            this.append(min(cost, before[column - 2] + 1) if exchanged else cost)
        before, last = last, this
    return last[-1]
