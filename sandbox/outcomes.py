"""What becomes of a message at the carrier: decided by a seed and the number alone, so a test can know beforehand."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate

DELIVERED = {"S": 6, "L": 1000, "M": 1000, "K": 1800}
"""The code of success, by message type. In a mix, 6 stands for all of them."""
DEFAULT_MIX: Mapping[int, float] = {6: 93, 7: 3, 8: 2, 16: 1.5, 99: 0.5}
SCALE = 10_000


@dataclass(frozen=True)
class Outcomes:
    """The share of each result code, in ten-thousandths laid end to end.

    :param seed: another seed gives other people the failures.
    :param steps: upper bound of each code's stretch; the last one is ``SCALE``.
    """

    seed: int
    steps: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, mix: Mapping[int, float], seed: int = 0) -> "Outcomes":
        """The outcomes of ``mix``: weights by result code, of any sum."""
        if not mix or min(mix.values()) < 0 or (total := sum(mix.values())) <= 0:
            raise ValueError("A mix needs weights above zero, such as 6=93,7=3,8=2.")
        bounds = [round(bound * SCALE / total) for bound in accumulate(mix.values())]
        return cls(seed, tuple(zip(bounds, mix, strict=True)))

    @staticmethod
    def weights(text: str) -> dict[int, float]:
        """A mix written ``6=93,7=3,8=2``."""
        try:
            pairs = [part.split("=") for part in text.split(",")]
            return {int(code): float(weight) for code, weight in pairs}
        except ValueError:
            raise ValueError(f"{text!r} is not a mix such as 6=93,7=3,8=2,16=1.5.") from None

    def code(self, number: str, kind: str = "S") -> int:
        """The result code of a message of type ``kind`` to ``number``."""
        place = zlib.crc32(f"{self.seed}:{number}".encode()) % SCALE
        code = next(code for bound, code in self.steps if place < bound)
        return DELIVERED.get(kind, 6) if code == 6 else code

    @property
    def sql(self) -> str:
        """The same as an SQL expression over a queue row, so that no row has to leave the server."""
        place = f"CRC32(CONCAT('{self.seed}:', dest_no)) % {SCALE}"
        success = " ".join(f"WHEN '{kind}' THEN {code}" for kind, code in DELIVERED.items())
        # Not CASE (x) WHEN: the bounds are ranges, and the checksum is cheap beside the row's own update.
        cases = " ".join(
            f"WHEN {place} < {bound} THEN {f'CASE msg_type {success} ELSE 6 END' if code == 6 else code}"
            for bound, code in self.steps
        )
        return f"CASE {cases} END"
