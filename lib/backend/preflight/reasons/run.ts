import type { ReasonText } from '../reason-text.ts'
import { BUILD_MODULE } from './build.ts'

const ASK = "Ask backendInfo() why, or load the model with { backend: 'hip' }, which never runs on the CPU"

export const runReasons = {
  OK: {
    meaning: 'The GPU is used.',
    cause: 'Nothing is wrong.',
    advice: [],
  },
  GPU_DISABLED_BY_OPTION: {
    meaning: 'The caller chose the CPU.',
    cause: "The model was loaded with `{ backend: 'cpu' }`.",
    advice: [],
  },
  MODEL_NOT_ON_GPU: {
    meaning: 'The weights do not lie in the memory of the GPU.',
    cause: 'The model was loaded when the GPU could not be used.',
    advice: [{ text: ASK }],
  },
  OPS_ON_CPU: {
    meaning: 'Some operations ran on the CPU.',
    cause: 'The HIP backend does not support them for the shapes and types of this model.',
    advice: [
      {
        text: `Build the HIP module with all of its kernels: WHISPER_HIP_ALL_KERNELS=ON ${BUILD_MODULE}`,
      },
      { text: 'Try another weight type, or { flashAttention: false }' },
      { text: 'To have these operations computed on the CPU, load the model with { allowPartial: true }' },
    ],
  },
  NO_GPU_WORK_DONE: {
    meaning: 'Nothing was computed: there was no speech or no audio.',
    cause: 'The audio is empty or too short, or voice activity detection took everything out.',
    advice: [{ text: 'Check with a recording of speech' }],
  },
  GPU_RESULT_INVALID: {
    meaning: 'A run on the GPU gave values that are not numbers.',
    cause:
      'The GPU computed wrongly (driver, firmware, overclocking, damaged memory), or, more rarely, weights of the model are not numbers. The good answer of the trial is dropped: the GPU is tried again before it is used again.',
    advice: [
      {
        text: "Run the same audio with loadModel(name, { backend: 'cpu' }): if that works, the GPU is at fault, else the model",
      },
      { text: 'Try the GPU again: npx whisper-hip doctor --refresh' },
      {
        text: 'If the GPU is at fault, update the kernel, its firmware files and ROCm, and undo overclocking',
      },
      { text: 'If the model is at fault, download or convert it again' },
    ],
  },
  CONTEXT_POISONED: {
    meaning: 'An earlier failure left the GPU in an unknown state for this process.',
    cause: 'ggml gave up in the middle of a computation, most often for want of memory.',
    advice: [
      { text: 'Start the process again' },
      { text: "Load models with { isolation: 'process' }: then only a child process has to start again" },
    ],
  },
  UNKNOWN: {
    meaning: 'None of the other reasons.',
    cause: 'The message has what is known.',
    advice: [
      {
        when: ['too many files'],
        text: 'Close files, or allow more of them: ulimit -n 65536 (in a unit of systemd: LimitNOFILE=65536)',
      },
      { text: 'Report it with what `whisper-hip doctor --markdown` prints' },
    ],
  },
} as const satisfies Record<string, ReasonText>
