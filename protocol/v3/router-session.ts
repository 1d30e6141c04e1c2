import { CrankerError } from '../errors.js'
import type { RequestHead } from '../head.js'
import { encodeRequestHead } from '../head-text.js'
import { V3_RETIRE_ID } from '../limits.js'
import type { RequestExchange, ResponseHandler, RouterSession } from '../session.js'
import { targetFor } from '../target-text.js'
import { upgradesToWebSocket } from '../upgrade.js'
import { encodeHeadBlock } from './head-block.js'
import { Multiplexer } from './multiplexer.js'
import { RequestStream } from './request-stream.js'

/** The router's end of a 3.0 socket: the only one that opens streams. */
export class V3RouterSession extends Multiplexer<RequestStream> implements RouterSession {
  #lastId = 0

  open(head: RequestHead, end: boolean, handler: ResponseHandler): RequestExchange {
    if (!this.accepting || this.load >= this.capacity) {
      throw new CrankerError('CRANKER_ERR_CLOSED', 'This tunnel socket takes no further request; choose another', {
        initiator: 'caller',
        delivered: 'no',
      })
    }
    const target = targetFor(this.capabilities, head.target)
    const text = encodeRequestHead(target === head.target ? head : { ...head, target })
    const id = ++this.#lastId
    const request = { end, upgrade: !end && upgradesToWebSocket(head.headers) }
    const stream = new RequestStream(id, this, encodeHeadBlock(id, text, end), request, handler)
    this.add(stream)
    if (id >= V3_RETIRE_ID) this.retire()
    else this.changed()
    return stream
  }

  protected get lastId(): number {
    return this.#lastId
  }

  /** Late frames of exchanges that are over here, or ids that we never used: only the router opens streams. */
  protected receiveNew(): void {
    // Ignored.
  }

  protected goaway(lastId: number, reason: string): void {
    for (const stream of this.streams.list()) if (stream.id > lastId) stream.refuse(reason)
    this.retire()
  }

  protected answered(): void {
    // Nothing on this side waits for a pong.
  }
}
