"""What can be said of a campaign's files before it runs: their headers against the definition. No row is judged."""

from dataclasses import dataclass
from pathlib import Path

from include.audience.columns import resolve_columns
from include.audience.reader import open_table
from include.campaigns.customer_files import own_file
from include.campaigns.spec import CampaignSpec
from include.errors import Refused
from include.messages.plan import MessagePlan


@dataclass(frozen=True)
class FileCheck:
    """What was found, each a sentence that begins with the field.

    :param problems: with these every run would be refused.
    :param remarks: what may be as it should be: a file can still come.
    """

    problems: tuple[str, ...]
    remarks: tuple[str, ...]


def check_files(spec: CampaignSpec) -> FileCheck:
    """Look at the customer file and the test file of ``spec``, as far as they are there."""
    problems, remarks = [], []
    for field, name in (("audience.file", spec.audience.file), ("audience.test_file", spec.audience.test_file)):
        if name is None:
            remarks.append(f"{field}: there is none, so a test send is refused")
            continue
        try:
            path = own_file(spec.tenant, Path(name))
            if path.exists():
                _check(spec, path)
            else:
                remarks.append(f"{field}: {path.name} is not there yet; a run looks for it in {path.parent}")
        except Refused as refusal:
            problems.append(f"{field}: {refusal}")
    return FileCheck(tuple(problems), tuple(remarks))


def _check(spec: CampaignSpec, path: Path) -> None:
    """
    :raises Refused: the file cannot be read, or the definition asks for a column that it does not have.
    """
    audience, message = spec.audience, spec.message
    table = open_table(path, encoding=audience.encoding, delimiter=audience.delimiter, sheet=audience.sheet)
    columns = resolve_columns(table.header, audience.columns)
    for watched in audience.gate.max_null_share:
        columns.index(watched)
    MessagePlan(message.text, message.subject, message.allow_lms, columns.variables)
