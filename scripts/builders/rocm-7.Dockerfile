# Compiles a HIP module for ROCm 7, as the tree of scripts/rocm-toolchain.mjs --rocm 7 does:
#
#   docker build -t whisper-hip-rocm-7 -f scripts/builders/rocm-7.Dockerfile scripts/builders
#   docker run --rm -v "$PWD:/whisper-hip" -e WHISPER_HIP_TARGETS=rdna4 whisper-hip-rocm-7 \
#     sh -c 'npm ci --ignore-scripts && node scripts/vendor.mjs && node scripts/build.mjs build/rocm7'
#
# It needs no GPU. One architecture takes about 5 minutes on one core; what is finished stays in build/rocm7.
FROM debian:forky
# What the tree admits of Debian's experimental suite (scripts/support/debian-tree.mjs).
RUN sed 's/^Suites: .*/Suites: experimental/' /etc/apt/sources.list.d/debian.sources > /etc/apt/sources.list.d/experimental.sources \
  && printf 'Package: hipcc rocm* libamd* libhip* libhsa* libroc*\nPin: release a=experimental\nPin-Priority: 990\n' > /etc/apt/preferences.d/rocm
RUN apt-get update \
  && apt-get install -y --no-install-recommends \
    hipcc libamdhip64-dev librocblas-dev libhipblas-dev \
    cmake ninja-build g++ ccache nodejs npm pkgconf python3-pip binutils ca-certificates \
  && rm -rf /var/lib/apt/lists/*
ENV WHISPER_HIP_BUILD=hip WHISPER_HIP_GLIBC=2.28
WORKDIR /whisper-hip
