"""From a definition's file to its spec, and of every mistake in it where it is and how to mend it."""

import difflib
import hashlib
import json
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from include.campaigns.customer_files import SAME_FILE, NotOwn, folder_of, other_owner, own_file
from include.campaigns.document import ROOT_FIELD, Document, FieldPath, dotted, read_document
from include.campaigns.mistakes import MISTAKE, shown
from include.campaigns.spec import CampaignSpec
from include.errors import SpecError, SpecProblem

# More mistakes than a person mends at once.
MAX_PROBLEMS = 50
LIMITS = {
    "greater_than_equal": "at least",
    "greater_than": "more than",
    "less_than_equal": "at most",
    "less_than": "less than",
}


def load_definition(path: Path) -> CampaignSpec:
    """The spec in a YAML file; the paths of its files are made absolute, starting at its folder.

    :raises SpecError: with every mistake found, each with its line, field and fix; a file outside the tenant's folder
        is one.
    """
    document = read_document(path)
    if document.problems:
        raise _wrong(path, document.problems)
    if not isinstance(document.value, dict):
        fix = "Begin with tenant:, slug:, title: and so on; ./bongsu schema shows all fields."
        raise _wrong(path, [SpecProblem(ROOT_FIELD, "there are no fields in it", fix, 1, 1)])
    try:
        spec = CampaignSpec.model_validate(document.value, context={"folder": path.parent})
    except ValidationError as error:
        found = [_explain(detail, document) for detail in _causes(error.errors(include_url=False))]
        raise _wrong(path, sorted(found, key=lambda p: (p.line or 0, p.column or 0, p.field))) from None
    if problems := _folder_problems(path, spec, document):
        raise _wrong(path, problems)
    return spec


def _wrong(path: Path, problems: list[SpecProblem]) -> SpecError:
    if len(problems) > MAX_PROBLEMS:
        more = SpecProblem(ROOT_FIELD, f"there are {len(problems) - MAX_PROBLEMS:,} more mistakes", "Mend these first.")
        problems = [*problems[:MAX_PROBLEMS], more]
    return SpecError(path.name, problems)


def _folder_problems(path: Path, spec: CampaignSpec, document: Document) -> list[SpecProblem]:
    """The definition or a file of it in another place than its tenant's folder; a test file that is the customers'."""
    problems, found = [], []
    if owner := other_owner(spec.tenant, path):
        problem = f"the definition is in the folder of tenant {owner}"
        fix = f"Write {owner}, or move the file into {folder_of(spec.tenant)}."
        problems.append(SpecProblem("tenant", problem, fix, *document.nearest(("tenant",))))
    for field, name in (("file", spec.audience.file), ("test_file", spec.audience.test_file)):
        try:
            if name is not None:
                found.append(own_file(spec.tenant, Path(name)))
        except NotOwn as error:
            place = document.nearest(("audience", field))
            problems.append(SpecProblem(f"audience.{field}", error.problem, error.fix, *place))
    if len(found) == 2 and found[0] == found[1]:
        place = document.nearest(("audience", "test_file"))
        problems.append(SpecProblem("audience.test_file", SAME_FILE, "Name a file of your own people.", *place))
    return problems


def canonical(spec: CampaignSpec) -> str:
    """The spec as JSON that is the same for the same spec, everywhere."""
    return json.dumps(spec.document(), sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def spec_hash(spec: CampaignSpec) -> str:
    """SHA-256 of the canonical JSON."""
    return hashlib.sha256(canonical(spec).encode()).hexdigest()


def content_hash(document: dict[str, Any]) -> bytes:
    """SHA-256 of the message part of a definition (:meth:`CampaignSpec.document`), in canonical JSON."""
    text = json.dumps(document["message"], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).digest()


def json_schema() -> dict[str, Any]:
    """The JSON schema of a definition, for editors, forms and the docs."""
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": "urn:bongsu:campaign-spec"}
    return {**head, **CampaignSpec.model_json_schema()}


def schema_text() -> str:
    """The JSON schema as ``docs/campaign-spec.schema.json`` holds it."""
    return json.dumps(json_schema(), ensure_ascii=False, indent=2) + "\n"


def _causes(details: list[ErrorDetails]) -> list[ErrorDetails]:
    """Without a list that is too short only because its items are wrong."""

    def follows(detail: ErrorDetails) -> bool:
        path = detail["loc"]
        below = (other["loc"] for other in details)
        return detail["type"] == "too_short" and any(loc[: len(path)] == path != loc for loc in below)

    return [detail for detail in details if not follows(detail)]


def _explain(detail: ErrorDetails, document: Document) -> SpecProblem:
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
        problem, fix = f"{shown(given)} is not possible here", _valid_values(path, given, str(context["expected"]))
    elif given is None:
        problem, fix = "the value is empty", f"Write one, or leave the field out{_example(path)}."
    elif kind == "string_type":
        problem, fix = _not_text(given)
    elif kind in {"dict_type", "model_type", "model_attributes_type"}:
        problem, fix = (
            f"{shown(given)} stands where fields are expected",
            f"Indent its fields below it{_example(path)}.",
        )
    elif kind in {"tuple_type", "list_type"}:
        problem, fix = f"{shown(given)} stands where a list is expected", f"Write a list{_example(path)}."
    elif kind == "too_long" and path[-1:] == ("fallback",):
        problem, fix = "there are no further channels yet", "Write fallback: [] or leave it out."
    elif kind in LIMITS:
        least_or_most, limit = LIMITS[kind], next(iter(context.values()))
        problem, fix = f"{shown(given)} is out of range", f"Write {least_or_most} {limit}."
    elif kind in {"int_parsing", "int_type", "int_from_float", "float_parsing", "float_type", "bool_parsing"}:
        wanted = {"int": "whole number", "float": "number", "bool": "switch (true or false)"}[kind.split("_")[0]]
        problem, fix = f"{shown(given)} is not a {wanted}", f"Write a {wanted}{_example(path)}."
    elif kind == "int_parsing_size":
        problem, fix = f"{shown(given)} is out of range", "Write a smaller number."
    elif kind in {"string_too_short", "too_short"} and given == "":
        problem, fix = "the value is empty", f"Write one{_example(path)}."
    elif kind == "string_pattern_mismatch":
        problem, fix = f"{shown(given)} is not written as it has to be", _pattern_fix(path)
    else:
        message = detail["msg"][0].lower() + detail["msg"][1:]
        problem, fix = f"{message}, but it is {shown(given)}", f"Change the value{_example(path)}."
    return SpecProblem(dotted(path), problem, fix, *document.nearest(path))


def _not_text(given: Any) -> tuple[str, str]:
    if isinstance(given, bool | int | float):
        written = json.dumps(given)
        return (
            f"{written} is {'a switch' if isinstance(given, bool) else 'a number'}, not text",
            f'Quote it: "{written}".',
        )
    return f"{shown(given)} is not text", "Write one value, and quote it if it holds : # { } [ ]."


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
    listed = ", ".join(value if re.fullmatch(r"[\w-]+", value) else repr(value) for value in values)
    return f"{hint}Write one of: {listed}."


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
