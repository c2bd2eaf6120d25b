#!/usr/bin/env node
// @ts-check
/**
 * Writes docs/reasons.md from lib/backend/preflight/reasons. A test compares the two.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { importTypeScript } from './support/import-typescript.mjs'
import { packageRoot } from './support/package.mjs'
import { isMain, log, run } from './support/script.mjs'

const FOLDER = join(packageRoot, 'lib', 'backend', 'preflight')

/** @typedef {import('../lib/backend/preflight/reason-text.ts').Advice} Advice */
/** @typedef {import('../lib/backend/preflight/reason-text.ts').ReasonText} ReasonText */
/** @typedef {readonly { title: string, reasons: Record<string, ReasonText> }[]} Groups */

const INTRODUCTION = `# Why the GPU is not used

<!-- Made by \`node scripts/reasons-page.mjs\` from lib/backend/preflight/reasons. Change those, then run it again. -->

\`backendInfo().reason\`, \`model.backend.reason\` and \`error.reason\` are one of these. The message beside it names the file, group,
device or library, and \`advice\` holds those lines of this page that fit the machine, filled in. \`backendInfo().notes\` has what else
was found: the problems that come after the first one. A line of advice that begins with words in *italics* is given where these hold;
‹words› are filled in.
`

const MAKING_STATES = `## Looking at another machine

\`WHISPER_HIP_SYSROOT=DIR\` makes whisper-hip read a folder instead of \`/\`: everything below \`/sys\`, \`/proc\`, \`/dev\`, \`/etc\`,
\`/opt\`, \`/usr\`, \`/lib\`, \`/run\` and \`/var\`. With it every reason above can be made and looked at without the hardware.

- Device nodes are plain files. \`kfd.errno\` beside \`kfd\`, holding a word such as \`EACCES\`, \`EPERM\`, \`EINVAL\` or \`ENOMEM\`, makes
  opening it fail so; this works beside any file. \`kfd.gid\` holds the number of the group that owns it.
- \`proc/self/status\` says who the process is (\`Uid:\`, \`Gid:\`, \`Groups:\`), \`etc/passwd\` and \`etc/group\` who it could be.
  Without the first it is a stranger with the name in \`USER\`.
- An empty file stands for a shared library that needs no others.
- Symbolic links lead to places inside the folder.

\`WHISPER_HIP_LIBRARY=FILE\` names another HIP module. It is read from its real place, and so are folders in \`LD_LIBRARY_PATH\` that
are not below one of those above. Both variables are shown in \`backendInfo().environment\` when they are set.
`

/**
 * The page as text.
 * @returns {Promise<string>}
 */
export async function renderReasons() {
  const parts = [INTRODUCTION]
  const { REASON_GROUPS } = await importTypeScript(FOLDER, join(FOLDER, 'reasons.ts'))
  for (const { title, reasons } of /** @type {Groups} */ (REASON_GROUPS)) {
    parts.push(`## ${title}`)
    for (const [reason, text] of Object.entries(reasons)) parts.push(describe(reason, text))
  }
  return `${[...parts, MAKING_STATES].map((part) => part.trim()).join('\n\n')}\n`
}

/** @param {string} reason @param {ReasonText} text */
function describe(reason, { meaning, cause, advice }) {
  const lines = advice.map((line) => `- ${conditions(line)}${placeholders(line.text)}`)
  return [`### ${reason}`, `${meaning} ${cause}`, lines.join('\n')].filter(Boolean).join('\n\n')
}

/** @param {Advice} advice */
function conditions({ when = [] }) {
  const words = when.map((word) => (word.startsWith('!') ? `not ${word.slice(1)}` : word))
  return words.length === 0 ? '' : `*${words.join(', ')}:* `
}

/** Placeholders as the reader of HTML and of Markdown sees them. @param {string} text */
function placeholders(text) {
  return text.replace(/\{(\w+)\}/g, (_, name) => `‹${name}›`)
}

if (isMain(import.meta.url))
  await run(async () => {
    const path = join(packageRoot, 'docs', 'reasons.md')
    const text = await renderReasons()
    if (readFileSync(path, { encoding: 'utf8', flag: 'a+' }) === text) return log(`${path} is up to date`)
    writeFileSync(path, text)
    log(`wrote ${path}`)
  })
