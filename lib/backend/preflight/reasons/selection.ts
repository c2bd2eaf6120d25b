import type { ReasonText } from '../reason-text.ts'
import { BUILD_MODULE, INSTALL_MODULE } from './build.ts'

export const selectionReasons = {
  GPU_HIDDEN_BY_ENV: {
    meaning: 'An environment variable hides the GPU.',
    cause:
      '`ROCR_VISIBLE_DEVICES`, `HIP_VISIBLE_DEVICES`, `CUDA_VISIBLE_DEVICES` or `GPU_DEVICE_ORDINAL` is empty, `-1`, or names another GPU. `ROCR_VISIBLE_DEVICES` is applied first; the others count what it leaves.',
    advice: [
      {
        when: ['empty list'],
        text: 'Unset {variable}: set to nothing it hides every GPU (a compose file sets it so with an empty default)',
      },
      { when: ['!empty list'], text: 'Unset {variable}, or let it name the GPU' },
      {
        when: ['several GPUs'],
        text: 'To choose a GPU, load the model with { device } instead of setting variables',
      },
    ],
  },
  DEVICE_INDEX_OUT_OF_RANGE: {
    meaning: 'The `device` option is a number that no GPU has.',
    cause: 'GPUs are counted from 0 in the order of their PCI addresses.',
    advice: [{ text: 'Choose one of {devices}' }, { text: 'Leave { device } out to get the best one' }],
  },
  DEVICE_NOT_FOUND: {
    meaning: 'The `device` option is a name or PCI address that no GPU has.',
    cause: 'A card was moved to another slot, or the name is misspelt. A part of the name is enough.',
    advice: [{ text: 'Choose one of {devices}' }, { text: 'Leave { device } out to get the best one' }],
  },
  GFX_OVERRIDE_INVALID: {
    meaning: '`HSA_OVERRIDE_GFX_VERSION` is malformed, or names another family of chips, or is not needed.',
    cause:
      'The variable makes ROCm take a GPU for another chip. Across families (another first number) the GPU gets instructions that it does not have, which can crash the kernel. It often is left over from another card, or is meant for one of several.',
    advice: [
      {
        when: ['blank variable'],
        text: 'Nothing has to be done; leave {variable} out to be rid of this note',
      },
      { when: ['!blank variable'], text: 'Unset {variable}' },
      {
        when: ['similar GPU'],
        text: 'Or set it to a chip with the same instructions: {overrideVariable}={override}',
      },
      {
        when: ['several GPUs'],
        text: 'To set it for one GPU only, use the number of its node (ROCm 6.2 and newer): HSA_OVERRIDE_GFX_VERSION_{node}',
      },
    ],
  },
  NO_CODE_OBJECT_FOR_GPU: {
    meaning: 'The HIP module has no code for this GPU.',
    cause: 'It was built for other chips: code for one chip does not run on another.',
    advice: [
      { when: ['override not needed'], text: 'Unset {variable}: the module has code for the chip itself' },
      { when: ['!override not needed'], text: INSTALL_MODULE },
      {
        text: `Build for this chip: ${BUILD_MODULE} --targets {chip}`,
      },
      {
        when: ['similar GPU', '!override'],
        text: 'Or use the code of a similar chip: {overrideVariable}={override}',
      },
      {
        when: ['similar GPU', 'override'],
        text: 'Or set the variable to a chip that the module has code for: {variable}={override}',
      },
    ],
  },
  OTHER_GPU_WITHOUT_CODE_OBJECT: {
    meaning: 'The HIP module has no code for another visible GPU, which would break the one in use.',
    cause:
      'HIP gives up on a module at the first GPU that it has no code for, most often the one in the processor. This library therefore makes only the chosen GPU visible (`ROCR_VISIBLE_DEVICES`) before HIP starts: nothing has to be done.',
    advice: [{ text: 'Programs of your own may need {variable} to see this GPU alone' }],
  },
} as const satisfies Record<string, ReasonText>
