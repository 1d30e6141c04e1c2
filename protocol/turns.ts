/**
 * The end of the current turn of the event loop. One immediate serves every link of the process: immediates run right
 * after the poll phase, when all sockets that had something to say have been heard.
 *
 * Under load a batch waits for a few more rounds of the loop, none of which blocks: each brings more requests, and they
 * all leave in one system call. A link that had a single frame to send the last time does not wait.
 */
export interface TurnListener {
  /** Its last batch had several frames: more will come soon. */
  readonly crowded: boolean
  endOfTurn(): void
}

/** More rounds gain nothing that could be measured. */
const MAX_EXTRA_ROUNDS = 2

let waiting: TurnListener[] = []
let spare: TurnListener[] = []
let scheduled = false
let crowded = false
let extraRounds = 0

export function atEndOfTurn(listener: TurnListener): void {
  waiting.push(listener)
  crowded ||= listener.crowded
  if (!scheduled) {
    scheduled = true
    setImmediate(run)
  }
}

function run(): void {
  if (crowded && extraRounds < MAX_EXTRA_ROUNDS) {
    extraRounds++
    setImmediate(run)
    return
  }
  scheduled = crowded = false
  extraRounds = 0
  const turn = waiting
  waiting = spare
  for (const listener of turn) listener.endOfTurn()
  turn.length = 0
  spare = turn
}
