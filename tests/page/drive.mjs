// Drives the page in a headless Chromium over its debugging pipe: no package, no network.
// usage: node drive.mjs CHROMIUM PAGE.html CASES.json     CASES: [{name, log, proof?, mandate?, units?, shot?: {path, width, height, dark}}]
// Prints one JSON array: what the page said in each case.
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [program, page, list] = process.argv.slice(2);
const cases = JSON.parse(readFileSync(list, 'utf8'));
const profile = mkdtempSync(join(tmpdir(), 'page-'));
const flags = ['--headless=new', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-dev-shm-usage', `--user-data-dir=${profile}`, '--remote-debugging-pipe', 'about:blank'];
const child = spawn(program, flags, { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
const [, , , into, from] = child.stdio;
let rest = '', next = 1;
const waiting = new Map(), heard = [];
from.on('data', chunk => {
  rest += chunk;
  for (let end; (end = rest.indexOf('\0')) >= 0; rest = rest.slice(end + 1)) {
    const message = JSON.parse(rest.slice(0, end));
    if (message.id) { const [yes, no] = waiting.get(message.id); waiting.delete(message.id); message.error ? no(new Error(JSON.stringify(message.error))) : yes(message.result); }
    else heard.push(message);
  }
});
const send = (method, params = {}, sessionId) => new Promise((yes, no) => {
  waiting.set(next, [yes, no]);
  into.write(JSON.stringify({ id: next++, method, params, sessionId }) + '\0');
});
const pause = ms => new Promise(done => setTimeout(done, ms));

// One page for all cases, as a reader who tries one file after another: the keys are derived once.
let sessionId;
const tell = (method, params) => send(method, params, sessionId);
const value = async expression => {
  const { result, exceptionDetails } = await tell('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true });
  if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
  return result.value;
};

async function open() {
  const { targetId } = await send('Target.createTarget', { url: 'about:blank' });
  ({ sessionId } = await send('Target.attachToTarget', { targetId, flatten: true }));
  for (const domain of ['Page', 'Runtime', 'Network', 'DOM', 'Log', 'Accessibility']) await tell(domain + '.enable');
  await tell('Network.emulateNetworkConditions', { offline: true, latency: 0, downloadThroughput: 0, uploadThroughput: 0 });
  await tell('Page.navigate', { url: pathToFileURL(resolve(page)).href });
  for (let i = 0; i < 100 && await value('document.readyState') !== 'complete'; i++) await pause(50);
}

async function run(one) {
  await value('delete document.body.dataset.verdict; files.fill(null); 0');
  heard.length = 0;
  if (one.shot) {
    await tell('Emulation.setDeviceMetricsOverride', { width: one.shot.width, height: one.shot.height, deviceScaleFactor: 1, mobile: false });
    await tell('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: one.shot.dark ? 'dark' : 'light' }] });
  }
  const { root } = await tell('DOM.getDocument');
  for (const name of ['log', 'proof', 'mandate']) {
    if (!one[name]) continue;
    const { nodeId } = await tell('DOM.querySelector', { nodeId: root.nodeId, selector: '#' + name });
    await tell('DOM.setFileInputFiles', { nodeId, files: [resolve(one[name])] });
  }
  if (one.units) await value(`document.getElementById('units').value = ${JSON.stringify(one.units)}`);
  // By keyboard alone: on from the field before the button, then the space bar.
  await value("document.getElementById('units').focus()");
  const key = async (code, text) => { for (const type of ['keyDown', 'keyUp']) await tell('Input.dispatchKeyEvent', { type, key: code, code: text ? 'Space' : code, windowsVirtualKeyCode: text ? 32 : 9, ...(text && type === 'keyDown' ? { text } : {}) }); };
  await key('Tab');
  const focused = await value('document.activeElement.id');
  await key(' ', ' ');
  const start = Date.now();
  while (!await value("document.body.dataset.verdict ?? ''") && Date.now() - start < 300000) await pause(100);
  const said = await value(`({
    verdict: document.body.dataset.verdict ?? 'none',
    state: document.getElementById('state').textContent,
    keysMs: Number(document.body.dataset.keysMs), tookMs: Number(document.body.dataset.tookMs),
    text: document.getElementById('result').innerText,
    codes: typeof last === 'object' && last ? last.story.report.findings.filter(f => f.severity === 'error').map(f => [f.code, f.step ?? null]) : [],
    drawings: document.querySelectorAll('#result svg[role=img] > title').length,
    scripts: document.querySelectorAll('#result script, #result img, #result iframe, #result [onclick]').length,
    focus: document.activeElement.id,
    wide: document.documentElement.scrollWidth > document.documentElement.clientWidth,
  })`);
  const { nodes } = await tell('Accessibility.getFullAXTree');
  const unnamed = nodes.filter(n => !n.ignored && ['button', 'textbox', 'link', 'img', 'image', 'region'].includes(n.role?.value) && !n.name?.value).map(n => n.role.value);
  const asked = heard.filter(m => m.method === 'Network.requestWillBeSent').map(m => m.params.request.url.slice(0, 60)).filter(u => !/^(file|blob|data):/.test(u));
  const problems = heard.filter(m => m.method === 'Runtime.exceptionThrown' || (m.method === 'Log.entryAdded' && m.params.entry.level === 'error')).map(m => m.params.entry?.text ?? m.params.exceptionDetails.text);
  if (one.shot) {
    const { data } = await tell('Page.captureScreenshot', { captureBeyondViewport: false });
    writeFileSync(one.shot.path, Buffer.from(data, 'base64'));
  }
  return { name: one.name, focused, ...said, unnamed, asked, problems };
}

try {
  await open();
  const out = [];
  for (const one of cases) out.push(await run(one));
  console.log(JSON.stringify(out));
} finally {
  const gone = new Promise(done => child.on('exit', done));
  child.kill('SIGKILL');
  await gone;
  rmSync(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
}
