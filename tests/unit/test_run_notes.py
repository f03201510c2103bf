"""The note of a run shows what it quotes as text."""

import pytest

from operators.run_notes import as_it_is


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        ("Nothing is sent. 40 of 100 rows (40 %) are valid.", "Nothing is sent. 40 of 100 rows (40 %) are valid."),
        ("It has: ![x](http://a.example/p.png)", r"It has: \!\[x\](http://a.example/p.png)"),
        ("Stopped: <img src=x>\n\n# all is well", r"Stopped: \<img src=x\> \# all is well"),
        ("a `b` *c* ~~d~~ e|f &lt; \\", r"a \`b\` \*c\* \~\~d\~\~ e\|f \&lt; \\"),
    ],
)
def test_a_header_or_a_reason_in_a_runs_note_can_be_no_picture_and_no_markup(sentence: str, shown: str) -> None:
    assert as_it_is(sentence) == shown
