# One image for every process of trimtab; the command says which one runs.
FROM python:3.11-slim-bookworm AS build
WORKDIR /build
COPY requirements.runtime.lock requirements.build.lock ./
RUN python -m venv /opt/trimtab \
 && /opt/trimtab/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.runtime.lock \
 && python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes -r requirements.build.lock
COPY pyproject.toml README.md LICENSE ./
COPY schemas schemas
COPY services services
RUN python -m pip wheel --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir /wheels . \
 && /opt/trimtab/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-index /wheels/*.whl \
 && /opt/trimtab/bin/pip uninstall --yes --quiet pip setuptools

FROM python:3.11-slim-bookworm
# A number, so that an orchestrator can see that it is not root.
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin trimtab
COPY --from=build /opt/trimtab /opt/trimtab
ENV PATH=/opt/trimtab/bin:$PATH PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /tmp
ENTRYPOINT ["trimtab"]
CMD ["--help"]
