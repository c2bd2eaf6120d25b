# Compiles a HIP module for ROCm 6, as the tree of scripts/rocm-toolchain.mjs --rocm 6 does:
#
#   docker build -t whisper-hip-rocm-6 -f scripts/builders/rocm-6.Dockerfile scripts/builders
#   docker run --rm -v "$PWD:/whisper-hip" -e WHISPER_HIP_TARGETS=rdna4 whisper-hip-rocm-6 \
#     sh -c 'npm ci --ignore-scripts && node scripts/vendor.mjs && node scripts/build.mjs build/rocm6'
#
# It needs no GPU. One architecture takes about 5 minutes on one core; what is finished stays in build/rocm6.
FROM debian:forky
RUN apt-get update \
  && apt-get install -y --no-install-recommends \
    hipcc libamdhip64-dev librocblas-dev libhipblas-dev rocm-device-libs-21 \
    cmake ninja-build g++ ccache nodejs npm pkgconf python3-pip binutils ca-certificates \
  && rm -rf /var/lib/apt/lists/*
ENV WHISPER_HIP_BUILD=hip WHISPER_HIP_GLIBC=2.28
WORKDIR /whisper-hip
