/**
 * Transcribes phone calls from a media stream as Twilio sends it: JSON messages over WebSocket with mu-law samples of 8 kHz. Needs a
 * package: npm install ws
 *
 *   node examples/live-phone-call.mjs [MODEL] [PORT]
 *
 * The call's TwiML names this server, which has to be reachable by TLS:
 *   <Response><Start><Stream url="wss://YOUR.HOST/" track="both_tracks"/></Start>…</Response>
 */
import { once } from 'node:events'
import { loadModel } from 'whisper-hip'
import { WebSocketServer } from 'ws'

/** The 256 values of mu-law (ITU-T G.711) as 16-bit samples. */
const muLaw = Int16Array.from({ length: 256 }, (_, byte) => {
  const code = ~byte & 0xff
  const size = ((((code & 0x0f) << 3) + 0x84) << ((code >> 4) & 7)) - 0x84
  return code & 0x80 ? -size : size
})

/** @param {string} payload base64 */
function decode(payload) {
  return new Uint8Array(Int16Array.from(Buffer.from(payload, 'base64'), (byte) => muLaw[byte]).buffer)
}

async function print(call, track, live) {
  for await (const { type, text, start } of live)
    if (type === 'final') console.log(`${call} ${start.toFixed(1)} s ${track}: ${text}`)
}

/** A call: the caller (inbound) and the other side (outbound) are streams of their own. */
function serve(socket) {
  const tracks = new Map()
  let call = ''
  const open = (track) => {
    const live = model.stream({ sampleRate: 8000, partials: false })
    print(call, track, live).catch((error) => console.error(`${call} ${track}: ${error.message}`))
    tracks.set(track, live)
    return live
  }
  const end = () => {
    for (const live of tracks.values()) live.end()
  }
  const messages = {
    start: ({ start }) => {
      call = start.callSid
    },
    media: ({ media: { track, payload } }) => {
      if (track !== 'inbound' && track !== 'outbound') return
      const live = tracks.get(track) ?? open(track)
      if (live.writable) live.write(decode(payload))
    },
    stop: end,
  }
  socket.on('message', (message) => {
    try {
      const parsed = JSON.parse(message)
      if (Object.hasOwn(messages, parsed.event)) messages[parsed.event](parsed)
    } catch (error) {
      console.error(`${call}: ${error.message}`)
      socket.close(1007)
    }
  })
  socket.on('error', () => socket.terminate())
  // Also when the line breaks, what was said last still comes.
  socket.on('close', end)
}

const [name = 'base', port = '8080'] = process.argv.slice(2)
const model = await loadModel(name)
const server = new WebSocketServer({ port: Number(port), host: 'localhost', maxPayload: 1 << 16 })
server.on('connection', serve)
await once(server, 'listening')
const address = server.address()
if (typeof address === 'object') console.log(`ws://localhost:${address?.port}`)
