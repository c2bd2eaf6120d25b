import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

interface Project {
  name: string
  seconds: number
  /** Folder of the tests below test/, where it is not the name. */
  folder?: string
  globalSetup?: string
}

/**
 * Tests are sorted by what they need: nothing, the addon, real weights, child processes, a GPU that computes on the CPU, and for
 * `hip` the real HIP module in build/Release and a system that it was built for.
 */
const projects: readonly Project[] = [
  { name: 'unit', seconds: 20 },
  { name: 'native', seconds: 180 },
  { name: 'speech', seconds: 300 },
  { name: 'process', seconds: 120 },
  { name: 'hip-fake', seconds: 300, folder: 'hip/fake', globalSetup: 'test/hip/setup.ts' },
  { name: 'hip', seconds: 300, folder: 'hip/real', globalSetup: 'test/hip/setup.ts' },
]

export default defineConfig({
  test: {
    // Vitest would leave one core to itself: half of a small machine.
    maxWorkers: availableParallelism(),
    projects: projects.map(({ name, seconds, folder = name, globalSetup }) => ({
      test: {
        name,
        include: [`test/${folder}/**/*.test.ts`],
        ...(globalSetup === undefined ? {} : { globalSetup }),
        // An addon belongs to a process; a crash ends one file's tests, not the run.
        pool: 'forks',
        // Without an addon, a process for each of the many files would take longer than the tests in it. They find everything as a process
        // of their own would have it: what changes the process or a mocked module puts it back.
        isolate: name !== 'unit',
        testTimeout: seconds * 1000,
        hookTimeout: seconds * 1000,
        // Inference uses all cores: two files at once only make both slow.
        fileParallelism: name === 'unit' || name === 'native',
        // Tests that run side by side are those that wait.
        maxConcurrency: 6,
      },
    })),
  },
})
