# Todo API for a container or a Docker Space on Hugging Face. It needs DATABASE_URL and JWT_SECRET:
#   docker run -p 7860:7860 -e DATABASE_URL=postgresql://… -e JWT_SECRET=… todo-api
# Metrics for Prometheus, to whoever gets at the container's port 9464: -e METRICS_PORT=9464 -e METRICS_HOST=0.0.0.0
# Behind a proxy that can't be bypassed, set TRUSTED_PROXIES too, or all clients share one rate limit.

FROM python:3.13-slim AS build
WORKDIR /app
RUN python -m venv /app/venv
COPY pyproject.toml setup.cfg LICENSE README.md ./
COPY todo_api todo_api
COPY sql sql
COPY migrations migrations
RUN /app/venv/bin/pip install --no-cache-dir --only-binary :all: '.[redis]' \
    && /app/venv/bin/pip uninstall --yes pip

FROM python:3.13-slim
RUN useradd --uid 1000 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin todo
WORKDIR /app
COPY --from=build /app/venv /app/venv
ENV PATH=/app/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOST=0.0.0.0 \
    PORT=7860
USER 1000
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f\"http://127.0.0.1:{os.environ['PORT']}/health/ready\", timeout=4)"]
STOPSIGNAL SIGTERM
CMD ["todo-api", "serve"]
