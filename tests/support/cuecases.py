"""Policies in CUE and statements for them, made by chance: half of them fit, and the other half almost does."""

import json
import random
from typing import Any

_TEXTS = (
    "a",
    "b",
    "",
    "https://github.com/acme/shop",
    "2024-01-31T00:00:00Z",
    "2024-01-31T00:00:00.5Z",
    "x\n",
    "é",
    "1",
)
_NUMBERS = (0, 1, 2, -1, 1.5, 1.0, 10**21, 2**53 + 1, 1e3, 0.1, 1e-7)
_EXPRESSIONS = ("^a$", "a", "^https://github.com/acme/", "[0-9]+", ".*", "$", r"^\\w*$", r"\\d", "(?i)A", "^$")
_KEYS = ("builder", "id", "when", "items", "n", "s", "b", "deep")


class Cases:
    """Pairs of a policy and a statement (as JSON), the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)

    def pair(self) -> tuple[str, str]:
        """A policy, and a statement that may fit it."""
        statement = {
            "_type": "https://in-toto.io/Statement/v1",
            "predicateType": "https://slsa.dev/provenance/v1",
            "subject": [{"name": "x", "digest": {"sha256": "00"}}],
            "predicate": self._struct(3),
        }
        self._lines: list[str] = []
        self._packages: set[str] = set()
        policy = self._members({"predicate": statement["predicate"]}, 0, rare=30)
        policy += self._extras()
        if self._rare(4):
            self._mutate(statement["predicate"])
        imports = "".join(f'import "{name}"\n' for name in sorted(self._packages))
        helpers = "".join(f"{line}\n" for line in self._lines)
        return f"{'package p' + chr(10) if self._rare(10) else ''}{imports}{helpers}{policy}", json.dumps(statement)

    # -- statements ----------------------------------------------------------------------------------------------------

    def _struct(self, depth: int) -> dict[str, Any]:
        keys = self._chance.sample(_KEYS, self._chance.randrange(5))
        return {key: self._value(depth - 1) for key in keys}

    def _value(self, depth: int) -> Any:
        kind = self._chance.randrange(10)
        if kind < 4 or depth <= 0:
            return self._pick(_TEXTS)
        if kind < 6:
            return self._pick(_NUMBERS)
        if kind == 6:
            return self._pick((True, False, None))
        if kind == 7:
            return [self._value(depth - 1) for _ in range(self._chance.randrange(3))]
        return self._struct(depth)

    def _mutate(self, struct: dict[str, Any]) -> None:
        if not struct:
            return
        key = self._pick(tuple(sorted(struct)))
        if isinstance(struct[key], dict) and struct[key] and not self._rare(3):
            self._mutate(struct[key])
        elif self._rare(2):
            del struct[key]
        else:
            struct[key] = self._value(2)

    # -- policies ------------------------------------------------------------------------------------------------------

    def _members(self, struct: dict[str, Any], depth: int, rare: int = 4) -> str:
        pad = "  " * depth
        lines = []
        for key, value in struct.items():
            if self._rare(rare):
                continue
            times = 2 if self._rare(8) else 1
            lines += [f"{pad}{self._label(key)}{self._constraint(value, depth)}" for _ in range(times)]
        if self._rare(12):
            lines.append(f"{pad}missing: {self._constraint(self._value(1), depth).removeprefix(':').strip()}")
        if self._rare(12):
            lines.append(f"{pad}...")
        if struct and depth and self._rare(10):
            lines.append(self._guard(struct, pad))
        self._chance.shuffle(lines)
        if "..." in "".join(lines):
            lines.sort(key=lambda line: line.strip() == "...")
        return "".join(f"{line}{self._pick(('', '', ','))}{self._pick(('', ' // said'))}\n" for line in lines)

    def _guard(self, struct: dict[str, Any], pad: str) -> str:
        key = self._pick(tuple(sorted(struct)))
        literal = json.dumps(self._value(0))
        condition = self._pick(
            (f"{key} == {literal}", f"{key} != {literal}", f"len({key}) > 0", f"!({key} == {literal})")
        )
        other = self._pick(tuple(sorted(struct)))
        return f"{pad}if {condition} {{\n{pad}  {other}: {self._scalar(struct[other])}\n{pad}}}"

    def _label(self, key: str) -> str:
        return self._pick((key, key, f'"{key}"')) + self._pick(("", "", "", "", "?", "!"))

    def _constraint(self, value: Any, depth: int) -> str:
        if isinstance(value, dict):
            if len(value) == 1 and self._rare(2):
                ((key, inner),) = value.items()
                return f": {key}{self._constraint(inner, depth)}"
            if self._rare(6):
                return (
                    f": {self._package('struct')}.{self._pick(('MinFields', 'MaxFields'))}({self._chance.randrange(4)})"
                )
            inner = self._members(value, depth + 1)
            return f": {{\n{inner}{'  ' * depth}}}"
        if isinstance(value, list):
            return f": {self._list(value)}"
        return f":{self._pick((' ', '', chr(10)))}{self._scalar(value)}"

    def _list(self, value: list[Any]) -> str:
        if self._rare(3):
            return f"{self._package('list')}.{self._pick(('MinItems', 'MaxItems'))}({self._chance.randrange(4)})"
        items = [self._scalar(item) for item in value]
        if self._rare(3):
            items = [*items[: self._chance.randrange(3)], self._pick(("...", "...string", "...number", "..._"))]
        return f"[{', '.join(items)}]"

    def _scalar(self, value: Any) -> str:
        if isinstance(value, dict | list):
            return "_"
        good = self._fitting(value)
        kind = self._chance.randrange(12)
        if kind == 0:
            return self._fitting(self._value(0))
        if kind == 1:
            return f"{good} & {self._fitting(value)}"
        if kind == 2:
            return f"{self._pick(('', '*'))}{self._literal(self._value(0))} | {good}"
        if kind == 3:
            return f"({good} | {self._fitting(self._value(0))}) & {self._fitting(value)}"
        return good

    def _fitting(self, value: Any) -> str:
        """A constraint that was meant for `value`."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, bool):
            return self._pick((self._literal(value), "bool", "_", "!=null"))
        if value is None:
            return self._pick(("null", "_"))
        bound = self._literal(self._pick(_NUMBERS))
        return self._pick((self._literal(value), "number", "int", "float", f">={bound}", f"<{bound}", f"!={bound}"))

    def _text(self, value: str) -> str:
        kind = self._chance.randrange(8)
        if kind == 0:
            return self._pick(("=~", "!~")) + f'"{self._pick(_EXPRESSIONS)}"'
        if kind == 1:
            function = self._pick(("HasPrefix", "HasSuffix", "Contains"))
            return f"{self._package('strings')}.{function}({json.dumps(value[:1])})"
        if kind == 2:
            return f"{self._package('strings')}.{self._pick(('MinRunes', 'MaxRunes'))}({self._chance.randrange(3)})"
        if kind == 3:
            name = f"when{len(self._lines)}"
            self._package("time")
            self._lines.append(
                f'{name}: time.Parse(time.RFC3339, "2024-01-3{self._pick("01")}T00:00:00+0{self._pick("01")}:00")'
            )
            return self._pick(("<", ">=", "!=", "")) + name
        if kind == 4:
            return self._pick(("<", "<=", ">", ">=", "!=")) + self._literal(self._pick(_TEXTS))
        return self._pick((self._literal(value), self._literal(value), "string"))

    def _extras(self) -> str:
        return self._pick(
            (
                "",
                "",
                "",
                '_type: "hidden"\n',
                'predicateType: =~"slsa"\n',
                'subject: [{name: "x"}]\n',
                "{predicate: {...}}\n",
            )
        )

    def _literal(self, value: Any) -> str:
        return json.dumps(value, ensure_ascii=False)

    def _package(self, name: str) -> str:
        self._packages.add(name)
        return name

    def _rare(self, one_in: int) -> bool:
        return self._chance.randrange(one_in) == 0

    def _pick(self, choices: Any) -> Any:
        return self._chance.choice(choices)


_PIECES = (
    *'{}[]():,.&|<>!*+-?"\\#_~=/@;$ \n\t\r01ea', "...", "...int", "if ", "for ", "let ", "_|_", "null", '"""', "//", "\\(",
    '#"', '"#', "&&", "||", "==", "<-", "package p\n", 'import "list"\n', "len(", "string", "int", "\ufeff", "é", "1.0", "1e3",
    "{a: 1}", "()", ".a", "[0]",
)  # fmt: skip


def broken(policy: str, chance: random.Random) -> str:
    """`policy` with one to three small changes anywhere."""
    for _ in range(chance.randrange(1, 4)):
        place = chance.randrange(len(policy) + 1)
        skipped = chance.choice((0, 1, 1))
        policy = policy[:place] + chance.choice(("", *_PIECES)) + policy[place + skipped :]
    return policy
