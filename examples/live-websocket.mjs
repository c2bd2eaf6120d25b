/**
 * A server that transcribes over WebSocket, with a page that sends it the microphone of the browser. Needs a package: npm install ws
 *
 *   node examples/live-websocket.mjs [MODEL] [PORT]        and open http://localhost:8080
 *
 * A client opens ws://localhost:8080/?rate=48000 and sends samples as binary messages: 32-bit floats, mono. Any text message ends
 * them. The server sends each event as JSON and closes when the last one is out.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { loadModel } from 'whisper-hip'
import { WebSocketServer } from 'ws'

const page = `<!doctype html>
<meta charset="utf-8"><title>Live transcription</title>
<button>Listen</button><p id="text"></p><p id="now" style="color: gray"></p>
<script type="module">
  const [text, now] = ['text', 'now'].map((id) => document.getElementById(id))
  const worklet = "registerProcessor('tap', class extends AudioWorkletProcessor {" +
    "process([[samples]]) { if (samples) this.port.postMessage(samples.slice()); return true } })"
  document.querySelector('button').onclick = async () => {
    const microphone = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1 } })
    const audio = new AudioContext()
    await audio.audioWorklet.addModule('data:text/javascript,' + encodeURIComponent(worklet))
    const socket = new WebSocket('ws://' + location.host + '/?rate=' + audio.sampleRate)
    const tap = new AudioWorkletNode(audio, 'tap')
    tap.port.onmessage = ({ data }) => socket.readyState === WebSocket.OPEN && socket.send(data)
    audio.createMediaStreamSource(microphone).connect(tap)
    socket.onmessage = ({ data }) => {
      const event = JSON.parse(data)
      if (event.type === 'partial') now.textContent = event.committed + event.tentative
      if (event.type !== 'final') return
      text.append(event.text + ' ')
      now.textContent = ''
    }
  }
</script>`

async function serve(socket, request) {
  const { searchParams } = new URL(request.url, 'ws://localhost')
  const sampleRate = Number(searchParams.get('rate') ?? 16_000)
  const live = model.stream({ sampleRate, format: 'f32le', policy: 'agreement' })
  socket.on('message', (samples, isBinary) => {
    if (!isBinary) live.end()
    // The client waits when the server cannot follow.
    else if (live.writable && !live.write(samples)) socket.pause()
  })
  live.on('drain', () => socket.resume())
  socket.on('close', () => live.destroy())
  for await (const event of live) {
    // A slow client gets fewer partials, and everything else.
    await new Promise((sent) => socket.send(JSON.stringify(event), sent))
  }
  socket.close()
}

const [name = 'base', port = '8080'] = process.argv.slice(2)
const model = await loadModel(name)
const server = createServer((_, response) => response.setHeader('content-type', 'text/html').end(page))
new WebSocketServer({ server, maxPayload: 1 << 20 }).on('connection', (socket, request) => {
  socket.on('error', () => socket.terminate())
  serve(socket, request).catch((error) => socket.close(1011, error.message.slice(0, 100)))
})
server.listen(Number(port), 'localhost')
await once(server, 'listening')
const address = server.address()
if (typeof address === 'object') console.log(`http://localhost:${address?.port}`)
