/**
 * A fake of arecord and its like: no sound card is involved. It writes the samples of a WAV file, then silence without an end, and
 * ends as those programs do when it is asked to.
 *
 *   FAKE_SOUND   a WAV file of 16 kHz mono
 *   FAKE_SPEED   how much faster than time it is; 1 where it is not set
 *   FAKE_CALL    a file that gets its name and arguments
 *   FAKE_DEAF    it does not end when it is asked to
 *   FAKE_FAULT   in place of the silence: what it says on stderr before it ends with exit code 1
 */
import { appendFileSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'

const { FAKE_SOUND, FAKE_SPEED = '1', FAKE_CALL, FAKE_DEAF, FAKE_FAULT } = process.env
const [name, ...args] = process.argv.slice(2)
if (FAKE_CALL) appendFileSync(FAKE_CALL, `${JSON.stringify([basename(name), ...args])}\n`)
if (args.includes('--help')) {
  console.log('  -a, --raw   RAW mode')
  process.exit()
}

/** A tenth of a second. */
const chunk = 3200
let sound = FAKE_SOUND ? readFileSync(FAKE_SOUND).subarray(44) : Buffer.alloc(0)
process.stdout.on('error', () => process.exit(1))
process.on('SIGTERM', () => FAKE_DEAF || process.exit(1))

setInterval(() => {
  if (sound.length === 0 && FAKE_FAULT) {
    console.error(FAKE_FAULT)
    process.exit(1)
  }
  process.stdout.write(sound.length > 0 ? sound.subarray(0, chunk) : Buffer.alloc(chunk))
  sound = sound.subarray(chunk)
}, 100 / Number(FAKE_SPEED))
