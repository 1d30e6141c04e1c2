/** The demo's page: no script or style from elsewhere, light and dark. */

export function demoPage(base: string, request: string): string {
  return PAGE.replaceAll('{{base}}', () => escapeHtml(base)).replace('{{request}}', () => escapeHtml(request))
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${String(char.charCodeAt(0))};`)
}

const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>cranker demo</title>
<style>
  :root { color-scheme: light dark; --line: light-dark(#d8dce3, #343a46); --soft: light-dark(#f4f6f9, #1b1f27); --accent: light-dark(#0b63ce, #6db3ff) }
  body { font: 16px/1.55 system-ui, sans-serif; max-width: 46rem; margin: 3rem auto; padding: 0 1.25rem; background: light-dark(#fff, #12151b) }
  h1 { font-size: 1.7rem; margin: 0 0 .25rem }
  h2 { font-size: 1.05rem; margin: 2rem 0 .5rem }
  p { margin: .4rem 0 }
  .way { display: flex; flex-wrap: wrap; gap: .5rem; align-items: center; margin: 1.25rem 0; font-size: .95rem }
  .way b { border: 1px solid var(--line); border-radius: .6rem; padding: .35rem .8rem; background: var(--soft); font-weight: 600 }
  .way span { color: var(--accent) }
  pre, output { display: block; font: 13.5px/1.5 ui-monospace, monospace; background: var(--soft); border: 1px solid var(--line); border-radius: .6rem; padding: .8rem 1rem; margin: .5rem 0; overflow: auto; white-space: pre-wrap; overflow-wrap: anywhere }
  form { display: flex; gap: .5rem }
  input, button { font: inherit; padding: .45rem .8rem; border-radius: .6rem; border: 1px solid var(--line); background: transparent; color: inherit }
  input { flex: 1; min-width: 0 }
  button { background: var(--accent); color: light-dark(#fff, #10141a); border-color: transparent; cursor: pointer }
  small { opacity: .7 }
</style>
<h1>It works.</h1>
<p>This page came from a service that has no port: the connector opened a WebSocket to the router, and your request travelled back through it.</p>
<div class="way"><b>browser</b><span>HTTP →</span><b>router</b><span>← WebSocket</span><b>connector</b><span>→</span><b>this service</b></div>
<h2>Your request, as the service saw it</h2>
<pre>{{request}}</pre>
<h2>A stream, event by event</h2>
<output id="clock">…</output>
<h2>A body there and back</h2>
<form><input name="text" value="Grüße aus der DMZ" aria-label="text"><button>POST</button></form>
<output id="echo">–</output>
<p><small>From a shell: <code>curl -N</code> <a href="{{base}}clock">{{base}}clock</a>, <code>curl -d hi</code> {{base}}echo</small></p>
<script>
  const clock = document.getElementById('clock')
  const events = new EventSource('{{base}}clock')
  events.onmessage = (event) => { clock.textContent = event.data }
  events.onerror = () => { clock.textContent = 'waiting for the router…' }
  document.querySelector('form').onsubmit = async (event) => {
    event.preventDefault()
    const started = performance.now()
    const answer = await fetch('{{base}}echo', { method: 'POST', body: event.target.text.value })
    document.getElementById('echo').textContent = (await answer.text()) + '   (' + (performance.now() - started).toFixed(1) + ' ms)'
  }
</script>
`
