import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'

/** 20 ms of mu-law at 8 kHz. */
const packet = 160

/**
 * A fake of a camera with a microphone: an RTSP server (RFC 2326) that plays mu-law samples once, as RTP packets over the connection
 * itself. It knows the requests that a client needs, and no more.
 */
export async function fakeCamera(samples: Uint8Array): Promise<{ address: string; close(): void }> {
  const server = createServer((socket) => converse(socket, samples)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return { address: `rtsp://user:secret@127.0.0.1:${port}/live`, close: () => server.close() }
}

const description =
  'v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\nm=audio 0 RTP/AVP 0\r\nc=IN IP4 0.0.0.0\r\na=control:track1\r\n'

function converse(socket: Socket, samples: Uint8Array): void {
  let unread = ''
  socket.on('error', () => socket.destroy())
  socket.setEncoding('latin1').on('data', (text: string) => {
    const requests = (unread + text).split('\r\n\r\n')
    unread = requests.pop() ?? ''
    for (const request of requests) {
      const method = request.slice(0, request.indexOf(' '))
      const sequence = /^CSeq: (\d+)/m.exec(request)?.[1]
      const answer = (lines: string, body = '', status = '200 OK') =>
        socket.write(`RTSP/1.0 ${status}\r\nCSeq: ${sequence}\r\nSession: 1\r\n${lines}\r\n${body}`)
      if (method === 'DESCRIBE')
        answer(`Content-Type: application/sdp\r\nContent-Length: ${description.length}\r\n`, description)
      else if (method === 'SETUP' && request.includes('RTP/AVP/TCP'))
        answer('Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n')
      // A client that wants datagrams tries this next.
      else if (method === 'SETUP') answer('', '', '461 Unsupported transport')
      else answer('Public: DESCRIBE, SETUP, PLAY, TEARDOWN\r\n')
      if (method === 'PLAY') play(socket, samples)
    }
  })
}

function play(socket: Socket, samples: Uint8Array): void {
  let at = 0
  const timer = setInterval(() => {
    const payload = samples.subarray(at, at + packet)
    if (payload.length === 0) {
      socket.end()
      return
    }
    const header = Buffer.alloc(16)
    header.write('$')
    header.writeUInt16BE(12 + payload.length, 2)
    header.writeUInt8(0x80, 4) // version 2 of RTP
    header.writeUInt16BE(at / packet, 6)
    header.writeUInt32BE(at, 8)
    socket.write(Buffer.concat([header, payload]))
    at += packet
  }, 20)
  socket.once('close', () => clearInterval(timer))
}
