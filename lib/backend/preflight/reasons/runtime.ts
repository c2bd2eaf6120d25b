import type { ReasonText } from '../reason-text.ts'
import { GUIDE } from '../rocm-releases.mjs'
import { BUILD_MODULE, INSTALL_MODULE } from './build.ts'

export const runtimeReasons = {
  HIP_RUNTIME_MISSING: {
    meaning: 'The loader does not find a library of ROCm that the HIP module needs.',
    cause:
      'ROCm is not installed, is installed in part, or is in a folder where the loader does not look, such as `/opt/rocm/core-7.14/lib`.',
    advice: [
      {
        when: ['installed in part', 'Python packages'],
        text: 'Install the libraries of that ROCm too: pip install "rocm[libraries]"',
      },
      {
        when: ['installed in part', '!Python packages'],
        text: 'Install the rest of that ROCm too: rocBLAS and hipBLAS',
      },
      {
        when: ['installed elsewhere', 'cache is old'],
        text: "The folder is in /etc/ld.so.conf: bring the loader's cache up to date with: sudo ldconfig",
      },
      {
        when: ['installed elsewhere'],
        text: 'Show the loader the folder, before Node starts: export LD_LIBRARY_PATH={folder}',
      },
      {
        when: ['installed elsewhere', '!cache is old', '!Python packages'],
        text: 'Or for all programs: echo {folder} | sudo tee /etc/ld.so.conf.d/rocm.conf && sudo ldconfig',
      },
      {
        when: ['installed elsewhere', '!cache is old'],
        text: `Or compile the module again, which then remembers the folder: ${BUILD_MODULE}`,
      },
      { when: ['!installed elsewhere', '!container'], text: 'Install the libraries: {install}' },
      { when: ['!installed elsewhere', 'container'], text: 'Put the libraries into the image: {install}' },
      {
        when: ['!installed elsewhere', 'container', '!alpine'],
        text: 'Start from an image with ROCm such as rocm/dev-ubuntu-24.04',
      },
      {
        when: ['!installed elsewhere', '!alpine'],
        text: `Install AMD's packages hip-runtime-amd rocblas hipblas (since ROCm 7.14: amdrocm-blas) from AMD's archive, as its page says: ${GUIDE}`,
      },
      {
        when: ['!installed elsewhere', 'old archive'],
        text: 'The packages of {distribution} itself do not help: they are ROCm {archive}, and 6.1 is needed',
      },
      {
        when: ['!installed elsewhere', 'other archive'],
        text: `Or compile the module with the ROCm {archive} of {distribution}: install its development files, then: ${BUILD_MODULE}`,
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
      { when: ['!mixture'], text: INSTALL_MODULE },
      {
        text: `Build the module with the ROCm of this machine: ${BUILD_MODULE}`,
      },
      { text: 'Or install the ROCm that it was built with (HIP {hipVersion})' },
    ],
  },
  HIP_RUNTIME_DAMAGED: {
    meaning: 'A library of ROCm that the HIP module needs is damaged, or a link to nothing.',
    cause:
      'A download or copy was cut short (the file is empty or ends too early), a checkout has a text or a pointer of Git LFS in its place, the file is for another processor, or a part of ROCm was removed and left a link behind. The message says which.',
    advice: [
      { when: ['unreadable'], text: 'Let everybody read the file: sudo chmod a+r {path}' },
      {
        when: ['pointer of Git LFS'],
        text: 'Fetch the content of the file where it was checked out: git lfs pull',
      },
      { when: ['!unreadable'], text: 'Install the file again: {reinstall}' },
      {
        when: ['!unreadable', '!pointer of Git LFS'],
        text: 'Install, unpack or copy again what the file is a part of: {path}',
      },
      {
        when: ['in LD_LIBRARY_PATH'],
        text: 'Or take its folder out of LD_LIBRARY_PATH, so that the loader looks elsewhere: {libraryFolder}',
      },
      {
        when: ['installed elsewhere'],
        text: 'Or let the loader take the sound one first, before Node starts: export LD_LIBRARY_PATH={folder}',
      },
    ],
  },
  ROCBLAS_KERNELS_MISSING: {
    meaning: 'rocBLAS has no kernels for this GPU.',
    cause:
      "rocBLAS keeps its kernels in files by chip, and AMD's packages have those of a few chips only (none for gfx1031 to gfx1036 and gfx1103; none for gfx906 since ROCm 6.4). Without them it ends the process at the first matrix product.",
    advice: [
      {
        when: ['blank variable'],
        text: 'Nothing has to be done; leave {variable} out to be rid of this note',
      },
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
        when: ['override', 'similar GPU'],
        text: 'Or set it to a chip that rocBLAS has kernels for: {variable}={override}',
      },
      {
        text: 'Install a rocBLAS with kernels for {chip}: those of Debian, Fedora and Arch have more chips, and since ROCm 7.14 there are packages by chip (amdrocm-blas-{chip})',
      },
    ],
  },
} as const satisfies Record<string, ReasonText>
