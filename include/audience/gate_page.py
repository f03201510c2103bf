"""The gate's result as a Data Docs page: one file that needs nothing else, neither a network nor other files."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 0; color: #1f2933; background: #fff; }
.container-fluid { max-width: 70rem; margin: 0 auto; padding: 1.5rem; }
h1, h2, h3, h4, h5, .h4 { font-size: 1.15rem; margin: 1.2rem 0 .5rem; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1.2rem; }
th, td { border: 1px solid #d5dbe1; padding: .4rem .6rem; text-align: left; vertical-align: top; }
ul { padding-left: 1.1rem; } ol { list-style: none; padding: .75rem 1.5rem; margin: 0; }
.text-success { color: #17803d; font-weight: 600; } .text-danger, .failed { color: #b42318; font-weight: 600; }
.fa-check-circle::before { content: "✓"; font-style: normal; } .fa-times::before { content: "✗"; font-style: normal; }
.badge { background: #eef2f6; border-radius: .25rem; padding: .1rem .4rem; }
.navbar, .modal, .col-lg-2 { display: none; }
@media (prefers-color-scheme: dark) { body { color: #e4e7eb; background: #14181d; } th, td { border-color: #3a434d; }
  .badge { background: #2b333c; } .text-success { color: #4ade80; } .text-danger, .failed { color: #f97066; } }
"""
_FOREIGN = re.compile(
    r"<script\b.*?</script>|<link\b[^>]*>|<img\b[^>]*>|<footer\b.*?</footer>", re.DOTALL | re.IGNORECASE
)


def write_page(result: "ExpectationSuiteValidationResult", folder: Path, title: str) -> Path:
    """Write ``index.html`` into ``folder`` and return its path; a repeated gate replaces it.

    The library's own page loads its styles and scripts from a dozen hosts, which a page about customers must not: they
    are taken out, and a short style of ours stands in.
    """
    from great_expectations.render.renderer import ValidationResultsPageRenderer
    from great_expectations.render.view import DefaultJinjaPageView

    document = ValidationResultsPageRenderer(run_info_at_end=True).render(result)
    page = DefaultJinjaPageView().render(document, show_how_to_buttons=False)
    page = _FOREIGN.sub("", page)
    page = re.sub(r"<title>.*?</title>", "", page, flags=re.DOTALL)
    page = re.sub(r'<a href="\.\./[^"]*"\s*>(.*?)</a>', r"\1", page, flags=re.DOTALL)  # pages that are not kept
    head = f"<title>{_escaped(title)}</title><style>{STYLE}</style></head>"
    page = page.replace("</head>", head, 1)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "index.html"
    draft = folder / ".index.html"
    draft.write_text(page, encoding="utf-8")
    draft.replace(path)
    return path


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
