# One image for every Airflow component of docker-compose.yml: the product, its locked packages, no build tools.
# Behind a proxy with a certificate of its own: docs/operations/production.md.
FROM python:3.11-slim-bookworm AS packages
RUN apt-get update \
    && apt-get install -y --no-install-recommends gcc libc6-dev libmariadb-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/bongsu
COPY tools/bootstrap.txt tools/
RUN python -m venv /opt/bootstrap && /opt/bootstrap/bin/pip install --no-cache-dir --require-hashes -r tools/bootstrap.txt
COPY requirements.txt requirements-dev.txt requirements.lock ./
# The lock holds the tools of development too: requirements.txt says what is wanted, the lock which file of it. The
# builds of mysqlclient and of the project use the locked setuptools, fetched by hash like all else and not kept.
# PostgreSQL's server is for the services of a developer's machine; its pg_dump and psql are for backups.
RUN grep '^setuptools==' requirements-dev.txt >build.txt \
    && /opt/bootstrap/bin/uv venv .venv \
    && /opt/bootstrap/bin/uv pip install --python .venv/bin/python --no-cache --require-hashes \
        --requirement build.txt --constraint requirements.lock \
    && /opt/bootstrap/bin/uv pip install --python .venv/bin/python --no-cache --compile-bytecode --require-hashes \
        --no-build-isolation --requirement requirements.txt --constraint requirements.lock
# The metadata by which Airflow finds the provider, the policy and the plugin; the code itself comes later.
COPY pyproject.toml LICENSE ./
COPY tools/editable_only.py tools/
RUN /opt/bootstrap/bin/uv pip install --python .venv/bin/python --no-cache --no-deps --no-build-isolation --editable . \
    && /opt/bootstrap/bin/uv pip uninstall --python .venv/bin/python setuptools

FROM python:3.11-slim-bookworm
RUN apt-get update \
    && apt-get install -y --no-install-recommends libmariadb3 tini tzdata \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 50000 --create-home --home-dir /var/lib/airflow airflow \
    && install -d -o airflow -g airflow /var/lib/bongsu /var/lib/bongsu/out /var/lib/airflow/login /var/lib/airflow/logs
WORKDIR /opt/bongsu
COPY --from=packages /opt/bongsu/.venv .venv
COPY . .
RUN .venv/bin/python -m compileall -q dags hooks include operators sql
ENV PATH=/opt/bongsu/.venv/bin:$PATH \
    PYTHONPATH=/opt/bongsu \
    PYTHONUNBUFFERED=1 \
    LC_ALL=C.UTF-8 \
    AIRFLOW_HOME=/var/lib/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/bongsu/dags \
    BONGSU_HOME=/var/lib/bongsu
USER airflow
ENTRYPOINT ["tini", "--"]
CMD ["airflow", "version"]
