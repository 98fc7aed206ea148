# Linyue from the hash-pinned lock, in a venv of its own, run by a user without rights.
FROM python:3.13-slim AS build
WORKDIR /build
RUN python -m venv /venv
COPY requirements.txt .
RUN /venv/bin/pip install --no-cache-dir --require-hashes --requirement requirements.txt
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY migrations migrations
COPY data data
RUN /venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.13-slim
RUN useradd --system --uid 10001 --home-dir /data linyue && install --directory --owner linyue --mode 0700 /data
COPY --from=build /venv /venv
ENV PATH=/venv/bin:$PATH HOST=0.0.0.0 PORT=8000 DATA=/data
USER linyue
EXPOSE 8000
ENTRYPOINT ["linyue"]
CMD ["serve"]
