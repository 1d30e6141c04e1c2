/** Says what is missing instead of failing somewhere inside: Node 20.19 is the first that can run everything here. */
export function requireNode(major, minor) {
  const [haveMajor = 0, haveMinor = 0] = process.versions.node.split('.').map(Number)
  if (haveMajor > major || (haveMajor === major && haveMinor >= minor)) return
  process.stderr.write(`cranker needs Node ${major}.${minor} or newer; this is ${process.versions.node}.\n`)
  process.exit(1)
}
