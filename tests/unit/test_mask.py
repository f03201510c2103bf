"""What is shown of a number: enough to recognise one's own row, too little to call."""

import pytest

from include.privacy.mask import mask_phone


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("01012345678", "010-****-5678"),
        ("010-1234-5678", "010-****-5678"),
        ("02-123-4534", "02-***-**34"),
        ("(02) 1234-5634", "02-****-**34"),
        ("0311234534", "031-***-**34"),
        ("070-1234-5634", "070-****-**34"),
        ("02-123-45345", "************"),
        ("1588-1234", "*********"),
        ("홍길동", "홍*동"),
    ],
)
def test_a_number_is_recognised_and_cannot_be_called(number: str, shown: str) -> None:
    assert mask_phone(number) == shown
