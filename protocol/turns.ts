/**
 * The end of the current turn of the event loop. One immediate serves every link of the process: immediates run right
 * after the poll phase, when all sockets that had something to say have been heard.
 */
export interface TurnListener {
  endOfTurn(): void
}

let waiting: TurnListener[] = []
let spare: TurnListener[] = []
let scheduled = false

export function atEndOfTurn(listener: TurnListener): void {
  waiting.push(listener)
  if (!scheduled) {
    scheduled = true
    setImmediate(run)
  }
}

function run(): void {
  scheduled = false
  const turn = waiting
  waiting = spare
  for (const listener of turn) listener.endOfTurn()
  turn.length = 0
  spare = turn
}
