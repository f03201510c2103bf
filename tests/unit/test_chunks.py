"""How large a chunk is."""

import pytest

from include.delivery.chunks import chunk_size


@pytest.mark.parametrize(
    ("recipients", "lines", "wanted", "size"),
    [
        (0, 1, None, 10_000),
        (10, 3, None, 10_000),
        (240_000, 3, None, 10_000),
        (920_000, 3, None, 38_334),
        (920_000, 20, None, 23_000),
        (5_000_000, 3, None, 50_000),
        (60_000_000, 3, None, 60_000),
        (920_000, 3, 10_000, 10_000),
        (920_000, 3, 100, 920),
    ],
)
def test_size(recipients: int, lines: int, wanted: int | None, size: int) -> None:
    assert chunk_size(recipients, lines, wanted) == size
    assert recipients / size <= 1_000
