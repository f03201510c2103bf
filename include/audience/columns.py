"""Which column of a customer file is which variable of the campaign."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from include.audience.header import folded, listed, shown
from include.errors import Refused

PHONE = "phone"


@dataclass(frozen=True)
class ColumnPlan:
    """The file's columns under the names that templates use, in the file's order.

    :ivar header: the names in the file.
    :ivar variables: for each column its variable: the mapped name, else the name in the file.
    """

    header: tuple[str, ...]
    variables: tuple[str, ...]

    def index(self, variable: str) -> int:
        """The place of ``variable`` in a row.

        :raises Refused: when no column has it.
        """
        try:
            return self.variables.index(folded(variable))
        except ValueError:
            raise Refused(
                f"No column is the {variable}. The file has: {listed(self.header)}. "
                f"Say which one in the campaign, for example columns: {{{variable}: {shown(self.header[0])}}}"
            ) from None

    @property
    def phone(self) -> int:
        """The place of the phone number in a row."""
        return self.index(PHONE)


def resolve_columns(header: Sequence[str], mapping: Mapping[str, str]) -> ColumnPlan:
    """Give the columns their variables; columns that are not mapped keep their name.

    :param mapping: variable → name in the file.
    :raises Refused: when a mapped column is missing, or two columns or variables would share a name.
    """
    variables = list(header)
    mapped: dict[str, str] = {}
    for variable, wanted in mapping.items():
        name = folded(wanted)
        if name not in header:
            raise Refused(_missing(variable, name, header))
        if name in mapped:
            raise Refused(f"Column {name} is mapped to both {mapped[name]} and {variable}. Keep one of the two")
        mapped[name] = variable
        variables[header.index(name)] = folded(variable)
    for place, variable in enumerate(variables):
        first = variables.index(variable)
        if first != place:
            raise Refused(
                f"Columns {shown(header[first])} and {shown(header[place])} would both be the variable "
                f"{shown(variable)}. Rename the column in the file, or map it to another variable"
            )
    return ColumnPlan(tuple(header), tuple(variables))


def _missing(variable: str, name: str, header: Sequence[str]) -> str:
    there = {column.casefold().replace(" ", ""): column for column in header}
    close = difflib.get_close_matches(name.casefold().replace(" ", ""), there, n=1, cutoff=0.5)
    hint = f" Did you mean {shown(there[close[0]])}?" if close else ""
    return f"The file has no column {name} (mapped to {variable}).{hint} It has: {listed(header)}"
