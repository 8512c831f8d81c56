// Compiles a Solidity source with the solc of the contracts' lock file: `node solidity.mjs FILE RUNS`, the artifact of its only contract as JSON.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const solc = createRequire(new URL("../../../chain/contracts/package.json", import.meta.url))("solc");
const [file, runs] = process.argv.slice(2);
const input = {
  language: "Solidity",
  sources: { [file]: { content: readFileSync(file, "utf8") } },
  settings: {
    evmVersion: "cancun",
    optimizer: { enabled: true, runs: Number(runs) },
    outputSelection: { "*": { "*": ["evm.bytecode.object", "evm.deployedBytecode.object"] } },
  },
};
const result = JSON.parse(solc.compile(JSON.stringify(input)));
const errors = (result.errors ?? []).filter(({ severity }) => severity === "error");
for (const error of errors) console.error(error.formattedMessage);
const found = Object.entries(result.contracts?.[file] ?? {});
if (errors.length > 0 || found.length !== 1) {
  console.error(`${file}: expected one contract that compiles, got ${found.length}`);
  process.exit(1);
}
const [name, { evm }] = found[0];
console.log(JSON.stringify({ name, solc: solc.version(), bytecode: evm.bytecode.object, code_bytes: evm.deployedBytecode.object.length / 2 }));
