import type { ReasonText } from '../reason-text.ts'

export const windowsReasons = {
  WSL_DXG_MISSING: {
    meaning: 'Windows does not offer a GPU to this WSL.',
    cause:
      'WSL 1 never does; WSL 2 needs a driver on Windows that supports it. There is no `/dev/kfd` in WSL by design.',
    advice: [
      { when: ['wsl1'], text: 'Convert to WSL 2, in PowerShell: wsl --set-version DISTRIBUTION 2' },
      {
        when: ['container'],
        text: 'Start the container with: --device /dev/dxg -v /usr/lib/wsl:/usr/lib/wsl',
      },
      {
        when: ['wsl2'],
        text: "Install AMD's current Adrenalin driver on Windows, then in PowerShell: wsl --update; wsl --shutdown",
      },
      { when: ['wsl2'], text: 'Use a card that AMD lists for ROCm on WSL' },
    ],
  },
  WSL_DXG_NOT_ENABLED: {
    meaning: "ROCm's way through Windows to the GPU is not installed or not switched on.",
    cause:
      'ROCm in WSL needs the library `librocdxg`, and before ROCm 7.13 also `HSA_ENABLE_DXG_DETECTION=1`. Older releases had a runtime of their own for WSL (`hsa-runtime-rocr4wsl-amdgpu`).',
    advice: [
      { when: ['bridge installed'], text: 'Set HSA_ENABLE_DXG_DETECTION=1 before Node starts' },
      {
        when: ['!bridge installed'],
        text: "Install librocdxg as AMD's page on ROCm for WSL says, and set HSA_ENABLE_DXG_DETECTION=1",
      },
      {
        text: 'If there is a GPU in the processor too, switch it off in the firmware: it confuses the detection',
      },
    ],
  },
  WINDOWS_HIP_DLL: {
    meaning: 'The HIP library of Windows cannot be loaded.',
    cause: 'The driver is older than the library, or the Visual C++ runtime is missing or damaged.',
    advice: [
      { text: "Install AMD's current Adrenalin driver" },
      { text: 'Install the Visual C++ redistributable again' },
    ],
  },
} as const satisfies Record<string, ReasonText>
