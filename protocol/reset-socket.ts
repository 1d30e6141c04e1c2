import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'

/**
 * Ends a TCP connection by a reset (RFC 9293 §3.10.7), so that the peer takes nothing for a regular end; one that is not
 * open yet is given up. Node cannot reset what is under TLS; there the missing close_notify tells (RFC 8446 §6.1).
 *
 * Nor can it do that in the turn in which the socket was ended: it says EINVAL, and neither resets nor closes, so that
 * the descriptor stays for ever and the process can no longer exit (Node 20 and 24).
 */
export function resetSocket(socket: Socket): void {
  const ending = socket.writableEnded && !socket.writableFinished && socket.writableLength === 0
  if (socket.connecting || socket instanceof TLSSocket) socket.destroy()
  else if (ending) socket.once('finish', () => socket.resetAndDestroy())
  else socket.resetAndDestroy()
}
