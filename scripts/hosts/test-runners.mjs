// @ts-check
/** Test runners: the application is a test. */
import { own } from './host.mjs'

/** @typedef {import('./host.mjs').Host} Host */

/** @param {string} form of the file that the test loads, `cjs` or `mjs` */
const loading = (form) =>
  form === 'cjs' ? "const { answer } = require('./answer.cjs')" : "import { answer } from './answer.mjs'"
/** @param {string} form */
const jest = (form) => ({
  [`answer.test.${form}`]: `${loading(form)}\ntest('transcribes', answer, 120_000)\n`,
  'jest.config.json': JSON.stringify({
    testMatch: [`**/*.test.${form}`],
    moduleFileExtensions: ['js', 'mjs', 'cjs'],
  }),
})

/** @type {Host[]} */
export const TEST_RUNNERS = [
  { name: 'jest', packages: { jest: '30' }, files: jest('cjs'), run: [own('jest')] },
  {
    name: 'jest, ES modules',
    packages: { jest: '30' },
    files: jest('mjs'),
    run: [['node', '--experimental-vm-modules', ...own('jest')]],
  },
  {
    name: 'jest, jsdom',
    packages: { jest: '30', 'jest-environment-jsdom': '30' },
    files: jest('cjs'),
    run: [own('jest', '--env=jsdom')],
  },
  ...['forks', 'threads', 'vmThreads'].map((pool) => ({
    name: `vitest, ${pool}`,
    packages: { vitest: '4' },
    files: {
      'answer.test.mjs': `import { test } from 'vitest'\n${loading('mjs')}\ntest('transcribes', answer, 120_000)\n`,
    },
    run: [own('vitest', 'run', `--pool=${pool}`)],
  })),
]
