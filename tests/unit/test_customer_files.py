"""A tenant's campaigns read the files in its own folder, whatever a definition or a link says."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from include.campaigns.customer_files import folder_of, own_file
from include.campaigns.definition import load_definition
from include.errors import Refused, SpecError
from include.settings import settings

DEFINITION = """\
tenant: acme
slug: welcome
title: 가입 환영
purpose: informational
audience:
  file: {file}
  test_file: {test_file}
  columns: {{phone: 휴대폰}}
message: {{channel: sms, sender: "02-1234-5678", text: "[ACME] 환영합니다"}}
"""


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the folders of two tenants, each with an upload."""
    for tenant in ("acme", "acme-busan"):
        (tmp_path / tenant).mkdir()
        (tmp_path / tenant / "upload.csv").write_text("휴대폰\n010-1234-5678\n", encoding="utf-8")
    monkeypatch.setenv("BONGSU_CUSTOMER_FILES", str(tmp_path))
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()


def define(root: Path, file: str, test_file: str = "testers.csv") -> Path:
    path = root / "acme" / "welcome.yaml"
    path.write_text(DEFINITION.format(file=file, test_file=test_file), encoding="utf-8")
    return path


def test_a_file_beside_the_definition_and_below_it_is_the_tenants_own(root: Path) -> None:
    spec = load_definition(define(root, "upload.csv", "people/testers.csv"))
    assert spec.audience.file == str(root / "acme" / "upload.csv")
    assert spec.audience.test_file == str(root / "acme" / "people" / "testers.csv")


@pytest.mark.parametrize("field", ["file", "test_file"])
@pytest.mark.parametrize(
    "name", ["../acme-busan/upload.csv", "{root}/acme-busan/upload.csv", "/etc/hosts.csv", "link.csv"]
)
def test_a_definition_names_no_file_of_another_tenant(root: Path, field: str, name: str) -> None:
    (root / "acme" / "link.csv").symlink_to(root / "acme-busan" / "upload.csv")
    with pytest.raises(SpecError) as caught:
        load_definition(define(root, **{"file": "upload.csv", field: name.format(root=root)}))
    (problem,) = caught.value.problems
    assert problem.field == f"audience.{field}"
    assert problem.line == {"file": 6, "test_file": 7}[field]
    assert problem.fix == f"Put it into {root / 'acme'}."


def test_a_link_that_leads_out_of_the_folder_is_not_followed_and_one_inside_it_is(root: Path) -> None:
    acme = root / "acme"
    (acme / "out.csv").symlink_to(root / "acme-busan" / "upload.csv")
    (acme / "folder").symlink_to(root / "acme-busan")
    (acme / "latest.csv").symlink_to("upload.csv")
    assert own_file("acme", acme / "latest.csv") == acme / "upload.csv"
    for name in ("out.csv", "folder/upload.csv", "../acme-busan/upload.csv"):
        with pytest.raises(Refused, match=r"not in the folder of tenant acme\. Put it into"):
            own_file("acme", acme / name)


def test_the_folder_itself_may_be_a_link_of_the_operators(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("uploads")
    (root / "bori").symlink_to(elsewhere)
    assert folder_of("bori") == elsewhere
    assert own_file("bori", root / "bori" / "upload.csv") == elsewhere / "upload.csv"


@pytest.mark.parametrize(
    ("name", "why"), [("a" * 5_000 + ".csv", "the path has"), ('"a\\0b.csv"', "a character that cannot be seen")]
)
def test_a_definition_with_a_name_that_no_file_can_have_is_refused_with_its_line(
    root: Path, name: str, why: str
) -> None:
    with pytest.raises(SpecError) as caught:
        load_definition(define(root, name))
    (problem,) = caught.value.problems
    assert (problem.field, problem.line) == ("audience.file", 6)
    assert why in problem.problem


@pytest.mark.parametrize("name", ["a" * 5_000 + ".csv", "a\0b.csv"])
def test_a_name_that_no_file_can_have_is_refused(root: Path, name: str) -> None:
    with pytest.raises(Refused, match="no file can have this name"):
        own_file("acme", root / "acme" / name)


def test_a_definition_in_one_tenants_folder_is_of_no_other(root: Path) -> None:
    own = define(root, "upload.csv")
    foreign = own.rename(root / "acme-busan" / "welcome.yaml")
    text = foreign.read_text(encoding="utf-8").replace("upload.csv", "../acme/upload.csv")
    foreign.write_text(text.replace("testers.csv", "../acme/testers.csv"), encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        load_definition(foreign)
    (problem,) = caught.value.problems
    assert (problem.field, problem.line) == ("tenant", 1)
    assert problem.problem == "the definition is in the folder of tenant acme-busan"


@pytest.mark.parametrize("name", ["upload.csv", "team.csv", "../acme/./upload.csv"])
def test_a_test_file_is_never_the_customers(root: Path, name: str) -> None:
    (root / "acme" / "team.csv").symlink_to(root / "acme" / "upload.csv")
    with pytest.raises(SpecError) as caught:
        load_definition(define(root, "upload.csv", name))
    (problem,) = caught.value.problems
    assert (problem.field, problem.line) == ("audience.test_file", 7)
    assert problem.problem == "the test file is the file of the customers"
