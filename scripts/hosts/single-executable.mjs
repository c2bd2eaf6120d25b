// @ts-check
/** A single executable: Node with the application inside, and node_modules beside it. */
import { commonJs } from './application.mjs'
import { own } from './host.mjs'

/** @typedef {import('./host.mjs').Host} Host */

const LOADING = "createRequire(process.execPath)('whisper-hip')"
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2'

/** @type {Host[]} */
export const SINGLE_EXECUTABLE = [
  {
    name: 'Single executable',
    packages: { postject: '1.0.0-alpha.6' },
    setting: LOADING,
    files: {
      'main.cjs': `const { createRequire } = require('node:module')\n${commonJs(LOADING)}answer()\n`,
      'sea.json': JSON.stringify({
        main: 'main.cjs',
        output: 'sea.blob',
        disableExperimentalSEAWarning: true,
      }),
    },
    version: ['node', '--version'],
    run: [
      ['node', '--experimental-sea-config', 'sea.json'],
      ['cp', process.execPath, 'executable'],
      own('postject', 'executable', 'NODE_SEA_BLOB', 'sea.blob', '--sentinel-fuse', FUSE),
      ['./executable'],
    ],
  },
]
