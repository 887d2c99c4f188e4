# docker build -t jwtgate --build-arg COMMIT=$(git rev-parse --short=12 HEAD) .
# The Node of this image only brings npm: jwtgate is built with, and into, the Node that package-lock.json pins.
ARG BUILD_IMAGE=docker.io/library/node:24-bookworm-slim
ARG RUN_IMAGE=gcr.io/distroless/cc-debian12:nonroot

FROM ${BUILD_IMAGE} AS build
# libatomic1: the pinned Node needs it. binutils: strip, which makes the executable a fifth smaller.
RUN apt-get update && apt-get install -y --no-install-recommends libatomic1 binutils && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
COPY tools ./tools
COPY src ./src
ARG COMMIT=unknown
RUN JWTGATE_COMMIT=${COMMIT} npm run build
RUN mkdir -p out && cp -L /usr/lib/*-linux-gnu/libatomic.so.1 out/ && cp dist/jwtgate out/

# No shell, no package manager; glibc, libstdc++, libgcc and CA certificates are what is there.
FROM ${RUN_IMAGE}
ARG COMMIT=unknown
ARG VERSION=0.1.0
LABEL org.opencontainers.image.title="jwtgate" \
      org.opencontainers.image.description="A reverse proxy that lets only requests with a verified JWT through" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${COMMIT}"
COPY --from=build /src/out/libatomic.so.1 /usr/lib/
COPY --from=build /src/out/jwtgate /usr/local/bin/jwtgate
# By number, so that Kubernetes can see that it is not root (runAsNonRoot).
USER 65532:65532
EXPOSE 8080 9901
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s CMD ["/usr/local/bin/jwtgate", "healthcheck"]
ENTRYPOINT ["/usr/local/bin/jwtgate"]
CMD ["run"]
