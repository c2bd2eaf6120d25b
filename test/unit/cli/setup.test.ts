import { expect, it } from 'vitest'
import { commandOf } from '../../../lib/cli/commands/setup.ts'

it.each([
  [
    'Install the GPU module: npm install @whisper-hip/linux-x64-rocm7-rdna4',
    'npm install @whisper-hip/linux-x64-rocm7-rdna4',
  ],
  ['Compile the GPU module: npx whisper-hip build --hip', 'npx whisper-hip build --hip'],
  ['Build it here (needs a C++17 compiler and CMake 3.21): npx whisper-hip build', 'npx whisper-hip build'],
  ['Join the group, then log out and in again: sudo usermod -aG render alice', null],
  ['Install: sudo apt-get install x && npx whisper-hip build --hip --targets gfx1100', null],
])('%s', (step, command) => {
  expect(commandOf(step)).toBe(command)
})
