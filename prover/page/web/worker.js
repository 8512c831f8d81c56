'use strict';
// Runs the verifier off the page's own thread. Talks in messages: {load}, {hash}, {check}, {heads} in; {ready}, {stage}, {heads}, {answer}, {stopped} out.
// One worker checks; another one, loaded alike, hashes the log meanwhile. The one that checks waits for the heads before it walks the log.
let wasm, hashed;
async function load(bytes) {
  const module = await WebAssembly.compile(bytes);
  const imports = {};
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    // A library's hooks for randomness. Checking asks for none; one that is called after all ends the check.
    (imports[from] ??= {})[name] = () => { throw new Error('the verifier asked for ' + name); };
  }
  wasm = (await WebAssembly.instantiate(module, imports)).exports;
}
function put(which, bytes) {
  const at = wasm.probity_input(which, bytes.length);
  new Uint8Array(wasm.memory.buffer, at, bytes.length).set(bytes);
}
const output = length => new Uint8Array(wasm.memory.buffer, wasm.probity_output(), length).slice();
async function check(inputs) {
  inputs.forEach((bytes, which) => put(which, bytes));
  const heads = new Promise(done => { hashed = done; });
  postMessage({ stage: 'keys' });
  const start = performance.now();
  wasm.probity_prepare();
  const keys = performance.now() - start;
  postMessage({ stage: 'checking' });
  const then = performance.now();
  wasm.probity_prove();
  put(4, await heads);
  const text = new TextDecoder().decode(output(wasm.probity_audit()));
  postMessage({ answer: text, keys, took: performance.now() - then });
}
onmessage = async ({ data }) => {
  try {
    if (data.load) {
      await load(data.load);
      postMessage({ ready: true });
    } else if (data.hash) {
      put(0, data.hash);
      const heads = output(wasm.probity_heads());
      postMessage({ heads }, [heads.buffer]);
    } else if (data.heads) {
      hashed(data.heads);
    } else {
      await check(data.check);
    }
  } catch (error) {
    postMessage({ stopped: String(error && error.message || error) });
  }
};
