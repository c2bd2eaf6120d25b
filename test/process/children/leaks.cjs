/**
 * Loads sound and broken models, 50 times each, and says what it costs and what is left. Run it with --expose-gc.
 *
 *     node leaks.cjs PATHS      JSON: { sound: [path], broken: [path] }
 *
 * Prints one line of JSON: { outcomes: { path: [code] }, files, growth, native, seconds, bytes }: open files more than after the first
 * rounds, MiB by which the process grew in each ten rounds, and the most that a broken model took.
 */
const { readdirSync, readFileSync, writeFileSync } = require('node:fs')
const { ENTRY, ADDON } = process.env
const { loadModel } = require(ENTRY)
const native = require(ADDON)

const paths = JSON.parse(process.argv[2])
const outcomes = {}
const most = { seconds: 0, bytes: 0 }

const status = (name) =>
  1024 * Number(readFileSync('/proc/self/status', 'utf8').match(`${name}:\\s+(\\d+)`)[1])

async function attempt(path) {
  try {
    const model = await loadModel(path, { backend: 'cpu' })
    await model.dispose()
    return 'sound'
  } catch ({ code, message }) {
    return code ?? message
  }
}

async function measured(path) {
  writeFileSync('/proc/self/clear_refs', '5') // the peak starts anew
  const before = status('VmRSS')
  const since = performance.now()
  const outcome = await attempt(path)
  most.seconds = Math.max(most.seconds, (performance.now() - since) / 1000)
  most.bytes = Math.max(most.bytes, status('VmHWM') - before)
  return outcome
}

async function round() {
  for (const path of paths.sound) note(path, await attempt(path))
  for (const path of paths.broken) note(path, await measured(path))
}

function note(path, outcome) {
  outcomes[path] ??= []
  if (!outcomes[path].includes(outcome)) outcomes[path].push(outcome)
}

/** What is left when nothing is going on any more. Room that the heap of JS keeps for later is not. */
async function left() {
  for (let i = 0; i < 5; i++) {
    gc({ type: 'major', flavor: 'last-resort' })
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const { rss, heapTotal, heapUsed } = process.memoryUsage()
  return { files: readdirSync('/proc/self/fd').length, bytes: rss - heapTotal + heapUsed }
}

async function main() {
  for (let i = 0; i < 10; i++) await round()
  const found = [await left()]
  for (let ten = 0; ten < 5; ten++) {
    for (let i = 0; i < 10; i++) await round()
    found.push(await left())
  }
  const growth = found.slice(1).map(({ bytes }, i) => (bytes - found[i].bytes) / 2 ** 20)
  const files = found.at(-1).files - found[0].files
  console.log(JSON.stringify({ outcomes, files, growth, native: native.counters(), ...most }))
}

main()
