"""What is odd about an expression: it may be true without proving anything."""

from collections.abc import Iterator

from argocd_provenance.policy.cel.syntax import Call, Comprehension, List, Literal, Name, Node, Select, children, walk
from argocd_provenance.policy.cel.written import written

_EVIDENCE = frozenset({"predicate", "statement", "certificate", "image", "vex"})


def warnings(tree: Node) -> tuple[str, ...]:
    """What may be wrong with the expression `tree`, in the order in which it is written; nothing for a sound one.

    ``all`` over a list that may be empty is true of nothing at all; what mentions no evidence proves nothing of it; and
    ``!`` over what VEX accepts is true where somebody withholds the VEX.
    """
    found = [*_vacuous(tree, ()), *_withheld(tree, negative=False)]
    if not any(isinstance(node, Name) and node.name in _EVIDENCE for node in walk(tree)):
        found.insert(0, "speaks of no evidence, so that it is true or false whatever was signed")
    return tuple(dict.fromkeys(found))


def _vacuous(node: Node, held: tuple[Node, ...]) -> Iterator[str]:
    """A warning for each ``all`` whose range nothing in `held`, what must be true beside it, says to be there."""
    if isinstance(node, Call) and node.name == "&&":
        sides = tuple(_conjuncts(node))
        for place, side in enumerate(sides):
            yield from _vacuous(side, (*held, *sides[:place], *sides[place + 1 :]))
        return
    if isinstance(node, Comprehension) and node.macro == "all" and not any(_fills(one, node.over) for one in held):
        over = written(node.over)
        yield f"{over}.all(…) is true of an empty list; write size({over}) > 0 && {over}.all(…)"
    inner = held if isinstance(node, Comprehension) else ()
    for child in children(node):
        yield from _vacuous(child, inner)


def _conjuncts(node: Node) -> Iterator[Node]:
    if isinstance(node, Call) and node.name == "&&":
        for side in node.arguments:
            yield from _conjuncts(side)
    else:
        yield node


def _fills(condition: Node, over: Node) -> bool:
    """Whether `condition` can only be true where `over` has an item."""
    match condition:
        case Comprehension(macro="exists" | "exists_one"):
            return condition.over == over
        case Call(
            name=">" | "!=" | ">=" | "==", arguments=(Call(name="size", arguments=(sized,)), Literal(value=int(least)))
        ):
            enough = {">": least >= 0, "!=": least == 0, ">=": least >= 1, "==": least >= 1}[condition.name]
            return sized == over and enough
        case Call(name="<", arguments=(Literal(value=int(least)), Call(name="size", arguments=(sized,)))):
            return sized == over and least >= 0
        case Call(name="!=", arguments=(one, List(items=()))):
            return one == over
        case _:
            return False


def _withheld(node: Node, *, negative: bool) -> Iterator[str]:
    if isinstance(node, Select) and node.operand == Name("vex") and negative:
        yield f"denies something of {written(node)}: it is true where the VEX is withheld; write it without `!`"
    for child in children(node):
        flipped = not negative if isinstance(node, Call) and node.name == "!_" else negative
        yield from _withheld(child, negative=flipped)
