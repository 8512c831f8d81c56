'use strict';
// The page: takes files, hands them to the worker, shows what the verifier wrote. It decides nothing.
const MODULE = '{{MODULE}}', WORKER = {{WORKER}}, STYLE = {{STYLE_TEXT}};
const $ = id => document.getElementById(id);
const files = [null, null, null], names = ['log', 'proof', 'mandate'];
const LIMIT = [1 << 30, 1 << 20, 1 << 20];
let workers, last;

async function module() {
  const packed = Uint8Array.from(atob(MODULE), c => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

function say(text) { $('state').textContent = text; }

function start() {
  return new Promise((resolve, reject) => {
    const made = new Worker(URL.createObjectURL(new Blob([WORKER], { type: 'text/javascript' })));
    made.onerror = e => reject(new Error(e.message || 'the worker did not start'));
    made.onmessage = ({ data }) => data.ready ? resolve(made) : reject(new Error(data.stopped));
    module().then(bytes => made.postMessage({ load: bytes }, [bytes.buffer]), reject);
  });
}

// One worker checks the proof, the other hashes the log. Hashing waits until the keys are there, so that neither is measured with the other's work before it.
function audit([checker, hasher], inputs) {
  return new Promise((resolve, reject) => {
    for (const worker of [checker, hasher]) worker.onerror = e => reject(new Error(e.message || 'the worker ended'));
    // A log that stops the one that hashes stops the check: the other would find the same.
    hasher.onmessage = ({ data }) => data.heads ? checker.postMessage(data, [data.heads.buffer]) : resolve(data);
    checker.onmessage = ({ data }) => {
      if (data.stage === 'keys') say('Deriving the keys from the mandate: nobody has to be trusted for them. Once for each kind of agent, up to a minute…');
      else if (data.stage === 'checking') {
        hasher.postMessage({ hash: inputs[0] });
        say('Checking log and proof…');
      } else resolve(data);
    };
    checker.postMessage({ check: inputs });
  });
}

function take(which, file) {
  if (!file) return;
  files[which] = file;
  $(names[which] + '-n').textContent = `${file.name}, ${file.size.toLocaleString('en')} bytes`;
  document.querySelector(`[data-slot="${which}"]`).classList.add('full');
}

// A dropped file finds its own place: a proof begins with its magic, a mandate is one JSON object without a log's header.
async function place(file) {
  const head = new TextDecoder('latin1').decode(await file.slice(0, 64).arrayBuffer());
  if (head.startsWith('PROBITYP')) return 1;
  if (head.includes('"probity-log"')) return 0;
  return head.trimStart().startsWith('{') && file.size < LIMIT[2] && !file.name.endsWith('.jsonl') ? 2 : 0;
}

// `untouched` markup of the verifier; everything that came from a file is escaped there, and this page's policy runs no script but its own.
function show(markup) {
  $('result').innerHTML = markup;
  $('result').focus({ preventScroll: true });
  $('result').scrollIntoView({ block: 'start' });
}

function stopped(why) {
  last = undefined;
  $('after').hidden = true;
  show('<div class="verdict undecided" role="status"><strong>Could not tell</strong><span></span></div>');
  $('result').querySelector('span').textContent = why;
}

async function check(event) {
  event?.preventDefault();
  if (!files[0]) { say('A log of decisions is needed.'); $('log').focus(); return; }
  $('go').disabled = true;
  try {
    const bytes = [];
    for (const [which, file] of files.entries()) {
      if (file && file.size > LIMIT[which]) throw new Error(`${names[which]}: expected at most ${LIMIT[which].toLocaleString('en')} bytes, got ${file.size.toLocaleString('en')}`);
      bytes.push(file ? new Uint8Array(await file.arrayBuffer()) : new Uint8Array());
    }
    bytes.push(new TextEncoder().encode($('units').value));
    say('Starting the verifier…');
    workers ??= await Promise.all([start(), start()]);
    const data = await audit(workers, bytes);
    if (data.stopped !== undefined) throw new Error('The verifier stopped on these files, as it does on a proof that no honest prover makes, or when memory runs out. Nothing was shown. (' + data.stopped + ')');
    const answer = JSON.parse(data.answer);
    if (answer.problem) throw new Error(answer.problem);
    last = answer;
    show(answer.html);
    $('after').hidden = false;
    say(`Done: ${answer.story.report.verdict}. Keys ${(data.keys / 1000).toFixed(1)} s, checking ${(data.took / 1000).toFixed(1)} s.`);
    document.title = `${answer.story.report.verdict}: check of a trading agent`;
    document.body.dataset.verdict = answer.story.report.verdict;
    Object.assign(document.body.dataset, { keysMs: Math.round(data.keys), tookMs: Math.round(data.took) });
  } catch (error) {
    workers?.forEach(worker => worker.terminate());
    workers = undefined;
    stopped(error.message);
    say('Could not tell.');
    document.body.dataset.verdict = 'undecided';
  } finally {
    $('go').disabled = false;
  }
}

function save(name, type, text) {
  const a = document.createElement('a');
  a.href = URL.createObjectURL(new Blob([text], { type }));
  a.download = name;
  a.click();
  setTimeout(() => URL.revokeObjectURL(a.href), 1000);
}

names.forEach((name, which) => $(name).addEventListener('change', e => take(which, e.target.files[0])));
for (const type of ['dragover', 'dragleave', 'drop']) {
  addEventListener(type, async e => {
    e.preventDefault();
    const slot = e.target.closest?.('.slot');
    document.querySelectorAll('.slot').forEach(s => s.classList.toggle('over', type === 'dragover' && s === slot));
    if (type !== 'drop') return;
    for (const file of e.dataTransfer.files) take(await place(file), file);
  });
}
$('form').addEventListener('submit', check);
$('save-html').addEventListener('click', () => save('audit.html', 'text/html', `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1"><title>Audit</title><style>${STYLE}</style><main>${last.html}</main></html>`));
$('save-json').addEventListener('click', () => save('audit.json', 'application/json', JSON.stringify(last.story, null, 2)));
