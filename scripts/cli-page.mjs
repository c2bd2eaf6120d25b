#!/usr/bin/env node
// @ts-check
/**
 * Puts the help of each command, as dist/cli.js prints it, into docs/cli.md: into the block after each line
 * `<!-- help: COMMAND -->`. A test compares the two. Needs `npm run build:lib`.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from './support/package.mjs'
import { isMain, log, run } from './support/script.mjs'

const BLOCK = /(<!-- help:([\w ]*) -->\n\n```text\n)(.*?)(^```$)/gms

/** The commands that the page shows. @param {string} page */
export function shownCommands(page) {
  return [...page.matchAll(BLOCK)].map(([, , command = '']) => command.trim())
}

/** @param {string} page */
export function withHelp(page) {
  return page.replace(BLOCK, (_, begin, command, _old, end) => {
    const args = [...command.split(' ').filter(Boolean), '--help']
    const help = execFileSync(process.execPath, [join(packageRoot, 'dist', 'cli.js'), ...args], {
      encoding: 'utf8',
    })
    return `${begin}${help}${end}`
  })
}

if (isMain(import.meta.url))
  await run(async () => {
    const path = join(packageRoot, 'docs', 'cli.md')
    const page = readFileSync(path, 'utf8')
    const text = withHelp(page)
    if (text === page) return log(`${path} is up to date`)
    writeFileSync(path, text)
    log(`wrote ${path}`)
  })
