import type { Clock } from '../clock.js'
import type { DeliveryClock } from './delivery-clock.js'
import { windowUpdateFrame } from './frame.js'
import type { Stream } from './stream.js'

/** The streams that have credit to return: one WINDOW_UPDATE each per turn, none for streams that have ended. */
export class Acknowledgements {
  readonly #clock: Clock
  readonly #delivery: DeliveryClock
  #streams: Stream[] = []

  constructor(clock: Clock, delivery: DeliveryClock) {
    this.#clock = clock
    this.#delivery = delivery
  }

  add(stream: Stream): void {
    stream.acknowledging = true
    this.#streams.push(stream)
  }

  /** Makes the frames. */
  flush(control: (frame: Buffer) => void): void {
    if (this.#streams.length === 0) return
    const streams = this.#streams
    this.#streams = []
    const now = this.#clock.now()
    for (const stream of streams) {
      stream.acknowledging = false
      const increment = stream.acknowledgement(now, this.#delivery.leastRoundTrip)
      if (increment > 0) control(windowUpdateFrame(stream.id, increment))
    }
  }

  clear(): void {
    this.#streams = []
  }
}
