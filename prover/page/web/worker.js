'use strict';
// Runs the verifier off the page's own thread. Talks in messages: {load}, {check} in; {ready}, {stage}, {answer}, {stopped} out.
let wasm;
let deriving = '';
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
onmessage = async ({ data }) => {
  try {
    if (data.load) {
      await load(data.load);
      postMessage({ ready: true });
      return;
    }
    data.check.forEach((bytes, which) => put(which, bytes));
    postMessage({ stage: 'keys' });
    const start = performance.now();
    wasm.probity_prepare();
    const keys = performance.now() - start;
    postMessage({ stage: 'checking' });
    const then = performance.now();
    const length = wasm.probity_audit();
    const took = performance.now() - then;
    const text = new TextDecoder().decode(new Uint8Array(wasm.memory.buffer, wasm.probity_output(), length));
    postMessage({ answer: text, keys, took });
  } catch (error) {
    postMessage({ stopped: String(error && error.message || error) });
  }
};
