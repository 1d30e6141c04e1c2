/** A value for every option, so that a new option cannot be forgotten; undefined where the library's default holds. */
export type Complete<T> = { readonly [K in keyof Required<T>]: T[K] | undefined }

/** Options that are absent rather than undefined (`exactOptionalPropertyTypes`). */
export function withoutUndefined<T extends object>(values: Complete<T>): T {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as T
}
