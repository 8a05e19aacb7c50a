# syntax=docker/dockerfile:1
# The sidecar's image: the plugin, kustomize and helm, and Argo CD's plugin file.
#
# Nothing here has a default that would be taken on trust: the base image and both downloads are named by digest, and
# whoever builds looks the digests up where their publishers state them.
#
#   docker build . \
#     --build-arg PYTHON_IMAGE=docker.io/library/python:3.13-slim@sha256:…    (docker buildx imagetools inspect python:3.13-slim)
#     --build-arg KUSTOMIZE_SHA256=…    (checksums.txt of release kustomize/v5.8.1 on GitHub, for this architecture)
#     --build-arg HELM_SHA256=…         (https://get.helm.sh/helm-v4.2.4-linux-<arch>.tar.gz.sha256sum)
#
# The base needs Python 3.11 or newer with venv, and CA certificates. Without a network, give both inputs as folders, and
# nothing is fetched: `--build-context tools=DIR` with the programs kustomize and helm, `--build-context wheels=DIR` with
# the wheels of this project and of all it needs (`pip wheel --wheel-dir DIR '.[redis,otel]'`). `make image` does that.
#
# The Python dependencies come from the package index, within the ranges of pyproject.toml; they are not pinned by hash.
# The versions are those of Argo CD 3.6 (hack/tool-versions.sh), so that renders equal native ones.

ARG PYTHON_IMAGE
# What the config can ask for beyond the usual: `cache.redis` and a collector. For Rego in a ClusterImagePolicy build with
# EXTRAS=redis,otel,rego, on a base with glibc 2.34 and libatomic.so.1, which slim images lack.
ARG EXTRAS=redis,otel

FROM ${PYTHON_IMAGE} AS fetched
ARG TARGETARCH
ARG KUSTOMIZE_VERSION=5.8.1
ARG KUSTOMIZE_SHA256
ARG HELM_VERSION=4.2.4
ARG HELM_SHA256
RUN test -n "${KUSTOMIZE_SHA256}" || { echo "KUSTOMIZE_SHA256 is not set: see the head of the Dockerfile" >&2; exit 1; }
RUN test -n "${HELM_SHA256}" || { echo "HELM_SHA256 is not set: see the head of the Dockerfile" >&2; exit 1; }
ADD --checksum=sha256:${KUSTOMIZE_SHA256} https://github.com/kubernetes-sigs/kustomize/releases/download/kustomize%2Fv${KUSTOMIZE_VERSION}/kustomize_v${KUSTOMIZE_VERSION}_linux_${TARGETARCH}.tar.gz /fetched/kustomize.tar.gz
ADD --checksum=sha256:${HELM_SHA256} https://get.helm.sh/helm-v${HELM_VERSION}-linux-${TARGETARCH}.tar.gz /fetched/helm.tar.gz
RUN mkdir /tools \
 && tar -xzf /fetched/kustomize.tar.gz -C /tools kustomize \
 && tar -xzf /fetched/helm.tar.gz -C /tools --strip-components=1 linux-${TARGETARCH}/helm

FROM scratch AS tools
COPY --from=fetched /tools/ /

FROM ${PYTHON_IMAGE} AS built
WORKDIR /source
COPY pyproject.toml README.md LICENSE ./
COPY plugin plugin
ARG EXTRAS
RUN python3 -m venv /build && /build/bin/pip wheel --no-cache-dir --wheel-dir /wheels ".[${EXTRAS}]"

FROM scratch AS wheels
COPY --from=built /wheels/ /

FROM ${PYTHON_IMAGE} AS installed
COPY --from=wheels / /wheels/
ARG EXTRAS
RUN python3 -m venv --copies /opt/argocd-provenance \
 && /opt/argocd-provenance/bin/python -m pip install --no-cache-dir --no-index --find-links /wheels "argocd-provenance[${EXTRAS}]" \
 && /opt/argocd-provenance/bin/python -m pip uninstall --yes pip setuptools
# The root file system is read-only at run time: byte code is made here, and never compared with its source.
RUN /opt/argocd-provenance/bin/python -m compileall -q --invalidation-mode unchecked-hash /opt/argocd-provenance/lib

FROM ${PYTHON_IMAGE}
COPY --from=tools /kustomize /helm /usr/local/bin/
COPY --from=installed /opt/argocd-provenance /opt/argocd-provenance
COPY argocd/plugin.yaml /home/argocd/cmp-server/config/plugin.yaml
# The operator's ConfigMaps are mounted at config/ and policies/: side by side, as a ConfigMap cannot be mounted in another.
RUN mkdir -p /etc/argocd-provenance/config /etc/argocd-provenance/policies /etc/argocd-provenance/registry \
      /var/cache/argocd-provenance /var/lib/argocd-provenance /home/argocd/cmp-server/plugins \
 && ln -s config/config.yaml /etc/argocd-provenance/config.yaml \
 && chown 999:999 /var/cache/argocd-provenance /var/lib/argocd-provenance /home/argocd/cmp-server/plugins
ENV PYTHONDONTWRITEBYTECODE=1 HOME=/tmp
USER 999
RUN ["/opt/argocd-provenance/bin/python", "-I", "-m", "argocd_provenance", "--version"]
# Libraries of extras may want more of the base than it has: better to hear it now.
RUN ["/opt/argocd-provenance/bin/python", "-I", "-c", "import importlib.util as have; [__import__(name) for name in ('redis', 'regopy', 'opentelemetry') if have.find_spec(name)]"]
RUN ["/usr/local/bin/kustomize", "version"]
RUN ["/usr/local/bin/helm", "version"]
# Argo CD brings the server itself: its init container puts it into the shared volume that the Deployment mounts here.
# `serve` becomes it at once, whatever happens, and keeps a process ready for the plugin in the background.
ENTRYPOINT ["/opt/argocd-provenance/bin/python", "-I", "-m", "argocd_provenance", "serve", "--", "/var/run/argocd/argocd-cmp-server"]
