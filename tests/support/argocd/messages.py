"""The few protobuf messages of Argo CD's repo-server that tests speak, declared by field number.

Its reflection service lists services but no descriptors. Numbers: ``reposerver/repository/repository.proto`` and
``pkg/apis/application/v1alpha1/generated.proto`` of argo-cd v3.5.3; the names of fields are those of an Application's
JSON. `wire` turns a source, as it stands in an Application, into what these messages take.
"""

import base64
import copy
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = "argocd_for_tests"
_MESSAGES = """
Repository: repo=1 type=11 name=12 enableOCI=14:bool insecureOCIForceHttp=26:bool
EnvEntry: name=1 value=2
OptionalMap: map=1:map
OptionalArray: array=1*
Parameter: name=1 map=3:OptionalMap array=4:OptionalArray string=5
Plugin: name=1 env=2*:EnvEntry parameters=3*:Parameter
JsonnetVar: name=1 value=2 code=3:bool
Jsonnet: extVars=1*:JsonnetVar tlas=2*:JsonnetVar libs=3*
Directory: recurse=1:bool jsonnet=2:Jsonnet exclude=3 include=4
HelmParameter: name=1 value=2 forceString=3:bool
HelmFileParameter: name=1 path=2
RawExtension: raw=1:bytes
Helm: valueFiles=1* parameters=2*:HelmParameter releaseName=3 values=4 fileParameters=5*:HelmFileParameter version=6 passCredentials=7:bool ignoreMissingValueFiles=8:bool skipCrds=9:bool valuesObject=10:RawExtension namespace=11 kubeVersion=12 apiVersions=13* skipTests=14:bool skipSchemaValidation=15:bool
IntOrString: type=1:int64 intVal=2:int32 strVal=3
Replica: name=1 count=2:IntOrString
Gvk: group=1 version=2 kind=3
ResId: gvk=1:Gvk name=2 namespace=3
Selector: resId=1:ResId annotationSelector=2 labelSelector=3
Patch: path=1 patch=2 target=3:Selector options=4:boolmap
Kustomize: namePrefix=1 nameSuffix=2 images=3* commonLabels=4:map version=5 commonAnnotations=6:map forceCommonLabels=7:bool forceCommonAnnotations=8:bool namespace=9 commonAnnotationsEnvsubst=10:bool replicas=11*:Replica patches=12*:Patch components=13* labelWithoutSelector=14:bool kubeVersion=15 apiVersions=16* ignoreMissingComponents=17:bool labelIncludeTemplates=18:bool
Source: repoURL=1 path=2 targetRevision=4 helm=7:Helm kustomize=8:Kustomize directory=10:Directory plugin=11:Plugin chart=12 ref=13 name=14
KustomizeOptions: buildOptions=1
HelmOptions: valuesFileSchemes=1*
ManifestRequest: repo=1:Repository revision=2 noCache=3:bool appLabelKey=4 appName=5 namespace=8 applicationSource=10:Source repos=11*:Repository kustomizeOptions=13:KustomizeOptions kubeVersion=14 apiVersions=15* noRevisionCache=18:bool trackingMethod=19 enabledSourceTypes=20:boolmap helmOptions=21:HelmOptions projectSourceRepos=24* projectName=25 annotationManifestGeneratePaths=26
ManifestResponse: manifests=1* namespace=2 server=3 revision=4 sourceType=6 commands=8*
HealthCheckRequest: service=1
HealthCheckResponse: status=1:int32
"""


@cache
def classes() -> Mapping[str, Any]:
    """The message classes, by the names above."""
    file = descriptor_pb2.FileDescriptorProto(name=f"{_PACKAGE}.proto", package=_PACKAGE, syntax="proto2")
    for line in _MESSAGES.strip().splitlines():
        name, _, fields = line.partition(": ")
        message = file.message_type.add(name=name)
        for field in fields.split():
            _add(message, *field.partition(":")[::2])
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        m.name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{m.name}"))
        for m in file.message_type
    }


def _add(message: descriptor_pb2.DescriptorProto, field: str, kind: str) -> None:
    """Add a field ``name=number`` (repeated with a ``*``) of this kind, a string if none is said."""
    name, _, number = field.partition("=")
    repeated = number.endswith("*") or kind in ("map", "boolmap")
    proto = descriptor_pb2.FieldDescriptorProto
    row = message.field.add(
        name=name,
        number=int(number.rstrip("*")),
        label=proto.LABEL_REPEATED if repeated else proto.LABEL_OPTIONAL,
    )
    if kind in ("map", "boolmap"):
        entry = message.nested_type.add(name=f"{name[0].upper()}{name[1:]}Entry")
        entry.options.map_entry = True
        entry.field.add(name="key", number=1, label=proto.LABEL_OPTIONAL, type=proto.TYPE_STRING)
        entry.field.add(name="value", number=2, label=proto.LABEL_OPTIONAL, type=_scalar(kind.removesuffix("map")))
        row.type, row.type_name = proto.TYPE_MESSAGE, f".{_PACKAGE}.{message.name}.{entry.name}"
    elif kind[:1].isupper():
        row.type, row.type_name = proto.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
    else:
        row.type = _scalar(kind)


def _scalar(kind: str) -> int:
    return getattr(descriptor_pb2.FieldDescriptorProto, f"TYPE_{(kind or 'string').upper()}")


def wire(source: Mapping[str, Any]) -> dict[str, Any]:
    """`source`, as it stands in an Application, with the places changed where JSON and protobuf differ."""
    changed = copy.deepcopy(dict(source))
    for parameter in changed.get("plugin", {}).get("parameters", ()):
        parameter.update({name: {name: parameter[name]} for name in ("array", "map") if name in parameter})
    if "valuesObject" in changed.get("helm", {}):
        raw = json.dumps(changed["helm"]["valuesObject"]).encode()
        changed["helm"]["valuesObject"] = {"raw": base64.b64encode(raw).decode()}
    for replica in changed.get("kustomize", {}).get("replicas", ()):
        count = replica["count"]
        replica["count"] = {"intVal": count} if isinstance(count, int) else {"type": 1, "strVal": count}
    for patch in changed.get("kustomize", {}).get("patches", ()):
        if "target" in patch:
            patch["target"] = _selector(patch["target"])
    return changed


def _selector(target: Mapping[str, str]) -> dict[str, Any]:
    """A patch's target: flat in JSON, nested on the wire."""

    def some(*names: str) -> dict[str, str]:
        return {name: target[name] for name in names if name in target}

    named = some("name", "namespace") | {"gvk": some("group", "version", "kind")}
    return some("annotationSelector", "labelSelector") | {"resId": named}
