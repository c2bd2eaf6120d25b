# Compiles the addon and its CPU modules, for x86-64 and for 64-bit ARM, so that they run with glibc 2.28:
#
#   docker build -t whisper-hip-builder -f scripts/builders/glibc-2.28.Dockerfile scripts/builders
#   docker run --rm -v "$PWD:/whisper-hip" whisper-hip-builder npm run release -- --dry-run
#
# The system is a newer one: scripts/support/glibc-floor.mjs makes the old C library that the outputs are linked with.
FROM node:22-bookworm-slim
RUN apt-get update \
  && apt-get install -y --no-install-recommends g++ g++-aarch64-linux-gnu cmake ninja-build ccache python3-pip binutils git ca-certificates \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /whisper-hip
