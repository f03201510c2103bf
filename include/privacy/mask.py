"""How personal data is shown: enough to recognise one's own row, too little to reach the person."""

import re

_LANDLINE = re.compile(r"\(?(0(?:2|[3-8]\d))\)?[-. ]?(\d{3,4})[-. ]?\d\d(\d\d)")
_MOBILE = re.compile(r"(01[016789])[-. ]?(\d{3,4})[-. ]?(\d{4})")


def mask_phone(number: str) -> str:
    """``01012345678`` → ``010-****-5678``; a landline ``021234567`` → ``02-***-**67``; else as :func:`mask_text`."""
    if found := _MOBILE.fullmatch(number.strip()):
        return f"{found[1]}-****-{found[3]}"
    if found := _LANDLINE.fullmatch(number.strip()):
        return f"{found[1]}-{'*' * len(found[2])}-**{found[3]}"
    return mask_text(number)


def mask_text(value: str) -> str:
    """Keep the first and the last character of at most 20, star the middle: ``홍길동`` → ``홍*동``.

    A value of one or two characters is starred but for its first. Digits are starred wherever they stand, so that no
    number that failed to parse can be read back.
    """
    text = value.strip()[:20]
    if not text:
        return ""
    starred = text[0] + "*" * max(len(text) - 2, 1) + (text[-1] if len(text) > 2 else "")
    return re.sub(r"\d", "*", starred)
