#!/usr/bin/env node
// @ts-check
/**
 * What vitest's JSON report says, for .ci/run: `node scripts/test-counts.mjs [--failures|--files] REPORT` prints "PASSED FAILED", where a file
 * that cannot be loaded counts as a failed test; each test that failed with the start of its message; or the files of those.
 */
import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'

const LONGEST_MESSAGE = 2000

/** @typedef {{ status: string, fullName: string, failureMessages: string[] }} Test */
/** @typedef {{ name: string, status: string, message: string, assertionResults: Test[] }} File */

const { values, positionals } = parseArgs({
  options: { failures: { type: 'boolean' }, files: { type: 'boolean' } },
  allowPositionals: true,
})
/** @type {{ numPassedTests: number, testResults: File[] }} */
const report = JSON.parse(readFileSync(positionals[0] ?? '', 'utf8'))
const failed = report.testResults
  .filter(({ status }) => status === 'failed')
  .flatMap(({ name, message, assertionResults }) => {
    // A checkout may have been tested in another place.
    const path = name.slice(name.lastIndexOf('/test/') + 1)
    const tests = assertionResults.filter(({ status }) => status === 'failed')
    if (tests.length === 0) return [{ path, title: path, message }]
    return tests.map(({ fullName, failureMessages }) => ({
      path,
      title: `${path} > ${fullName}`,
      message: failureMessages.join('\n'),
    }))
  })

if (values.files) for (const path of new Set(failed.map((each) => each.path))) console.log(path)
else if (values.failures)
  for (const { title, message } of failed) console.log(`${title}\n${message.slice(0, LONGEST_MESSAGE)}\n`)
else console.log(`${report.numPassedTests} ${failed.length}`)
