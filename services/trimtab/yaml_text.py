"""YAML as a person means it: numbers keep their digits, "NO" is text, a key stands once, nothing is executed.

Aliases and tags are refused: the first let a small file mean a huge one, the second make a value something else than it
looks like.
"""

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from trimtab.configuration import ConfigurationError, Described, Problem

BYTES_MAX = 1_048_576


class _Loader(yaml.SafeLoader):
    """The safe loader with YAML 1.2's scalars (1.1 reads NO as false and 22:00 as 1320), no aliases and no tags."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - overrides PyYAML's table, which is a class attribute

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self.problems: list[Problem] = []

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call] # its stub lacks types
        if isinstance(event, yaml.AliasEvent) or getattr(event, "tag", None) is not None:
            found = "an alias" if isinstance(event, yaml.AliasEvent) else "a tag"
            raise yaml.composer.ComposerError(None, None, f"found {found}", event.start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen if isinstance(key, yaml.ScalarNode) else False:
                self.problems.append(Problem(_place(key.start_mark), key.value, "each key once"))
            seen.add(str(key.value))
        return super().construct_mapping(node, deep=deep)

    def decimal(self, node: yaml.ScalarNode) -> Decimal:
        """Return the number exactly as its digits say."""
        return Decimal(str(self.construct_scalar(node)).replace(".inf", "Infinity").replace(".nan", "NaN"))

    def whole(self, node: yaml.ScalarNode) -> int:
        """Return a decimal whole number; 010 is ten."""
        return int(Decimal(str(self.construct_scalar(node))))

    def flag(self, node: yaml.ScalarNode) -> bool:
        """Return true or false."""
        return str(node.value) == "true"


_FLOAT = r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,4})?|[-+]?\.inf|\.nan"
for _tag, _pattern, _first in (
    ("bool", r"true|false", "tf"),
    ("null", r"~|null|", ["~", "n", ""]),
    ("int", r"[-+]?[0-9]{1,40}", "-+0123456789"),
    ("float", _FLOAT, "-+.0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first))
_Loader.add_constructor("tag:yaml.org,2002:bool", _Loader.flag)
_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.whole)
_Loader.add_constructor("tag:yaml.org,2002:float", _Loader.decimal)


def read_yaml(path: Path) -> tuple[Any, list[Problem]]:
    """Return the data of a YAML file and its duplicate keys as problems; see `load_yaml`.

    Raises:
        ConfigurationError: if the file cannot be read or is not YAML.

    """
    try:
        with path.open("rb") as file:
            content = file.read(BYTES_MAX + 1)
        if len(content) <= BYTES_MAX:
            return load_yaml(content.decode("utf-8-sig"), str(path))
        problem = Problem("", Described(f"more than {BYTES_MAX} bytes"), f"a file of at most {BYTES_MAX} bytes")
    except OSError as error:
        problem = Problem("", _words(error.strerror), "a readable YAML file")
    except UnicodeDecodeError as error:
        problem = Problem(f"byte {error.start}", Described(error.reason), "text in UTF-8")
    raise ConfigurationError(str(path), [problem])


def load_yaml(text: str, source: str) -> tuple[Any, list[Problem]]:
    """Return the data of a YAML text and its duplicate keys as problems. Numbers are `int` or `Decimal`.

    Raises:
        ConfigurationError: if the text is not YAML; the problem's path is the line and column.

    """
    loader = None
    try:
        loader = _Loader(text)
        return loader.get_single_data(), loader.problems
    except yaml.MarkedYAMLError as error:
        problem = Problem(_place(error.problem_mark or error.context_mark), _words(error.problem), "valid YAML")
    except yaml.YAMLError as error:
        problem = Problem("", _words(str(error)), "valid YAML")
    except RecursionError:
        problem = Problem("", Described("too many levels"), "valid YAML")
    finally:
        if loader is not None:
            loader.dispose()
    raise ConfigurationError(source, [problem])


def _place(mark: yaml.Mark | None) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""


def _words(text: str | None) -> Described:
    """Return what the parser complains about as the noun of "found ..."."""
    first = (text or "something else").splitlines()[0]
    return Described(first.removeprefix("but ").removeprefix("found "))
