// @ts-check
/** What runs JavaScript, and what installs it. */
import { from, NPM_INSTALL } from './host.mjs'

/** @typedef {import('./host.mjs').Host} Host */

const yarn4 = (/** @type {string[]} */ ...args) => from('@yarnpkg/cli-dist@4', 'yarn', ...args)

const ESM_LOADER = 'pnpEnableEsmLoader: true'

/** @type {Host[]} */
export const RUNTIMES = [
  ...['20', '22', '24', '26'].map((major) => ({
    name: `Node ${major}`,
    version: from(`node@${major}`, 'node', '--version'),
    run: [from(`node@${major}`, 'node', 'program.mjs')],
  })),
  {
    name: 'Bun',
    version: from('bun@1', 'bun', '--version'),
    install: from('bun@1', 'bun', 'install'),
    run: [from('bun@1', 'bun', 'program.mjs')],
  },
  {
    name: 'Deno, packages by npm',
    version: from('deno@2', 'deno', '--version'),
    run: [from('deno@2', 'deno', 'run', '--allow-all', 'program.mjs')],
  },
]

/** @type {Host[]} */
export const PACKAGE_MANAGERS = [
  ...['11', '12'].map((major) => ({
    name: `npm ${major}`,
    version: from(`npm@${major}`, 'npm', '--version'),
    install: from(`npm@${major}`, 'npm', ...NPM_INSTALL),
    run: [['node', 'program.mjs']],
  })),
  {
    name: 'pnpm 10',
    version: from('pnpm@10', 'pnpm', '--version'),
    install: from('pnpm@10', 'pnpm', 'install'),
    run: [['node', 'program.mjs']],
  },
  {
    name: 'Yarn 1',
    version: from('yarn@1', 'yarn', '--version'),
    // An optional package that is replaced, as application.mjs does with those that no registry has yet, is not optional to it any more.
    install: from('yarn@1', 'yarn', 'install', '--ignore-platform'),
    run: [['node', 'program.mjs']],
  },
  {
    name: "Yarn 4, Plug'n'Play",
    setting: ESM_LOADER,
    files: { '.yarnrc.yml': `${ESM_LOADER}\n` },
    version: yarn4('--version'),
    install: yarn4('install'),
    run: [yarn4('node', 'program.mjs')],
  },
  {
    name: 'Yarn 4, node_modules',
    files: { '.yarnrc.yml': 'nodeLinker: node-modules\n' },
    version: yarn4('--version'),
    install: yarn4('install'),
    run: [['node', 'program.mjs']],
  },
]
