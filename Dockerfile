# A reviewer's whole machine but the driver: docker build -t app-repro . && docker run --gpus all app-repro dvc repro
# The base carries the CUDA release that the locked torch is built for, and nothing else of CUDA: torch's wheels bring the rest.
ARG BASE_IMAGE=nvidia/cuda:13.0.3-base-ubuntu24.04@sha256:7c7413a56200486f71f181cad9310f6fd31b6bb21816ade15fc9c1e1e927a5c1
# hadolint ignore=DL3006
FROM ${BASE_IMAGE}

# Versions of these four are the distribution's of the pinned base: an exact pin would break with its next security update.
# hadolint ignore=DL3008
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends ca-certificates python3 python3-venv tini \
    && rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb /var/log/apt /var/log/dpkg.log

# Every package by its hash. What comes as a source archive is built with the locked setuptools, not with whatever is newest.
# Wheels of CUDA and Triton bring 83 MB of static libraries, which only who links programs needs.
COPY requirements.lock /opt/
RUN python3 -m venv /opt/venv \
    && sed -n '/^setuptools==/,/[^\\]$/p' /opt/requirements.lock > /tmp/setuptools.lock \
    && /opt/venv/bin/pip install --quiet --no-cache-dir --disable-pip-version-check --require-hashes --no-deps \
        -r /tmp/setuptools.lock \
    && /opt/venv/bin/pip install --quiet --no-cache-dir --disable-pip-version-check --require-hashes --no-deps \
        --no-build-isolation --use-pep517 -r /opt/requirements.lock \
    && find /opt/venv -name '*.a' -delete \
    && rm -rf /tmp/* /root/.cache

COPY . /app
WORKDIR /app
RUN /opt/venv/bin/pip install --quiet --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation --editable . \
    && /opt/venv/bin/python -m compileall -q app_repro \
    && chmod -R a+rX . \
    && useradd --no-log-init --no-create-home --home-dir /tmp --uid 10001 app \
    && install --directory --mode=1777 /out \
    && rm -rf /tmp/* /root/.cache

# HOME, USER and LOGNAME stand in for an entry in passwd, which a user given with --user does not have.
ENV PATH=/opt/venv/bin:$PATH HOME=/tmp USER=app LOGNAME=app \
    PYTHONSAFEPATH=1 PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 DVC_NO_ANALYTICS=1 DVC_SITE_CACHE_DIR=/tmp/dvc \
    NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility

ARG SOURCE=""
ARG REVISION=""
LABEL org.opencontainers.image.title="app-repro" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.revision="${REVISION}"
ENV APP_REPRO_REVISION=${REVISION}

USER 10001
WORKDIR /out
# SIGINT to the whole group, as Ctrl-C: DVC waits for its stage then, which saves its state; SIGTERM would end DVC at once.
STOPSIGNAL SIGINT
ENTRYPOINT ["tini", "-g", "-s", "--", "python", "-m", "app_repro.machine.container"]
