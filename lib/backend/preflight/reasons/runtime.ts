import type { ReasonText } from '../advice.ts'

export const runtimeReasons = {
  HIP_RUNTIME_MISSING: {
    meaning: 'The loader does not find a library of ROCm that the HIP module needs.',
    cause:
      'ROCm is not installed, is installed in part, or is in a folder where the loader does not look, such as `/opt/rocm/core-7.14/lib`.',
    advice: [
      {
        when: ['installed elsewhere', 'cache is old'],
        text: "The folder is in /etc/ld.so.conf: bring the loader's cache up to date with: sudo ldconfig",
      },
      {
        when: ['installed elsewhere'],
        text: 'Show the loader the folder, before Node starts: export LD_LIBRARY_PATH={folder}',
      },
      {
        when: ['installed elsewhere', '!cache is old'],
        text: 'Or for all programs: echo {folder} | sudo tee /etc/ld.so.conf.d/rocm.conf && sudo ldconfig',
      },
      { when: ['!installed elsewhere', '!container'], text: 'Install the libraries: {install}' },
      {
        when: ['!installed elsewhere', 'container'],
        text: 'Put the libraries into the image ({install}), or start from an image with ROCm such as rocm/dev-ubuntu-24.04',
      },
      {
        when: ['!installed elsewhere', '!alpine'],
        text: "Or from AMD's own packages: hip-runtime-amd rocblas hipblas; since ROCm 7.14: amdrocm-blas",
      },
      {
        when: ['alpine'],
        text: 'ROCm does not exist for musl: use an image with glibc, such as one of Debian',
      },
    ],
  },
  HIP_RUNTIME_VERSION_MISMATCH: {
    meaning: 'ROCm is there in another version than the HIP module needs, or in a mixture of versions.',
    cause:
      'The module was built with another ROCm than the one installed, or `LD_LIBRARY_PATH` brings in parts of a second one (those in a Python package, for example).',
    advice: [
      { when: ['mixture'], text: 'Let the loader find one ROCm only: check LD_LIBRARY_PATH' },
      {
        text: 'Build the module with the ROCm of this machine: WHISPER_HIP_BUILD=hip npm rebuild whisper-hip',
      },
      { text: 'Or install the ROCm that it was built with (HIP {hipVersion})' },
    ],
  },
  ROCBLAS_KERNELS_MISSING: {
    meaning: 'rocBLAS has no kernels for this GPU.',
    cause:
      "rocBLAS keeps its kernels in files by chip, and AMD's packages have those of a few chips only (none for gfx1031 to gfx1036 and gfx1103; none for gfx906 since ROCm 6.4). Without them it ends the process at the first matrix product.",
    advice: [
      {
        when: ['named kernels'],
        text: 'Unset ROCBLAS_TENSILE_LIBPATH, or let it name a folder with these files',
      },
      {
        when: ['similar GPU', '!override'],
        text: 'Use the kernels of a similar chip: {overrideVariable}={override}',
      },
      { when: ['override'], text: 'Unset {variable} if rocBLAS has kernels for the chip itself' },
      {
        text: 'Install a rocBLAS with kernels for {chip}: those of Debian, Fedora and Arch have more chips, and since ROCm 7.14 there are packages by chip (amdrocm-blas-{chip})',
      },
    ],
  },
} as const satisfies Record<string, ReasonText>
