/**
 * Prints what is said into a microphone, while it is said. Ctrl-C ends it. Records with the first of these programs that is
 * installed: parec (Debian package pulseaudio-utils), arecord (alsa-utils), pw-record (pipewire-bin), sox (sox).
 *
 *   node examples/live-microphone.mjs [MODEL]
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { loadModel } from 'whisper-hip'

const [name = 'base'] = process.argv.slice(2)

// Newer versions of pw-record write the header of a file where they are not told otherwise, older ones never do.
const raw = spawnSync('pw-record', ['--help']).stdout?.includes('--raw') ? ['--raw'] : []
const recorders = [
  ['parec', '--raw', '--rate=16000', '--channels=1', '--format=s16le', '--latency-msec=50'],
  ['arecord', '-q', '-t', 'raw', '-f', 'S16_LE', '-r', '16000', '-c', '1'],
  ['pw-record', ...raw, '--rate=16000', '--channels=1', '--format=s16', '-'],
  ['sox', '-q', '-d', '-t', 'raw', '-r', '16000', '-e', 'signed', '-b', '16', '-c', '1', '-'],
]

async function startRecorder() {
  for (const [program, ...args] of recorders) {
    const recorder = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    try {
      await once(recorder, 'spawn')
      return recorder
    } catch (error) {
      if (error.code !== 'ENOENT') throw error
    }
  }
  throw new Error(`None of these programs is installed: ${recorders.map(([program]) => program).join(', ')}`)
}

const model = await loadModel(name)
const recorder = await startRecorder()
const exit = once(recorder, 'exit')
let interrupted = false
process.once('SIGINT', () => {
  interrupted = true
  recorder.kill()
})

const live = model.stream({ policy: 'agreement' })
recorder.stdout.pipe(live)
for await (const event of live) {
  const { stdout } = process
  if (event.type === 'partial' && stdout.isTTY)
    stdout.write(`\r\x1b[K${(event.committed + event.tentative).slice(1 - stdout.columns)}`)
  if (event.type === 'final') stdout.write(`${stdout.isTTY ? '\r\x1b[K' : ''}${event.text}\n`)
}
await model.dispose()

const [code] = await exit
if (!interrupted) {
  console.error(`The recorder ended with exit code ${code}`)
  process.exitCode = 1
}
