// Compiles the project's own contracts with the solc of the lock file: `node compile.mjs [FOLDER]`, default `out`.
// The contracts of the tests, which nothing ships, go to its `test` folder and are compiled apart, so that they cannot change the others' code.
// The same sources, packages and settings give the same bytes; a test compiles afresh and compares.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import solc from "solc";

const here = dirname(fileURLToPath(import.meta.url));
const out = process.argv[2] ?? join(here, "out");
const contracts = ["ProbityVault", "ProbityShares", "StandInUsdc"];
const parts = ["ShareValue", "VaultState", "VaultShares", "VaultObservation", "VaultRotation", "VaultSettlement", "VaultTrading", "VaultBond"];
// Written in Yul. The constants of a circuit stand behind the code, so one compilation serves every circuit.
const yul = ["SettlementVerifier"];

// Registries for development chains, compiled apart for the same reason as the tests' contracts.
const registries = ["IdentityRegistry", "ValidationRegistry"];

const tests = ["HostileToken", "Mover", "TellsVerifier", "Books", "Saver", "OddToken"];

const source = (path) => [path, { content: readFileSync(join(here, path), "utf8") }];
const inputOf = (paths) => ({
  language: "Solidity",
  sources: Object.fromEntries(paths.map(source)),
  settings: {
    viaIR: true,
    evmVersion: "cancun",
    // More runs inline more, and the vault has 24,576 bytes at most.
    optimizer: { enabled: true, runs: 200 },
    // Without the hash of the sources' text, comments can change and the code stays.
    metadata: { bytecodeHash: "none" },
    outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object", "evm.deployedBytecode.immutableReferences", "storageLayout"] } },
  },
});

const load = (path) => {
  try {
    return { contents: readFileSync(join(here, "node_modules", path), "utf8") };
  } catch (error) {
    return { error: `${path}: ${error.message}; run \`make tools\`` };
  }
};

const compiled = (paths) => {
  const result = JSON.parse(solc.compile(JSON.stringify(inputOf(paths)), { import: load }));
  // 2394: transient storage in general. Here it holds OpenZeppelin's reentrancy guard and what a swap still owes, both cleared in their call.
  const problems = (result.errors ?? []).filter(({ errorCode }) => errorCode !== "2394");
  for (const problem of problems) console.error(problem.formattedMessage);
  if (problems.length > 0) process.exit(1);
  return result.contracts;
};
const shipped = compiled([...contracts, ...parts].map((name) => `${name}.sol`));
const registered = compiled(registries.map((name) => `registry/${name}.sol`));
const tested = compiled(["VaultState.sol", ...tests.map((name) => `test/${name}.sol`)]);

const yulInput = {
  language: "Yul",
  sources: Object.fromEntries(yul.map((name) => [`${name}.yul`, { content: readFileSync(join(here, `${name}.yul`), "utf8") }])),
  settings: {
    evmVersion: "cancun",
    // Constants are pushed whole: copying them from the code is shorter, and dearer each time.
    optimizer: { enabled: true, runs: 1000000, details: { yul: true, constantOptimizer: false } },
    outputSelection: { "*": { "*": ["evm.bytecode.object", "evm.deployedBytecode.object"] } },
  },
};
const yulResult = JSON.parse(solc.compile(JSON.stringify(yulInput)));
for (const problem of yulResult.errors ?? []) console.error(problem.formattedMessage);
if ((yulResult.errors ?? []).length > 0) process.exit(1);

for (const folder of ["test", "registry"]) mkdirSync(join(out, folder), { recursive: true });
for (const name of yul) {
  const { evm } = yulResult.contracts[`${name}.yul`][name];
  const artifact = { abi: [], bytecode: `0x${evm.bytecode.object}`, deployedBytecode: `0x${evm.deployedBytecode.object}`, immutables: [] };
  writeFileSync(join(out, `${name}.json`), `${JSON.stringify(artifact, null, 1)}\n`);
}
for (const name of contracts) {
  const { abi, evm, storageLayout } = shipped[`${name}.sol`][name];
  const artifact = {
    abi,
    bytecode: `0x${evm.bytecode.object}`,
    deployedBytecode: `0x${evm.deployedBytecode.object}`,
    // Where the constructor writes the immutables into the code.
    immutables: Object.values(evm.deployedBytecode.immutableReferences).flat().sort((a, b) => a.start - b.start),
    // Where state variables are, for storage proofs: slot, and byte from the right.
    storage: Object.fromEntries(storageLayout.storage.map(({ label, slot, offset }) => [label, { slot: Number(slot), offset }])),
  };
  writeFileSync(join(out, `${name}.json`), `${JSON.stringify(artifact, null, 1)}\n`);
}
for (const [folder, names, results] of [["test", tests, tested], ["registry", registries, registered]]) {
  for (const name of names) {
    const { abi, evm } = results[`${folder}/${name}.sol`][name];
    writeFileSync(join(out, folder, `${name}.json`), `${JSON.stringify({ abi, bytecode: `0x${evm.bytecode.object}` }, null, 1)}\n`);
  }
}
