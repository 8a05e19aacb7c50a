"""Every fact that was proved, with its value and where it was read: what ``--explain`` prints."""

from argocd_provenance.evidence.values import Evidence

# Long predicates (an SBOM has megabytes) are cut for people; the JSON of the bundle has the rest.
_PREDICATE_LIMIT = 3000


def explain(evidence: Evidence) -> list[str]:
    """Lines about one piece of evidence: signer, certificate fields with their OIDs, log entry, times, predicate."""
    lines = [f"{evidence.kind} ({evidence.form}, from {evidence.source}, {evidence.digest})"]
    lines += [f"  subject = {evidence.subject}", f"  trust = {evidence.anchor.name}"]
    if evidence.certificate is not None:
        certificate = evidence.certificate
        lines += [f"  identity = {certificate.identity}  (certificate: subject alternative name)"]
        lines += [
            f"  issuer = {certificate.issuer}  (certificate: {certificate.read_from.get('issuer', 'issuer extension')})"
        ]
        lines += [
            f"  {name} = {value}  (certificate: {certificate.read_from.get(name, 'extension')})"
            for name, value in sorted(certificate.claims.items())
            if name != "issuer"
        ]
    lines += [f"  annotation {k} = {v}  (signed payload)" for k, v in sorted(evidence.annotations.items())]
    lines += [f"  names the image = {name}  (signed payload)" for name in evidence.names]
    lines += [f"  signed at = {time.isoformat()}  (proved by log or timestamp authority)" for time in evidence.times]
    if evidence.logged:
        lines += [
            f"  log entry = {evidence.log_index if evidence.log_index is not None else 'proved'}"
            + (f"  {evidence.log_url}" if evidence.log_url else "")
        ]
    if evidence.predicate_type is not None:
        import json  # noqa: PLC0415 - for who asks for it

        text = json.dumps(evidence.predicate, ensure_ascii=False, sort_keys=True)
        cut = "" if len(text) <= _PREDICATE_LIMIT else f"… ({len(text)} characters)"
        lines += [f"  predicate type = {evidence.predicate_type}", f"  predicate = {text[:_PREDICATE_LIMIT]}{cut}"]
    return lines
