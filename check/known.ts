/** The shape of a list of known deviations. */

/** Case id, or id and version (`C5.3@3.0`) → why it fails. */
export type KnownDeviations = Readonly<Record<string, string>>

export interface KnownPeer {
  /** Its public name, with the version. */
  readonly title: string
  readonly role: 'connector' | 'router'
  readonly deviations: KnownDeviations
  /** What fails in some runs, and passes in others. */
  readonly sometimes?: KnownDeviations
}

/** Those that have the same reason. */
export function deviations(reason: string, ...ids: readonly string[]): KnownDeviations {
  return Object.fromEntries(ids.map((id) => [id, reason]))
}
