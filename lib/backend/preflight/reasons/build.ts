import type { ReasonText } from '../reason-text.ts'
import { GUIDE } from '../rocm-releases.mjs'

export const BUILD_MODULE = 'npx whisper-hip build --hip'
export const INSTALL_MODULE = 'Install the GPU module: npm install {package}'
const USE_CPU = "To use the CPU on purpose and without this message, load the model with { backend: 'cpu' }"

export const buildReasons = {
  UNSUPPORTED_PLATFORM: {
    meaning: 'ROCm does not exist for this operating system or processor.',
    cause: 'The HIP backend needs Linux on x86-64 or AArch64.',
    advice: [{ text: 'Run on Linux x86-64, or in WSL 2 on Windows' }, { text: USE_CPU }],
  },
  NOT_COMPILED: {
    meaning: 'This build of whisper-hip has no HIP backend.',
    cause:
      'ROCm was not found when the addon was built, or the build was for the CPU (`WHISPER_HIP_BUILD=cpu`). The build report beside the addon says which; `backendInfo().message` repeats it.',
    advice: [
      { text: INSTALL_MODULE },
      {
        text: `Install ROCm 6.1 or newer with its development files, as AMD's page ${GUIDE} says, then compile the module: ${BUILD_MODULE}`,
      },
      { text: USE_CPU },
    ],
  },
  BACKEND_LIBRARY_MISSING: {
    meaning: 'The file of the HIP module is missing, or is not a module for this machine.',
    cause:
      'The package was copied or installed in part, was built for another processor, or `WHISPER_HIP_LIBRARY` names a wrong file.',
    advice: [
      {
        when: ['named module'],
        text: 'Unset WHISPER_HIP_LIBRARY, or set it to the path of a HIP module for this machine',
      },
      {
        when: ['!named module'],
        text: `Build again: ${BUILD_MODULE}`,
      },
      {
        when: ['!named module'],
        text: 'If node_modules was copied from another machine, install the package on this one',
      },
    ],
  },
  BACKEND_API_MISMATCH: {
    meaning: 'The HIP module was built against another version of ggml than the addon.',
    cause: '`WHISPER_HIP_LIBRARY` names a module of another release, or a build was mixed with an older one.',
    advice: [
      {
        when: ['named module'],
        text: 'Unset WHISPER_HIP_LIBRARY, or build that module from the same release',
      },
      { text: `Build again: ${BUILD_MODULE}` },
    ],
  },
  NATIVE_MISSING: {
    meaning: 'The addon itself cannot be loaded.',
    cause: 'Neither a local build nor a prebuild is there, or a library that it needs is missing.',
    advice: [{ text: 'Build it here (needs a C++17 compiler and CMake 3.21): npx whisper-hip build' }],
  },
} as const satisfies Record<string, ReasonText>
