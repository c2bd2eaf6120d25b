# syntax=docker/dockerfile:1
#
# An image with whisper-hip compiled for AMD GPUs. This file has not been built by the project.
#
#   npm pack                                              # in a checkout: whisper-hip-0.1.0.tgz
#   docker build -f examples/rocm.Dockerfile -t whisper-hip \
#     --build-arg GPU_TARGETS='gfx1100;gfx1201' --build-arg MODEL=base .
#   docker run --rm --device /dev/kfd --device /dev/dri \
#     --group-add "$(stat -c %g /dev/kfd)" --group-add "$(stat -c %g /dev/dri/renderD128)" \
#     whisper-hip doctor --require-gpu
#
# Groups are given by number when the container starts: those of the image have other numbers than the host's.

ARG ROCM_VERSION=7.2.4
ARG UBUNTU_VERSION=24.04
ARG NODE_VERSION=24

FROM node:${NODE_VERSION}-bookworm-slim AS node

# The compiler and the development files of hip, rocBLAS and hipBLAS.
FROM rocm/dev-ubuntu-${UBUNTU_VERSION}:${ROCM_VERSION}-complete AS build
COPY --from=node /usr/local /usr/local
RUN apt-get update \
  && apt-get install --yes --no-install-recommends cmake g++ ninja-build \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /app
ARG PACKAGE=whisper-hip-0.1.0.tgz
COPY ${PACKAGE} /tmp/whisper-hip.tgz
# No GPU is there while an image is built: the chips must be named.
ARG GPU_TARGETS=gfx1030;gfx1100;gfx1101;gfx1102;gfx1200;gfx1201
# --hip: the build fails where it could not make the HIP module.
RUN npm init --yes > /dev/null \
  && npm install --no-audit --no-fund --ignore-scripts /tmp/whisper-hip.tgz \
  && WHISPER_HIP_PORTABLE=1 npx whisper-hip build --hip --targets "${GPU_TARGETS}" \
  && find node_modules/whisper-hip/build -mindepth 1 -maxdepth 1 ! -name Release -exec rm -r {} +

# The runtime libraries alone. They must be of the release that the module was compiled with.
FROM rocm/dev-ubuntu-${UBUNTU_VERSION}:${ROCM_VERSION}
RUN apt-get update \
  && apt-get install --yes --no-install-recommends rocblas hipblas \
  && rm -rf /var/lib/apt/lists/* \
  && useradd --uid 10001 --create-home whisper \
  && install --directory --owner whisper /models
COPY --from=node /usr/local/bin/node /usr/local/bin/node
COPY --from=build /app /app
ENV WHISPER_HIP_CACHE=/models
USER 10001
# Empty: models are downloaded when they are first used. Mount a volume at /models to keep them.
ARG MODEL=
RUN if [ -n "${MODEL}" ]; then node /app/node_modules/whisper-hip/dist/cli.js models download "${MODEL}"; fi
VOLUME /models
WORKDIR /home/whisper
ENTRYPOINT ["node", "/app/node_modules/whisper-hip/dist/cli.js"]
CMD ["doctor", "--require-gpu"]
