import { defineConfig } from 'vitest/config'

/** Tests are sorted by what they need: nothing, the addon, real weights, child processes. */
const projects = [
  { name: 'unit', seconds: 20 },
  { name: 'native', seconds: 60 },
  { name: 'speech', seconds: 300 },
  { name: 'process', seconds: 120 },
]

export default defineConfig({
  test: {
    projects: projects.map(({ name, seconds }) => ({
      test: {
        name,
        include: [`test/${name}/**/*.test.ts`],
        // An addon belongs to a process; a crash ends one file's tests, not the run.
        pool: 'forks',
        testTimeout: seconds * 1000,
        hookTimeout: seconds * 1000,
        // Inference uses all cores: two files at once only make both slow.
        fileParallelism: name === 'unit' || name === 'native',
      },
    })),
  },
})
