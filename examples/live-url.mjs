/**
 * Prints what is said in a live stream of the network, with times. Needs ffmpeg.
 *
 *   node examples/live-url.mjs https://example.com/live.m3u8 [MODEL]
 *   node examples/live-url.mjs rtsp://camera/stream [MODEL]
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { loadModel } from 'whisper-hip'

// What the address may lead to: never a file of this machine, whatever a play list says.
const protocols = {
  'http:': 'http,https,httpproxy,tcp,tls,hls,crypto',
  'https:': 'http,https,httpproxy,tcp,tls,hls,crypto',
  'rtsp:': 'rtp,udp,tcp',
}

const [address, name = 'base'] = process.argv.slice(2)
const allowed = protocols[URL.canParse(address) ? new URL(address).protocol : '']
if (allowed === undefined) {
  console.error('Usage: node examples/live-url.mjs URL [MODEL], with an address of http, https or rtsp')
  process.exit(2)
}

const model = await loadModel(name)
const ffmpeg = spawn(
  'ffmpeg',
  [
    ...['-nostdin', '-loglevel', 'error', '-protocol_whitelist', allowed, '-i', address],
    ...['-map', '0:a:0', '-ac', '1', '-ar', '16000', '-f', 's16le', '-flush_packets', '1', '-'],
  ],
  { stdio: ['ignore', 'pipe', 'inherit'] },
)
const exit = once(ffmpeg, 'exit')
// It ends, and what was said last still comes.
process.once('SIGINT', () => ffmpeg.kill())

const live = model.stream({ policy: 'phrase', partials: false })
ffmpeg.stdout.pipe(live)
for await (const event of live) {
  if (event.type === 'final') console.log(`${event.start.toFixed(1).padStart(8)} s  ${event.text}`)
}
await model.dispose()
const [code] = await exit
process.exitCode = code === 0 ? 0 : 1
