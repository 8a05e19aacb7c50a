"""An expression as text again, short, for messages."""

from argocd_provenance.policy.cel.syntax import Call, Comprehension, List, Literal, Map, Name, Node, Select


def written(node: Node) -> str:  # noqa: C901 - one line a kind of node
    """How `node` reads; what is inside of macros, lists and maps is left out."""
    match node:
        case Literal():
            return repr(node.value) if isinstance(node.value, str) else str(node.value).lower()
        case Name():
            return node.name
        case Select():
            plain = f"{written(node.operand)}.{node.field}"
            return f"has({plain})" if node.test else plain
        case Call(name="[]", arguments=(of, place)):
            return f"{written(of)}[{written(place)}]"
        case Call(method=True):
            return f"{written(node.arguments[0])}.{node.name}({', '.join(map(written, node.arguments[1:]))})"
        case Call(arguments=(left, right)) if not node.name.isalpha() or node.name == "in":
            return f"{written(left)} {node.name} {written(right)}"
        case Call():
            return f"{node.name.removesuffix('_')}({', '.join(map(written, node.arguments))})"
        case Comprehension():
            return f"{written(node.over)}.{node.macro}(…)"
        case List():
            return "[…]" if node.items else "[]"
        case Map():
            return "{…}" if node.entries else "{}"
