# Three images from one file: `build` compiles, `test` runs the tests, `production` (the default, the last) runs the API
# with nothing in it but Node, the compiled code and the run-time dependencies.

FROM node:22.23.3-bookworm-slim AS base
WORKDIR /app

FROM base AS build
RUN chown node:node /app
USER node
COPY --chown=node:node package.json package-lock.json ./
# No script of another's package runs, whatever this npm makes of allowScripts in package.json.
RUN npm ci --ignore-scripts
COPY --chown=node:node . .
RUN npm run build && node tools/build.mjs admin

# On the server that TEST_DATABASE_URL names: docker compose run --rm --build test
FROM build AS test
# The README's first session is a test, and asks with curl.
USER root
RUN apt-get update && apt-get install --yes --no-install-recommends curl && rm -rf /var/lib/apt/lists/*
USER node
CMD ["npm", "test"]

# Optional dependencies are the embedded database for development, which production refuses anyway.
FROM base AS dependencies
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --omit=optional --ignore-scripts

FROM base AS production
# A container is reached by others: keys are asked for, unless whoever starts it says AUTH=open. The first one is made by
# node dist/admin/main.js keys create --name admin --scopes all
LABEL org.opencontainers.image.title=token-pool-service \
  org.opencontainers.image.version=0.2.0 \
  org.opencontainers.image.licenses=MIT
ENV NODE_ENV=production HOST=0.0.0.0 PORT=4000 AUTH=keys
# package.json says that the compiled files are ES modules.
COPY package.json ./
COPY --from=dependencies /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
USER node
EXPOSE 4000
# Ready is more than alive: without the database the container is shown as unhealthy, and nothing restarts it for that.
HEALTHCHECK --interval=5s --timeout=4s --start-period=30s --retries=3 \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + process.env.PORT + '/health/ready').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Node itself is PID 1 and handles SIGTERM; it starts no other process, so there is nothing for an init to reap.
CMD ["node", "dist/api/main.js"]
