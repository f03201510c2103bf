"""The rooms' arrows and what each room may import, read from the sources; also what no file may hold."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from include.settings import ROOT

ROOMS = ("dags", "operators", "hooks", "include", "plugins", "sandbox", "benchmarks", "tests")
MAY_IMPORT = {
    "dags": {"operators", "hooks", "include"},
    "operators": {"hooks", "include"},
    "hooks": {"include"},
    "include": set(),
    "plugins": {"include"},
    "sandbox": {"include"},
}
HEAVY = {"great_expectations", "pandas", "sqlalchemy"}
# A machine's own folders, and hosts of package registries, which belong in nobody's sources.
MACHINE = re.compile(
    r"/(?:root|home/[a-z]|Users/[A-Z]|opt/wheels|work/main)\b|files\.python" + r"hosted|pypi\.org/" + "simple"
)


def sources(room: str) -> Iterator[Path]:
    """The Python files of a room."""
    yield from sorted((ROOT / room).rglob("*.py"))


@cache
def imports(path: Path) -> list[tuple[str, bool]]:
    """Every imported top-level package of a file, and whether the import runs when the file is loaded."""
    found: list[tuple[str, bool]] = []

    def walk(node: ast.AST, at_load: bool) -> None:
        for child in ast.iter_child_nodes(node):
            match child:
                case ast.Import(names=names):
                    found.extend((name.name.partition(".")[0], at_load) for name in names)
                case ast.ImportFrom(module=str(module)):
                    found.append((module.partition(".")[0], at_load))
                case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                    walk(child, False)
                case ast.If(test=ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING")):
                    walk(child, False)
                case _:
                    walk(child, at_load)

    walk(ast.parse(path.read_bytes()), True)
    return found


@cache
def committed() -> list[Path]:
    """Every file of the repository, new ones included."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def test_imports_are_found_where_they_run(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("import a.b\nclass C:\n    from d import e\ndef f():\n    import g\nif 1:\n    import h\n")
    assert imports(module) == [("a", True), ("d", True), ("g", False), ("h", True)]


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_arrows_point_one_way(room: str) -> None:
    forbidden = set(ROOMS) - MAY_IMPORT[room] - {room}
    wrong = [f"{p.relative_to(ROOT)}: {name}" for p in sources(room) for name, _ in imports(p) if name in forbidden]
    assert wrong == []


def test_include_never_imports_airflow() -> None:
    assert any(sources("include"))
    assert [str(p) for p in sources("include") if "airflow" in dict(imports(p))] == []


@pytest.mark.parametrize("room", ["dags", "plugins"])
def test_what_airflow_loads_everywhere_stays_light(room: str) -> None:
    heavy = [
        f"{p.relative_to(ROOT)}: {n}" for p in sources(room) for n, at_load in imports(p) if at_load and n in HEAVY
    ]
    assert heavy == []


def test_loaders_pull_in_nothing_heavy() -> None:
    """Not only by their own lines: nothing that a loader imports may import it either."""
    program = (
        "import runpy, sys\n"
        f"sys.path.insert(0, {str(ROOT)!r})\n"
        "import importlib\n"
        "for name in sys.argv[1:]: importlib.import_module(name)\n"
        f"print(*sorted(set({sorted(HEAVY)!r}) & set(sys.modules)))"
    )
    ours = {
        n
        for p in sources("dags")
        for n in imported_modules(p)
        if n.partition(".")[0] in ("operators", "include", "hooks")
    }
    # operators import Airflow, which brings SQLAlchemy itself: only our own plain Python is judged here
    plain = sorted(n for n in ours if n.startswith("include"))
    done = subprocess.run([sys.executable, "-c", program, *plain], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []


def imported_modules(path: Path) -> set[str]:
    """The full names of the modules that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            found.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def test_what_is_imported_is_required() -> None:
    def names(file: str) -> set[str]:
        lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
        return {canonical(re.split(r"[=\[]", line)[0]) for line in lines if line and not line.startswith("#")}

    runtime, development = names("requirements.txt"), names("requirements-dev.txt")
    # parts of a required distribution that come as one of their own
    parts = {
        "pydantic-core": "pydantic",
        "apache-airflow-core": "apache-airflow",
        "apache-airflow-task-sdk": "apache-airflow",
    }
    distributions = packages_distributions()
    wrong = []
    for room in ROOMS:
        allowed = runtime | development if room in ("tests", "benchmarks") else runtime
        for path in sources(room):
            for name in {name for name, _ in imports(path)} - sys.stdlib_module_names - set(ROOMS) - {"conftest"}:
                owners = {canonical(owner) for owner in distributions.get(name, [name])}
                if not {parts.get(owner, owner) for owner in owners} & allowed:
                    wrong.append(f"{path.relative_to(ROOT)}: {name}")
    assert wrong == []


def canonical(name: str) -> str:
    """A distribution's name in the form that compares."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_requirements_are_pinned_and_locked() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = set(re.findall(r"^([A-Za-z0-9_.-]+==[^\s;]+)", lock, re.MULTILINE))
    locked = {canonical(pin.split("==")[0]) + "==" + pin.split("==")[1] for pin in locked}
    for file in ("requirements.txt", "requirements-dev.txt"):
        for line in (ROOT / file).read_text(encoding="utf-8").splitlines():
            if line and not line.startswith("#"):
                name, _, version = line.partition("==")
                assert f"{canonical(name.partition('[')[0])}=={version}" in locked, f"{line}: run make lock"
    assert len(re.findall("--hash=sha256:", lock)) > len(locked)


def test_entry_points_lead_somewhere() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    targets = [target for group in project["entry-points"].values() for target in group.values()]
    assert len(targets) == 3
    for target in targets:
        module = target.partition(":")[0]
        assert (ROOT / f"{module.replace('.', '/')}.py").is_file(), module


def test_no_file_names_a_machine() -> None:
    wrong = []
    for path in committed():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        if path != Path(__file__) and (match := MACHINE.search(text)):
            wrong.append(f"{path.relative_to(ROOT)}: {match[0]}")
    assert wrong == []
