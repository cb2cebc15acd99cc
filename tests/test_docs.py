"""The documentation names everything there is, and nothing that is not."""

from __future__ import annotations

import inspect
import re
import runpy
import tomllib
from pathlib import Path

import pytest

import assay
from assay import errors, registry
from assay.cli.app import build
from assay.cli.words import COMMANDS
from assay.problem import Problem

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
README = PAGES[0].read_text(encoding="utf-8")

COMMAND_NAMES = [command.name for commands in COMMANDS.values() for command in commands]
RECIPES = [name.partition(".")[2] for name in registry.BUILT_IN["assay.recipes"]]
CHECKS = [name.partition(".")[2] for name in registry.BUILT_IN["assay.checks"]]
ERRORS = [name for name, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, errors.AssayError)]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_the_reference_of_the_command_line_is_as_the_command_line_says():
    text = runpy.run_path(str(ROOT / "docs" / "make_cli.py"))["text"]()
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == text, "run: make docs"


@pytest.mark.parametrize("command", COMMAND_NAMES)
def test_every_command_is_in_the_readme_and_every_option_in_the_docs(command):
    assert re.search(rf"`(assay )?{command}\b", README)
    for argument in build()[command].assemble_argument_collection():
        for name in argument.names:
            assert name.startswith(("--[", "--no-", "--empty-")) or not name.startswith("-") or name in TEXT, name


@pytest.mark.parametrize("name", [*RECIPES, *CHECKS, *PROJECT["optional-dependencies"]])
def test_every_recipe_check_and_extra_is_in_the_readme(name):
    assert f"`{name}`" in README


@pytest.mark.parametrize("name", ERRORS)
def test_every_error_is_explained_with_its_exit_code(name):
    page = (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")
    assert f"| `{name}` | {getattr(errors, name).exit_code} |" in page


@pytest.mark.parametrize("name", sorted(set(assay.__all__) - {"__version__"}))
def test_every_public_name_is_in_the_docs_and_can_be_fetched(name):
    assert re.search(rf"\b{name}\b", TEXT)
    assert getattr(assay, name) is not None


def test_every_setting_of_a_problem_is_in_the_page_on_python():
    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    for field in set(Problem.model_fields) - {"data"}:
        assert f"`{field.removesuffix('_s')}`" in page, field


def test_every_group_of_entry_points_is_in_the_page_on_extending():
    page = (ROOT / "docs" / "extend.md").read_text(encoding="utf-8")
    assert all(f"`{group}`" in page for group in registry.BUILT_IN)


def test_every_command_that_the_docs_say_to_type_exists():
    typed = re.findall(r"(?:^    |`)assay ([a-z]+)", TEXT, flags=re.MULTILINE)
    assert typed
    assert set(typed) <= {*COMMAND_NAMES, "help"}


def test_every_make_target_that_the_docs_name_exists():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.search(r"^\.PHONY: (.+)$", makefile, flags=re.MULTILINE)
    assert targets
    named = re.findall(r"(?:^    |`)make ([a-z ]+?)(?:  |`|$)", TEXT, flags=re.MULTILINE)
    assert named
    assert {word for words in named for word in words.split()} <= set(targets[1].split())


def test_every_link_inside_the_docs_leads_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            if not target.endswith(".png"):
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_there_is_a_licence_and_it_is_the_one_that_is_named():
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert PROJECT["license"] == "Apache-2.0"
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
