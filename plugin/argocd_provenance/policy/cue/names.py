"""What can be said of a policy before any statement is seen: names, packages, calls, expressions.

CUE resolves names by the text, innermost struct first; a name that is nowhere, and a package that nobody uses, are faults
there and here.
"""

from collections.abc import Iterator, Mapping

from argocd_provenance.policy.cue import builtins
from argocd_provenance.policy.cue.agree import agree
from argocd_provenance.policy.cue.parser import PACKAGES
from argocd_provenance.policy.cue.syntax import (
    All,
    Any,
    Bound,
    Call,
    CueError,
    Expression,
    Field,
    File,
    Guard,
    List,
    Node,
    Reference,
    Struct,
    Type,
    Value,
    children,
)
from argocd_provenance.policy.cue.values import Undecided, compiled
from argocd_provenance.records import dataclass


@dataclass(frozen=True, slots=True)
class Checked:
    """A policy whose names all mean something. `helpers` are its own fields: not demanded of the statement."""

    file: File
    helpers: frozenset[str]
    warnings: tuple[str, ...]


def check(file: File, known: frozenset[str]) -> Checked:
    """`file`, if all its names mean something; `known` are the fields that a statement can have. Raises `CueError`."""
    used: set[str] = set()
    referenced: set[int] = set()
    for node, scopes in _walk(file.body, ()):
        if isinstance(node, Type | Call):
            _refuse_shadows(node, scopes)
        if isinstance(node, Field):
            _check_field(node, file, top=scopes == (file.body,))
        elif isinstance(node, Guard) and all(scope is file.body or scope in file.body.members for scope in scopes):
            raise CueError(
                "an if at the top is decided by cue before there is a statement; put it inside a field", node.line
            )
        elif isinstance(node, Call):
            _check_call(node, file, used)
        elif isinstance(node, Reference):
            _check_reference(node, scopes, file, used, referenced)
        elif isinstance(node, Bound):
            _check_bound(node)
    for package, line in file.imports.items():
        if package not in used:
            raise CueError(f"{package} is imported and not used", line)
    helpers = _helpers(file, known, referenced)
    return Checked(file, helpers, tuple(_warnings(file, known, helpers)))


def constraints(struct: Struct, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text that a field is compared with, by the path of the field."""
    for member in struct.members:
        if isinstance(member, Field):
            here = f"{path}.{member.label}" if path else member.label
            yield from _texts(member.value, here)
        elif isinstance(member, Struct):
            yield from constraints(member, path)


def _texts(value: Expression, path: str) -> Iterator[tuple[str, str]]:
    match value:
        case Struct():
            yield from constraints(value, path)
        case Value(value=str(said)) | Bound(operand=Value(value=str(said)), order="=~"):
            yield path, said
        case All() | Any():
            for part in value.parts:
                yield from _texts(part, path)


def _walk(node: Node, scopes: tuple[Struct, ...]) -> Iterator[tuple[Node, tuple[Struct, ...]]]:
    """Every node under `node`, with the structs around it, outermost first."""
    inner = (*scopes, node) if isinstance(node, Struct) else scopes
    for child in children(node):
        yield child, inner
        yield from _walk(child, inner)


def _refuse_shadows(node: Type | Call, scopes: tuple[Struct, ...]) -> None:
    """Refuse a builtin where a field of its name would be meant: cue finds the innermost."""
    name = node.name.partition(".")[0]
    for scope in scopes:
        if name in scope.names:
            line = scope.names[name].line
            raise CueError(f"the field {name} hides the builtin of that name; put its name in quotes", line)


def _check_field(field: Field, file: File, *, top: bool) -> None:
    if field.named and top and field.label in file.imports:
        raise CueError(f"the field {field.label} has the name of an imported package; put it in quotes", field.line)
    if field.hidden and not top:
        raise CueError(f"the hidden field {field.label} is read at the top only; put its name in quotes", field.line)


def _check_call(call: Call, file: File, used: set[str]) -> None:
    package, _, _ = call.name.rpartition(".")
    if package and package not in file.imports:
        raise CueError(f"{package} is not imported", call.line)
    used.add(package)
    if reason := builtins.known(call.name, len(call.arguments or ())):
        raise CueError(reason, call.line)
    if call.name == "time.Parse" and call.arguments:
        layout, text = call.arguments
        if not isinstance(layout, Reference) or str(layout) not in builtins.CONSTANTS:
            raise CueError("time.Parse is read with time.RFC3339 and time.RFC3339Nano only", call.line)
        if not isinstance(text, Value) or not isinstance(text.value, str):
            raise CueError("time.Parse is read with a literal text only", call.line)
        try:
            builtins.instant(text.value)
        except Undecided as error:
            raise CueError(str(error), call.line) from error
    elif call.name in builtins.VALIDATORS:
        _check_limit(call)


def _check_limit(call: Call) -> None:
    argument = (call.arguments or ())[0]
    if not isinstance(argument, Value):
        raise CueError(f"{call.name} is read with a literal only", call.line)
    try:
        builtins.validated(call.name, argument.value, None)
    except Undecided as error:
        raise CueError(str(error), call.line) from error


def _check_reference(
    reference: Reference, scopes: tuple[Struct, ...], file: File, used: set[str], referenced: set[int]
) -> None:
    for scope in reversed(scopes):
        if reference.name in scope.names:
            if any(m.label == reference.name and m.mark for m in scope.members if isinstance(m, Field)):
                raise CueError(f"{reference.name} is an optional field, which cannot be referred to", reference.line)
            referenced.add(id(scope.names[reference.name]))
            return
    if reference.name not in file.imports:
        missing = " (it is not imported)" if reference.name in PACKAGES else ""
        raise CueError(f"the reference {reference.name} is not found{missing}", reference.line)
    used.add(reference.name)
    if str(reference) not in builtins.CONSTANTS:
        known = ", ".join(sorted(builtins.CONSTANTS))
        raise CueError(f"{reference} is not read here; known constants are {known}", reference.line)


def _check_bound(bound: Bound) -> None:
    if isinstance(bound.operand, Bound | Type | List | Struct | All | Any):
        raise CueError(f"{bound.order} is read with a value only", bound.line)
    if not isinstance(bound.operand, Value):
        return
    said = bound.operand.value
    if isinstance(said, bool) or (said is None and bound.order != "!="):
        raise CueError(f"{bound.order} takes no {'null' if said is None else 'boolean'}", bound.line)
    if bound.order in {"=~", "!~"}:
        if not isinstance(said, str):
            raise CueError(f"{bound.order} takes a text", bound.line)
        try:
            compiled(said)
        except ValueError as error:
            raise CueError(str(error), bound.line) from error


def _helpers(file: File, known: frozenset[str], referenced: set[int]) -> frozenset[str]:
    """The policy's own fields: hidden ones, and those at the top that no statement has and an expression refers to."""
    found: dict[str, Field] = {}
    for member in file.body.members:
        if not isinstance(member, Field) or not (member.hidden or _is_helper(member, known, referenced)):
            continue
        if member.label in found:
            raise CueError(f"the policy's own field {member.label} stands twice; keep one", member.line)
        found[member.label] = member
    for member in file.body.members:
        if isinstance(member, Field) and member.label in found and member is not found[member.label]:
            raise CueError(f"the policy's own field {member.label} stands twice; keep one", member.line)
    for label, member in found.items():
        _check_helper(label, member.value, found, (label,))
    return frozenset(found)


def _is_helper(member: Field, known: frozenset[str], referenced: set[int]) -> bool:
    if not member.named or member.mark or member.label in known:
        return False
    return id(member) in referenced or (isinstance(member.value, Call) and member.value.name == "time.Parse")


def _check_helper(label: str, value: Expression, helpers: Mapping[str, Field], seen: tuple[str, ...]) -> None:
    """Refuse an own field that cue could find wrong without anybody asking for it."""
    for node in (value, *(node for node, _ in _walk(value, ()))):
        own = isinstance(node, Value | Type | Bound | All | Any)
        called = isinstance(node, Call) and node.name != "len"
        if isinstance(node, Reference):
            if node.name in seen:
                raise CueError(f"the policy's own field {label} refers to itself", node.line)
            if node.name in helpers:
                _check_helper(label, helpers[node.name].value, helpers, (*seen, node.name))
            own = node.name in helpers or str(node) in builtins.CONSTANTS
        if not own and not called:
            raise CueError(
                f"the policy's own field {label} is read as a text, a number, a time or a bound only", node.line
            )
    if isinstance(value, All) and not agree([value]):
        raise CueError(
            f"what the policy's own field {label} says contradicts itself, or is not seen through", value.line
        )


def _warnings(file: File, known: frozenset[str], helpers: frozenset[str]) -> Iterator[str]:
    """What a lint says of it."""
    constraining = False
    for member in file.body.members:
        if isinstance(member, Field) and member.label.startswith("_") and member.hidden:
            yield f"CUE line {member.line}: {member.label} is a hidden field and constrains nothing; put its name in quotes"
        elif isinstance(member, Field) and member.label not in helpers and member.mark != "?":
            constraining = True
            if member.label not in known:
                yield f"CUE line {member.line}: no statement has a field {member.label}, so nothing can match"
        elif isinstance(member, Guard | Struct):
            constraining = True
    if not constraining:
        yield "CUE: the policy constrains nothing"
