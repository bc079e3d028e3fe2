# Both stand-ins of embedded/, in place of EventStoreDB's and MongoDB's images.
ARG BASE
FROM ${BASE}
RUN python -m venv /opt/stores
WORKDIR /source
COPY requirements.lock ./
RUN /opt/stores/bin/pip install --quiet --requirement requirements.lock
COPY embedded embedded
COPY infrastructure infrastructure
ENV PATH=/opt/stores/bin:/usr/bin PYTHONPATH=/source
