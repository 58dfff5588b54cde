"""One mapping of a spec file, read key by key; whatever is wrong is noted with its place, and reading goes on."""

from collections.abc import Callable, Mapping, Sequence, Set
from typing import TypeVar

from requirements_specs.errors import Mark, Problem, ValueProblem
from requirements_specs.keys import EXPLAINED, KEYS, PLANNED, elsewhere, joined
from requirements_specs.known import nearest, resolve
from requirements_specs.serving import Assumption
from requirements_specs.source import Entry, Items, Node, Scalar
from requirements_specs.source import Mapping as MappingNode

T = TypeVar("T")
NOT_IN_THIS_VERSION = "planned, not in this version"


class Findings:
    """What came up while the file `path` was read."""

    def __init__(self, path: str):
        self.path = path
        self.problems: list[Problem] = []
        self.assumed: list[Assumption] = []

    def refuse(
        self,
        mark: Mark,
        key: str,
        what: str,
        *,
        read: str | None = None,
        allowed: str | None = None,
        fix: str | None = None,
    ) -> None:
        """Note a problem."""
        self.problems.append(Problem(self.path, mark, key, what, read=read, allowed=allowed, fix=fix))

    def refuse_value(self, node: Node, key: str, error: ValueProblem) -> None:
        """Note what is wrong with the value of `key`."""
        read = error.read if error.read is not None else shown(node)
        self.refuse(node.mark, key, error.what, read=read, allowed=error.allowed, fix=error.fix)

    def assume(self, key: str, value: str, why: str) -> None:
        """Note what was taken for something that the user did not state."""
        self.assumed.append(Assumption(key=key, value=value, why=why))


class Section:
    """The mapping under `path`. Unknown, planned, repeated and empty keys are noted when it is opened.

    Its methods return None for a key that is absent or was refused: once anything was refused no spec is built.
    `mark` is the place of the section's own key, where a missing key is reported. `is_empty`: the file has no key here.
    """

    def __init__(
        self, findings: Findings, node: MappingNode, path: str, *, mark: Mark, keys: Sequence[str] | None = None
    ):
        self._findings = findings
        self._path = path
        self.own_mark = mark
        self.is_empty = not node.entries
        self._keys = KEYS[path] if keys is None else tuple(keys)
        self._entries: dict[str, Entry] = {}
        self._named: set[str] = set()
        for entry in node.entries:
            self._admit(entry)

    def __contains__(self, key: str) -> bool:
        return key in self._named

    def mark(self, key: str) -> Mark:
        """Where the key `key` stands; the section's own place if it does not."""
        entry = self._entries.get(key)
        return self.own_mark if entry is None else entry.key.mark

    def node(self, key: str) -> Node | None:
        """Return the value under `key`."""
        entry = self._entries.get(key)
        return None if entry is None else entry.value

    def require(self, **examples: str) -> None:
        """Note each key that the file does not name; `examples` maps the keys to values that they may have."""
        for key, example in examples.items():
            if key not in self._named:
                path = joined(self._path, key)
                self._findings.refuse(self.own_mark, path, "this key is missing", allowed=f"{key}: {example}")

    def refuse(self, what: str, *, read: str | None = None, allowed: str | None = None) -> None:
        """Note that the section as a whole is wrong."""
        self._findings.refuse(self.own_mark, self._path, what, read=read, allowed=allowed)

    def refuse_key(self, key: str, what: str, *, read: str | None = None, allowed: str | None = None) -> None:
        """Note that what stands under `key` is wrong beside the rest of the file."""
        self._findings.refuse(self.mark(key), joined(self._path, key), what, read=read, allowed=allowed)

    def value(self, key: str, convert: Callable[[str], T]) -> T | None:
        """`convert` of the text under `key`; it raises ValueProblem for a text that is not allowed."""
        node = self.node(key)
        return None if node is None else self.convert(node, joined(self._path, key), convert)

    def convert(self, node: Node, key: str, convert: Callable[[str], T]) -> T | None:
        """`convert` of the text of `node`, which stands at the path `key`."""
        if not isinstance(node, Scalar):
            self._findings.refuse(node.mark, key, "one value is needed", read=shown(node), allowed="key: value")
            return None
        try:
            return convert(node.text)
        except ValueProblem as error:
            self._findings.refuse_value(node, key, error)
            return None

    def section(self, key: str, keys: Sequence[str] | None = None) -> "Section | None":
        """Return the mapping under `key`."""
        node = self.node(key)
        if node is None:
            return None
        path = joined(self._path, key)
        if not isinstance(node, MappingNode):
            allowed = ", ".join(KEYS[path] if keys is None else keys)
            self._findings.refuse(
                node.mark, path, "keys are needed below this one", read=shown(node), allowed=f"{allowed}: …"
            )
            return None
        return Section(self._findings, node, path, mark=self.mark(key), keys=keys)

    def optional_section(self, key: str) -> "Section":
        """Return the mapping under `key`, without keys if there is none."""
        empty = MappingNode((), self.own_mark)
        path = joined(self._path, key)
        return self.section(key) or Section(self._findings, empty, path, mark=self.own_mark)

    def values(self, key: str, convert: Callable[[str], T], *, may_be_empty: bool = False) -> tuple[T, ...] | None:
        """Each different value of the list under `key`, or the one value there, converted, in the file's order."""
        node = self.node(key)
        if node is None:
            return None
        path = joined(self._path, key)
        if not isinstance(node, Items):
            one = self.convert(node, path, convert)
            return None if one is None else (one,)
        if not node.values and not may_be_empty:
            self._findings.refuse(
                self.mark(key), path, "an empty list allows nothing", read="[]", allowed="one value or more, or no key"
            )
            return None
        converted = [self.convert(item, f"{path}[{index}]", convert) for index, item in enumerate(node.values)]
        return tuple(dict.fromkeys(value for value in converted if value is not None)) or None

    def names(
        self, key: str, known: Mapping[str, str] | Set[str], noun: str, *, may_be_empty: bool = False
    ) -> tuple[str, ...] | None:
        """Return the canonical names in the list under `key`."""
        return self.values(key, lambda text: resolve(text, known, noun), may_be_empty=may_be_empty)

    def _admit(self, entry: Entry) -> None:
        key, mark = entry.key.text, entry.key.mark
        path = joined(self._path, key)
        if key in self._entries:
            first = self._entries[key].key.mark
            self._findings.refuse(
                mark, path, f"given twice, first in line {first.line}", read=key, allowed="each key once"
            )
        elif path in PLANNED:
            self._findings.refuse(mark, path, NOT_IN_THIS_VERSION, read=key, allowed=f"today: {PLANNED[path]}")
        elif path in EXPLAINED:
            why, instead = EXPLAINED[path]
            self._findings.refuse(mark, path, why, read=key, allowed=", ".join(self._keys), fix=instead)
        elif key not in self._keys:
            self._refuse_unknown(key, mark, path)
        elif isinstance(entry.value, Scalar) and entry.value.is_null:
            self._named.add(key)
            self._findings.refuse(mark, path, "nothing is given", read=entry.value.text, allowed="a value, or no key")
        else:
            self._named.add(key)
            self._entries[key] = entry

    def _refuse_unknown(self, key: str, mark: Mark, path: str) -> None:
        head = key.split(".", 1)[0]
        if key[:1].isdigit():
            fix: str | None = "a number without a comma: inside { } and [ ] a comma ends the value"
        elif "." in key and head in self._keys:
            fix = ": {".join(key.split(".")) + ": …" + "}" * key.count(".")
        else:
            moved = elsewhere(key) if self._path in KEYS else None
            fix = moved or " or ".join(nearest(key, self._keys)) or None
        self._findings.refuse(mark, path, "unknown key", read=key, allowed=", ".join(self._keys), fix=fix)


def shown(node: Node) -> str:
    """Return what stands at `node`, in a few words."""
    if isinstance(node, Scalar):
        return node.text
    return "a list" if isinstance(node, Items) else "a mapping"
