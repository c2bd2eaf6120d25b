import { nodeAdvice } from '../../../host/node-program.ts'
import type { ReasonText } from '../reason-text.ts'

export const trialReasons = {
  HOST_NOT_NODE: {
    meaning: 'There is no Node to try the GPU in: the program of the application starts the application.',
    cause:
      "The application is a single executable, an Electron application that does not run as Node, or is started by a launcher, and `process.execPath` is not Node; or `WHISPER_HIP_NODE` or the option `nodePath` names another program. Nothing is known of the GPU. Where nobody names a Node, the GPU is tried in the program `whisper-hip-trial` beside the addon, and this reason stays for models with `{ isolation: 'process' }` and for builds without that program.",
    advice: [
      ...nodeAdvice.map((text) => ({ text })),
      { text: 'To try the GPU without Node, build the program for it: npx whisper-hip build' },
    ],
  },
  HIP_INIT_FAILED: {
    meaning: 'HIP answered with an error while starting.',
    cause: 'The error that HIP gives is in the message.',
    advice: [
      { text: 'See whether ROCm itself finds the GPU: rocminfo' },
      { text: 'Look for what the driver says: sudo dmesg | grep -i -E "kfd|amdgpu"' },
    ],
  },
  OUT_OF_MEMORY: {
    meaning: 'The GPU has too little free memory.',
    cause: 'The model, its caches and what other programs hold do not fit together.',
    advice: [
      { text: 'Load a smaller or a quantised model' },
      { text: 'End other programs that use the GPU, or choose another GPU with { device }' },
      { text: 'For a GPU in the processor, give it more memory in the firmware' },
    ],
  },
  GPU_FAULT: {
    meaning: 'The GPU or its driver reported a fault.',
    cause:
      'Firmware, driver and ROCm do not fit, or `HSA_OVERRIDE_GFX_VERSION` makes the GPU run foreign code.',
    advice: [
      { text: 'Unset HSA_OVERRIDE_GFX_VERSION if it is set' },
      { text: 'Update the kernel, its firmware files and ROCm' },
      { text: 'Restart the machine: after a fault the GPU may not recover' },
    ],
  },
  PROBE_CRASHED: {
    meaning: 'The process that tried the GPU died.',
    cause: 'The message has the last step, the signal and the end of what the process wrote.',
    advice: [
      { text: 'Update ROCm and the driver to one release' },
      { text: 'Report it with what `npx whisper-hip doctor --markdown` prints' },
    ],
  },
  PROBE_TIMEOUT: {
    meaning: 'The process that tried the GPU did not end in time.',
    cause:
      'The machine was too busy or its disk too slow, or the GPU or its driver hangs. The GPU is tried again by itself after 5 minutes, after half an hour and after 6 hours, and earlier when the machine is quiet after it was busy or `WHISPER_HIP_TRIAL_SECONDS` is larger than it was; then not before the machine starts again, since a GPU that hangs can make the machine hang.',
    advice: [
      { text: 'When the machine was busy, try again when it is quiet: npx whisper-hip doctor --refresh' },
      {
        text: 'On a slow machine allow more time than 60 s: WHISPER_HIP_TRIAL_SECONDS=300 npx whisper-hip doctor --refresh',
      },
      { text: 'Look for what the driver says: sudo dmesg | grep -i -E "kfd|amdgpu"' },
      { text: 'For gfx1151 use ROCm 7.2 or newer, and firmware whose MES is not 0x83' },
      { text: 'Update the kernel, its firmware files and ROCm' },
      { text: 'Restart the machine' },
    ],
  },
  PROBE_INTERRUPTED: {
    meaning: 'The process that tried the GPU was ended from outside.',
    cause:
      'A person, a service manager or the kernel sent it a signal, or the machine had too little memory. Nothing is known of the GPU, and nothing is kept: the next call tries it again.',
    advice: [
      { text: 'Try again: npx whisper-hip doctor --refresh' },
      {
        text: 'After SIGKILL look whether the kernel ended it for want of memory: journalctl -k | grep -i "killed process"',
      },
      { text: 'Give the machine, the container or the service more memory if it did' },
    ],
  },
  NUMERIC_MISMATCH: {
    meaning: 'The GPU computed wrong numbers.',
    cause: 'The module was compiled wrongly for this chip, or firmware and ROCm do not fit.',
    advice: [
      { text: 'Unset HSA_OVERRIDE_GFX_VERSION if it is set' },
      { text: 'Update ROCm and build again: npx whisper-hip build --hip' },
    ],
  },
} as const satisfies Record<string, ReasonText>
