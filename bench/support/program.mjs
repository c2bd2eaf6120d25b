// @ts-check
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/** wait4() tells what a process used, and only Python among what is at hand passes it on. */
const meter = `
import json, os, sys, time
begun = time.monotonic()
child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
_, status, usage = os.wait4(child, 0)
wall = time.monotonic() - begun
cpu = usage.ru_utime + usage.ru_stime
print(json.dumps({'wall': wall, 'cpu': cpu, 'peak': usage.ru_maxrss * 1024, 'status': status}), file=sys.stderr)
`

/**
 * Runs a program to its end.
 * @param {string} program
 * @param {string[]} args
 * @returns {Promise<{ text: string, wall: number, cpu: number, peak: number }>} its output; seconds, start and end of the
 *   process included; seconds of all threads; most bytes of memory at once
 */
export async function measureProgram(program, args) {
  const { stdout, stderr } = await promisify(execFile)('python3', ['-c', meter, program, ...args], {
    maxBuffer: 16 * 1024 * 1024,
  })
  const { status, ...used } = JSON.parse(stderr.trim().split('\n').at(-1) ?? '')
  if (status !== 0)
    throw new Error(`${program} ${args.join(' ')} ended with status ${status}: ${stderr.slice(-1000)}`)
  return { text: stdout, ...used }
}
