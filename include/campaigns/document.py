"""Reads a YAML file into plain values and remembers where each field stands.

Values are read as they look: ``0212345678``, ``10:30``, ``no`` and dates stay text, which older YAML would turn
into other things. A field that is there twice is a mistake. No file can hold up or end the process that reads it:
its size, its depth and the number of its values have limits, what an alias stands for counted in, and tags, which
choose how a value is read, are refused.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from include.campaigns.mistakes import cut, shown
from include.errors import SpecError, SpecProblem

Place = tuple[int, int]
FieldPath = tuple[int | str, ...]
ROOT_FIELD = "(file)"
# A definition has some two dozen fields, three deep.
MAX_BYTES = 100_000
MAX_DEPTH = 20
MAX_VALUES = 10_000
# A longer number stays text: making a number of thousands of digits takes long, or fails.
DIGITS = 18


@dataclass
class Document:
    """What a file says: its value, the place of each field, and what is wrong with how it is written."""

    value: Any
    places: dict[FieldPath, Place] = field(default_factory=dict)
    problems: list[SpecProblem] = field(default_factory=list)

    def nearest(self, path: FieldPath) -> Place:
        """Where the field stands; for one that is missing, where its parent does."""
        while path and path not in self.places:
            path = path[:-1]
        return self.places.get(path, (1, 1))


def read_document(path: Path) -> Document:
    """The document in the file.

    :raises SpecError: it cannot be read, is not one YAML document, or is beyond a limit.
    """
    text = _text(path)
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        reader = _Reader(loader)
        reader.document.value = reader.value(node, ()) if node is not None else None
    except _Beyond as error:
        raise SpecError(path.name, [error.problem]) from None
    except yaml.MarkedYAMLError as error:
        raise SpecError(path.name, [_not_yaml(error)]) from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a character or a number that Python does not have
        problem = f"this is not YAML ({cut(str(error).splitlines()[0])})"
        raise SpecError(path.name, [SpecProblem(ROOT_FIELD, problem, "Save it as plain text.")]) from None
    return reader.document


def dotted(path: FieldPath) -> str:
    """A field's path as messages show it."""
    steps = map(str, path)
    return ".".join(step if step.isprintable() else shown(step) for step in steps) or ROOT_FIELD


class _Beyond(Exception):
    """The document is beyond a limit, so reading it ends here."""

    def __init__(self, path: FieldPath, node: yaml.Node | yaml.Event, problem: str, fix: str) -> None:
        self.problem = SpecProblem(dotted(path), problem, fix, *_place(node))
        super().__init__(problem)


class _Loader(yaml.SafeLoader):
    """YAML with the few kinds of value that a definition needs."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event: yaml.Event = self.peek_event()  # type: ignore[no-untyped-call]
        if (tag := getattr(event, "tag", None)) is not None:  # an alias has none
            raise _Beyond((), event, f"{shown(tag)} is a YAML tag", "Remove it: a value is read as it looks.")
        self.depth += 1
        _check_depth(self.depth, (), event)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", rf"[-+]?(0|[1-9][0-9_]{{0,{DIGITS - 1}}})", "-+0123456789"),
    ("float", rf"[-+]?(0|[1-9][0-9_]{{0,{DIGITS - 1}}})\.[0-9]{{1,{DIGITS}}}", "-+0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^({_pattern})$"), list(_first))
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(~|null|Null|NULL|)$"), ["~", "n", "N", ""])


class _Reader:
    """Turns YAML nodes into values and remembers where each field stands."""

    def __init__(self, loader: _Loader) -> None:
        self.loader = loader
        self.document = Document(None)
        self.values = 0

    def value(self, node: yaml.Node, path: FieldPath, above: tuple[int, ...] = ()) -> Any:
        self.document.places.setdefault(path, _place(node))
        if id(node) in above:
            self._problem(path, node, "the value contains itself", "Write it out without the alias.")
            return None
        self.values += 1
        if self.values > MAX_VALUES:
            problem = f"the file has more than {MAX_VALUES:,} values, those that an alias stands for counted in"
            raise _Beyond(path, node, problem, "Write a shorter one.")
        above = (*above, id(node))
        _check_depth(len(above), path, node)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, index), above) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, above)
        return self.loader.construct_object(node)

    def _mapping(self, node: yaml.MappingNode, path: FieldPath, above: tuple[int, ...]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._problem(path, key_node, "a field's name is not a word", "Quote it if it has braces.")
                continue
            key = str(key_node.value)
            here = (*path, key)
            if key in result:
                first = self.document.places[here][0]
                self._problem(here, key_node, f"the field is there twice, first in line {first}", "Keep one of them.")
                continue
            self.document.places[here] = _place(key_node)
            result[key] = self.value(value_node, here, above)
        return result

    def _problem(self, path: FieldPath, node: yaml.Node, problem: str, fix: str) -> None:
        self.document.problems.append(SpecProblem(dotted(path), problem, fix, *_place(node)))


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        problem, fix = f"the file cannot be read ({error.strerror})", "Check its path and permissions."
    else:
        if len(content) <= MAX_BYTES:
            try:
                return content.decode("utf-8-sig")
            except UnicodeDecodeError:
                problem, fix = "the file is not UTF-8", "Save it as UTF-8."
        else:
            problem = f"the file is larger than {MAX_BYTES:,} bytes, so it is no definition"
            fix = "Check that it is the right file."
    raise SpecError(path.name, [SpecProblem(ROOT_FIELD, problem, fix)])


def _check_depth(depth: int, path: FieldPath, node: yaml.Node | yaml.Event) -> None:
    if depth > MAX_DEPTH:
        raise _Beyond(path, node, f"values stand more than {MAX_DEPTH} deep in each other", "Write it flat.")


def _not_yaml(error: yaml.MarkedYAMLError) -> SpecProblem:
    mark = error.problem_mark or error.context_mark
    problem = cut(error.problem or error.context or "unreadable")
    fix = "Check the indentation, and quote a value that holds : # { } [ ] or starts with a special character."
    if "\\t" in problem:
        fix = "Indent with blanks, not with tabs."
    place = (mark.line + 1, mark.column + 1) if mark else (None, None)
    return SpecProblem(ROOT_FIELD, f"this is not YAML ({problem})", fix, *place)


def _place(node: yaml.Node | yaml.Event) -> Place:
    mark = node.start_mark
    return (mark.line + 1, mark.column + 1) if mark else (1, 1)
