import type { Outgoing } from './outgoing.js'

/** A queue of streams that each stand in it at most once, and can leave it from anywhere. */
export class Ring {
  readonly #name: 'urgent' | 'bulk'
  #first: Outgoing | undefined
  #last: Outgoing | undefined

  constructor(name: 'urgent' | 'bulk') {
    this.#name = name
  }

  get first(): Outgoing | undefined {
    return this.#first
  }

  append(out: Outgoing): void {
    out.ring = this.#name
    out.previous = this.#last
    if (this.#last === undefined) this.#first = out
    else this.#last.next = out
    this.#last = out
  }

  remove(out: Outgoing): void {
    if (out.previous === undefined) this.#first = out.next
    else out.previous.next = out.next
    if (out.next === undefined) this.#last = out.previous
    else out.next.previous = out.previous
    out.previous = out.next = undefined
    out.ring = 'none'
  }

  keep(): void {
    for (let out = this.#first; out !== undefined; out = out.next) out.keep()
  }
}
