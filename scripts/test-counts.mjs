// What vitest's JSON report says, for .ci/run: "PASSED FAILED", where a file that cannot be loaded counts as a failed test, or with
// `--failures` each test that failed with the start of its message.
import { readFileSync } from 'node:fs'
import { relative } from 'node:path'

const LONGEST_MESSAGE = 2000

const names = process.argv.slice(2)
const failures = names[0] === '--failures'
const report = JSON.parse(readFileSync(names.at(-1), 'utf8'))

const failed = report.testResults
  .filter((file) => file.status === 'failed')
  .flatMap((file) => {
    const path = relative(process.cwd(), file.name)
    const tests = file.assertionResults.filter((test) => test.status === 'failed')
    return tests.length === 0
      ? [{ title: path, message: file.message }]
      : tests.map((test) => ({ title: `${path} > ${test.fullName}`, message: test.failureMessages.join('\n') }))
  })

if (failures) {
  for (const { title, message } of failed) console.log(`${title}\n${message.slice(0, LONGEST_MESSAGE)}\n`)
} else {
  console.log(`${report.numPassedTests} ${failed.length}`)
}
