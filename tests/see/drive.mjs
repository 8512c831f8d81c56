// Drives the dashboard in a headless Chromium over its debugging pipe: no package, no network but the address given.
// usage: node drive.mjs CHROMIUM URL PLAN.json     PLAN: {decided, shots: [{path?, width, height, dark}]}
// Waits until the page shows `decided` decisions; prints one JSON object: what each shot held, what was asked of the network.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const [program, url, list] = process.argv.slice(2);
const plan = JSON.parse(readFileSync(list, 'utf8'));
const profile = mkdtempSync(join(tmpdir(), 'see-'));
const flags = ['--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-dev-shm-usage', `--user-data-dir=${profile}`, '--remote-debugging-pipe', 'about:blank'];
const child = spawn(program, flags, { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
const [, , , into, from] = child.stdio;
let rest = '', next = 1, sessionId;
const waiting = new Map(), heard = [];
from.on('data', chunk => {
  rest += chunk;
  for (let end; (end = rest.indexOf('\0')) >= 0; rest = rest.slice(end + 1)) {
    const message = JSON.parse(rest.slice(0, end));
    if (message.id) { const [yes, no] = waiting.get(message.id); waiting.delete(message.id); message.error ? no(new Error(JSON.stringify(message.error))) : yes(message.result); }
    else heard.push(message);
  }
});
const send = (method, params = {}, session = sessionId) => new Promise((yes, no) => {
  waiting.set(next, [yes, no]);
  into.write(JSON.stringify({ id: next++, method, params, sessionId: session }) + '\0');
});
const pause = ms => new Promise(done => setTimeout(done, ms));
const value = async expression => {
  const { result, exceptionDetails } = await send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
  if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
  return result.value;
};

try {
  const { targetId } = await send('Target.createTarget', { url: 'about:blank' });
  ({ sessionId } = await send('Target.attachToTarget', { targetId, flatten: true }));
  for (const domain of ['Page', 'Runtime', 'Network', 'Log', 'Accessibility']) await send(domain + '.enable');
  await send('Page.navigate', { url });
  const start = Date.now();
  while (Number(await value('document.body?.dataset.decided ?? 0')) < plan.decided) {
    if (Date.now() - start > 240000) throw new Error(`the page never showed ${plan.decided} decisions: ${await value('document.body.innerText')}`);
    await pause(200);
  }
  const shots = [];
  for (const shot of plan.shots) {
    await send('Emulation.setDeviceMetricsOverride', { width: shot.width, height: shot.height, deviceScaleFactor: 1, mobile: false });
    await send('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: shot.dark ? 'dark' : 'light' }] });
    await pause(300);
    const said = await value(`({
      text: document.body.innerText, ground: getComputedStyle(document.body).backgroundColor, state: document.getElementById('state').textContent,
      wide: document.documentElement.scrollWidth > document.documentElement.clientWidth,
      drawings: [...document.querySelectorAll('svg[role=img]')].map(s => s.getAttribute('aria-label')), marks: document.querySelectorAll('#price path.buy, #price path.sell').length,
      rows: [...document.querySelectorAll('#rows tr')].map(r => [...r.cells].map(c => c.textContent)), hashes: [...document.querySelectorAll('[data-hash]')].map(b => b.dataset.hash),
    })`);
    const { nodes } = await send('Accessibility.getFullAXTree');
    said.unnamed = nodes.filter(n => !n.ignored && ['button', 'textbox', 'link', 'img', 'image', 'region', 'progressbar'].includes(n.role?.value) && !n.name?.value).map(n => n.role.value);
    if (shot.path) writeFileSync(shot.path, Buffer.from((await send('Page.captureScreenshot', { captureBeyondViewport: !!shot.whole })).data, 'base64'));
    shots.push(said);
  }
  // By keyboard: the first stop skips to the decisions.
  for (const type of ['keyDown', 'keyUp']) await send('Input.dispatchKeyEvent', { type, key: 'Tab', code: 'Tab', windowsVirtualKeyCode: 9 });
  const focused = await value('document.activeElement.textContent');
  const asked = heard.filter(m => m.method === 'Network.requestWillBeSent').map(m => m.params.request.url).filter(u => !u.startsWith('data:'));
  const problems = heard.filter(m => m.method === 'Runtime.exceptionThrown' || (m.method === 'Log.entryAdded' && m.params.entry.level === 'error')).map(m => m.params.entry?.text ?? m.params.exceptionDetails.text);
  console.log(JSON.stringify({ shots, focused, asked, problems }));
} finally {
  const gone = new Promise(done => child.on('exit', done));
  child.kill('SIGKILL');
  await gone;
  rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
}
