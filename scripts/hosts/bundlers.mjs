// @ts-check
/** Bundlers, with the settings of docs/hosts.md; the bundle runs in the application, or where that is copied to. */
import { own } from './host.mjs'

/** @typedef {import('./host.mjs').Host} Host */

const ROLLUP = "external: ['whisper-hip']"
const WEBPACK = "target: 'node', externals: { 'whisper-hip': 'commonjs whisper-hip' }"
const VITE = "ssr: { external: ['whisper-hip'] }"
const ESBUILD = '--external:whisper-hip'

/** @param {...string} args */
const esbuild = (...args) => own('esbuild', 'program.mjs', '--bundle', '--platform=node', ...args)

/** @type {Host[]} */
export const BUNDLERS = [
  {
    name: 'esbuild, ES module',
    packages: { esbuild: '0' },
    setting: ESBUILD,
    run: [esbuild('--format=esm', '--outfile=out/bundle.mjs', ESBUILD), ['node', 'out/bundle.mjs']],
  },
  {
    name: 'esbuild, ES module, nothing set',
    packages: { esbuild: '0' },
    run: [esbuild('--format=esm', '--outfile=out/bundle.mjs'), ['node', 'out/bundle.mjs']],
  },
  {
    name: 'Rollup, ES module',
    packages: { rollup: '4' },
    setting: ROLLUP,
    files: {
      'rollup.config.mjs': `export default { input: 'program.mjs', output: { file: 'out/bundle.mjs' }, ${ROLLUP} }`,
    },
    run: [own('rollup', '--config'), ['node', 'out/bundle.mjs']],
  },
  {
    name: 'webpack',
    packages: { webpack: '5', 'webpack-cli': '7' },
    setting: WEBPACK,
    files: {
      'webpack.config.js': `module.exports = { mode: 'production', entry: './program.mjs', ${WEBPACK} }`,
    },
    run: [own('webpack'), ['node', 'dist/main.js']],
  },
  {
    name: 'Vite, server code',
    packages: { vite: '8' },
    setting: VITE,
    files: { 'vite.config.mjs': `export default { ${VITE} }` },
    run: [own('vite', 'build', '--ssr', 'program.mjs'), ['node', 'dist/program.mjs']],
  },
]
