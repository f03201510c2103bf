"""Reads a campaign definition from YAML, and says of every mistake where it is and how to mend it.

Values are read as they look: ``0212345678``, ``10:30``, ``no`` and dates stay text, which older YAML
would turn into other things. A field that is there twice is a mistake.
"""

import difflib
import hashlib
import json
import re
from collections.abc import Hashable
from contextlib import suppress
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from include.campaigns.customer_files import NotOwn, own_file
from include.campaigns.mistakes import MISTAKE
from include.campaigns.spec import CampaignSpec
from include.errors import SpecError, SpecProblem

Place = tuple[int, int]
FieldPath = tuple[int | str, ...]
ROOT_FIELD = "(file)"
LIMITS = {
    "greater_than_equal": "at least",
    "greater_than": "more than",
    "less_than_equal": "at most",
    "less_than": "less than",
}


class _Loader(yaml.SafeLoader):
    """YAML with the few kinds of value that a definition needs."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("int", r"[-+]?(0|[1-9][0-9_]*)", "-+0123456789"),
    ("float", r"[-+]?(0|[1-9][0-9_]*)\.[0-9]+", "-+0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^({_pattern})$"), list(_first))
_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(~|null|Null|NULL|)$"), ["~", "n", "N", ""])


class _Reader:
    """Turns YAML nodes into values and remembers where each field stands."""

    def __init__(self, loader: _Loader) -> None:
        self.loader = loader
        self.places: dict[FieldPath, Place] = {}
        self.problems: list[SpecProblem] = []

    def value(self, node: yaml.Node, path: FieldPath, above: tuple[int, ...] = ()) -> Any:
        self.places.setdefault(path, _place(node))
        if id(node) in above:
            self._problem(path, _place(node), "the value contains itself", "Write it out without the alias.")
            return None
        above = (*above, id(node))
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, index), above) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path, above)
        return self.loader.construct_object(node)

    def _mapping(self, node: yaml.MappingNode, path: FieldPath, above: tuple[int, ...]) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._problem(path, _place(key_node), "a field's name is not a word", "Quote it if it has braces.")
                continue
            key = str(key_node.value)
            here = (*path, key)
            if key in result:
                first = self.places[here][0]
                self._problem(
                    here,
                    _place(key_node),
                    f"the field is there twice, first in line {first}",
                    "Keep one of them.",
                )
                continue
            self.places[here] = _place(key_node)
            result[key] = self.value(value_node, here, above)
        return result

    def _problem(self, path: FieldPath, place: Place, problem: str, fix: str) -> None:
        self.problems.append(SpecProblem(_dotted(path), problem, fix, *place))


def load_definition(path: Path) -> CampaignSpec:
    """The spec in a YAML file; the paths of its files are made absolute, starting at its folder.

    :raises SpecError: with every mistake found, each with its line, field and fix; a file outside the tenant's folder
        is one.
    """
    document, places, problems = _read(path)
    if problems:
        raise SpecError(path.name, problems)
    if not isinstance(document, dict):
        fix = "Begin with tenant:, slug:, title: and so on; ./bongsu schema shows all fields."
        raise SpecError(path.name, [SpecProblem(ROOT_FIELD, "there are no fields in it", fix, 1, 1)])
    audience = document.get("audience")
    if isinstance(audience, dict):
        for name in ("file", "test_file"):
            if isinstance(audience.get(name), str) and audience[name]:
                with suppress(OSError, RuntimeError, ValueError):  # no path at all: said below, with its line
                    audience[name] = str((path.parent / audience[name]).resolve())
    try:
        spec = CampaignSpec.model_validate(document)
    except ValidationError as error:
        found = [_explain(detail, places) for detail in _causes(error.errors(include_url=False))]
        raise SpecError(path.name, sorted(found, key=lambda p: (p.line or 0, p.column or 0, p.field))) from None
    if foreign := _foreign_files(spec, places):
        raise SpecError(path.name, foreign)
    return spec


def _foreign_files(spec: CampaignSpec, places: dict[FieldPath, Place]) -> list[SpecProblem]:
    """The files of the spec that are not in its tenant's folder."""
    problems = []
    for field, name in (("file", spec.audience.file), ("test_file", spec.audience.test_file)):
        try:
            if name is not None:
                own_file(spec.tenant, Path(name))
        except NotOwn as error:
            problems.append(
                SpecProblem(f"audience.{field}", error.problem, error.fix, *_nearest(("audience", field), places))
            )
    return problems


def canonical(spec: CampaignSpec) -> str:
    """The spec as JSON that is the same for the same spec, everywhere."""
    return json.dumps(spec.document(), sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def spec_hash(spec: CampaignSpec) -> str:
    """SHA-256 of the canonical JSON."""
    return hashlib.sha256(canonical(spec).encode()).hexdigest()


def json_schema() -> dict[str, Any]:
    """The JSON schema of a definition, for editors, forms and the docs."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **CampaignSpec.model_json_schema()}


def schema_text() -> str:
    """The JSON schema as ``docs/campaign-spec.schema.json`` holds it."""
    return json.dumps(json_schema(), ensure_ascii=False, indent=2) + "\n"


def _read(path: Path) -> tuple[Any, dict[FieldPath, Place], list[SpecProblem]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        problem = f"the file cannot be read ({error.strerror})"
        raise SpecError(path.name, [SpecProblem(ROOT_FIELD, problem, "Check its path and permissions.")]) from None
    except UnicodeDecodeError:
        wrong = SpecProblem(ROOT_FIELD, "the file is not UTF-8", "Save it as UTF-8.")
        raise SpecError(path.name, [wrong]) from None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        reader = _Reader(loader)
        document = reader.value(node, ()) if node is not None else None
    except yaml.MarkedYAMLError as error:
        raise SpecError(path.name, [_not_yaml(error)]) from None
    except yaml.YAMLError as error:
        wrong = SpecProblem(ROOT_FIELD, f"this is not YAML ({str(error).splitlines()[0]})", "Save it as plain text.")
        raise SpecError(path.name, [wrong]) from None
    return document, reader.places, reader.problems


def _not_yaml(error: yaml.MarkedYAMLError) -> SpecProblem:
    mark = error.problem_mark or error.context_mark
    problem = error.problem or error.context or "unreadable"
    fix = "Check the indentation, and quote a value that holds : # { } [ ] or starts with a special character."
    if "\\t" in problem:
        fix = "Indent with blanks, not with tabs."
    place = (mark.line + 1, mark.column + 1) if mark else (None, None)
    return SpecProblem(ROOT_FIELD, f"this is not YAML ({problem})", fix, *place)


def _causes(details: list[ErrorDetails]) -> list[ErrorDetails]:
    """Without a list that is too short only because its items are wrong."""

    def follows(detail: ErrorDetails) -> bool:
        path = detail["loc"]
        below = (other["loc"] for other in details)
        return detail["type"] == "too_short" and any(loc[: len(path)] == path != loc for loc in below)

    return [detail for detail in details if not follows(detail)]


def _explain(detail: ErrorDetails, places: dict[FieldPath, Place]) -> SpecProblem:
    """One of pydantic's findings in our words."""
    kind, context, given = detail["type"], detail.get("ctx", {}), detail["input"]
    # pydantic adds "[key]" where a mapping's name, not its value, is wrong
    path: FieldPath = tuple(step for step in detail["loc"] if step != "[key]")
    if kind == MISTAKE:
        path += tuple(step for step in str(context["field"]).split(".") if step)
        problem, fix = str(context["problem"]), str(context["fix"])
    elif kind == "missing":
        problem, fix = "the field is missing", f"Add it{_example(path)}."
    elif kind == "extra_forbidden":
        problem, fix = "there is no such field", _did_you_mean(path)
    elif kind == "literal_error":
        problem, fix = f"{given!r} is not possible here", _valid_values(path, given, str(context["expected"]))
    elif given is None:
        problem, fix = "the value is empty", f"Write one, or leave the field out{_example(path)}."
    elif kind == "string_type":
        problem, fix = _not_text(given)
    elif kind in {"dict_type", "model_type", "model_attributes_type"}:
        problem, fix = (
            f"{given!r} stands where fields are expected",
            f"Indent its fields below it{_example(path)}.",
        )
    elif kind in {"tuple_type", "list_type"}:
        problem, fix = f"{given!r} stands where a list is expected", f"Write a list{_example(path)}."
    elif kind == "too_long" and path[-1:] == ("fallback",):
        problem, fix = "there are no further channels yet", "Write fallback: [] or leave it out."
    elif kind in LIMITS:
        least_or_most, limit = LIMITS[kind], next(iter(context.values()))
        problem, fix = f"{given!r} is out of range", f"Write {least_or_most} {limit}."
    elif kind in {"int_parsing", "int_type", "int_from_float", "float_parsing", "float_type", "bool_parsing"}:
        wanted = {"int": "whole number", "float": "number", "bool": "switch (true or false)"}[kind.split("_")[0]]
        problem, fix = f"{given!r} is not a {wanted}", f"Write a {wanted}{_example(path)}."
    elif kind == "string_too_short":
        problem, fix = "the value is empty", f"Write one{_example(path)}."
    elif kind == "string_pattern_mismatch":
        problem, fix = f"{given!r} is not written as it has to be", _pattern_fix(path)
    else:
        message = detail["msg"][0].lower() + detail["msg"][1:]
        problem, fix = f"{message}, but it is {given!r}", f"Change the value{_example(path)}."
    return SpecProblem(_dotted(path), problem, fix, *_nearest(path, places))


def _not_text(given: Any) -> tuple[str, str]:
    if isinstance(given, bool | int | float):
        shown = json.dumps(given)
        return (
            f"{shown} is {'a switch' if isinstance(given, bool) else 'a number'}, not text",
            f'Quote it: "{shown}".',
        )
    return f"{given!r} is not text", "Write one value, and quote it if it holds : # { } [ ]."


def _model_at(path: FieldPath) -> type[BaseModel] | None:
    """The model whose fields are below ``path``."""
    model: type[BaseModel] = CampaignSpec
    for step in path:
        field = model.model_fields.get(str(step))
        below = [field.annotation, *get_args(field.annotation)] if field else []
        models = [kind for kind in below if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if not models:
            return None
        model = models[0]
    return model


def _did_you_mean(path: FieldPath) -> str:
    model = _model_at(path[:-1])
    names = list(model.model_fields) if model else []
    close = difflib.get_close_matches(str(path[-1]), names, n=1, cutoff=0.6)
    hint = f"Did you mean {close[0]}? " if close else ""
    return f"{hint}Possible here: {', '.join(names)}."


def _valid_values(path: FieldPath, given: Hashable, expected: str) -> str:
    values = re.findall(r"'([^']*)'", expected)
    close = difflib.get_close_matches(str(given), values, n=1, cutoff=0.6)
    hint = f"Did you mean {close[0]}? " if close else ""
    shown = ", ".join(value if re.fullmatch(r"[\w-]+", value) else repr(value) for value in values)
    return f"{hint}Write one of: {shown}."


def _pattern_fix(path: FieldPath) -> str:
    if path[-1] in {"daily", "at"}:
        return 'Write hour and minute, 24 hours: "09:00".'
    return f"Use small letters, digits and hyphens, starting with a letter or digit, at most 63{_example(path)}."


def _example(path: FieldPath) -> str:
    model = _model_at(path[:-1])
    field = model.model_fields.get(str(path[-1])) if model and path else None
    if field is None or not field.examples:
        return ""
    return f", for example {path[-1]}: {json.dumps(field.examples[0], ensure_ascii=False)}"


def _dotted(path: FieldPath) -> str:
    return ".".join(str(step) for step in path) or ROOT_FIELD


def _place(node: yaml.Node) -> Place:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _nearest(path: FieldPath, places: dict[FieldPath, Place]) -> Place:
    """Where the field stands; for one that is missing, where its parent does."""
    while path and path not in places:
        path = path[:-1]
    return places.get(path, (1, 1))
