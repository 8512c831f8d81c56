"""EZKL proving one decision's network: the peer in the table of docs/performance.md.

What it is: the shipped 16-32-16-3 model as an ONNX file whose numbers EZKL quantises back to the model's own integers (scale
2^7), proven by EZKL with hashed, private and fixed weights, three proofs each. How it rescales between layers is its own choice
(calibrated; it likes not to). The proofs are verified, a proof with a changed output must fail, and EZKL's outputs are compared
with the network in integers.

What it does not do: EZKL proves the network only. Not modelled for it: features, policy, risk limits, order, portfolio, the state
between decisions, the log's hash chain, the upper clamp of the hidden layers; and with private or fixed weights no commitment to
them that an auditor could compare. The SRS is made here, so its secret was known for a moment: good for measuring only.

On chain: EZKL writes its verifier in Solidity, whole, keys included. It is compiled by the solc that compiles this project's contracts (EZKL itself
would download one), deployed on anvil and sent the last proof in a transaction; a changed output must be refused there too.

Usage: ezkl_peer.py --model FILE --work FOLDER --out FILE [--proofs 3] [--only NAME ...] [--explore] [--no-evm]
Each setting runs in its own processes, so that peak memory is that of proving alone.
"""

import argparse
import asyncio
import importlib.metadata
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time

import evm
import numpy
import onnx
from onnx import TensorProto, helper, numpy_helper

SCALE = 7
"""Bits behind the point: weights and activations are multiples of 2^-7, as in the model itself."""

RUNS = [1, 200, 1_000_000]
"""What solc optimises for, calls in the life of a contract. EZKL's own default is 1; the cheapest call is reported."""

MOST_ROUNDING = 0.25
"""Largest difference of an output that rounding of the hidden layers (or its absence) explains; outputs are around 10."""

# Per setting: visibility of the weights, decisions in one proof, and EZKL's own knobs. The knobs are the fastest of those that
# `--explore` tries (EXPLORE below); EZKL's defaults are tried there too. Two legs of EZKL's 14 bits do not hold every number of this
# network (it says so: "integer -384899081 is too large"), two of 15 do.
SETTINGS = {
    "hashed": {"visibility": "hashed", "batch": 1, "knobs": {"num_inner_cols": 1, "decomp_base": 1 << 15}},
    "private": {"visibility": "private", "batch": 1, "knobs": {"decomp_base": 1 << 15}},
    "fixed": {"visibility": "fixed", "batch": 1, "knobs": {"decomp_base": 1 << 15}},
    "hashed_batch16": {"visibility": "hashed", "batch": 16, "knobs": {"num_inner_cols": 1, "decomp_base": 1 << 15}},
}

EXPLORE = {
    "default": {},
    "inner1": {"num_inner_cols": 1},
    "inner1-base15": {"num_inner_cols": 1, "decomp_base": 1 << 15},
    "inner1-base10": {"num_inner_cols": 1, "decomp_base": 1 << 10, "decomp_legs": 3},
    "inner1-base7": {"num_inner_cols": 1, "decomp_base": 1 << 7, "decomp_legs": 4},
    "inner2-base10": {"decomp_base": 1 << 10, "decomp_legs": 3},
    "inner4-base10": {"num_inner_cols": 4, "decomp_base": 1 << 10, "decomp_legs": 3},
    "inner1-no_freivalds": {"num_inner_cols": 1, "disable_freivalds": True},
}

NOT_MODELLED = [
    "features, policy, risk limits, order, portfolio and the state between decisions",
    "the hash chain of the log and the recursion: every proof stands alone",
    "the upper clamp of the hidden layers",
    "private, fixed: a public commitment to the weights",
    "fixed: hiding the weights from who holds the circuit",
]


def load(path):
    """The model's layers: [(weights out x in, biases out)], integers."""
    with open(path, encoding="utf-8") as file:
        content = json.load(file)
    dims, shifts = content["shape"]["dims"], content["shape"]["shifts"]
    if "recurrent" in content["shape"]:
        sys.exit(f"{path}: shape.recurrent: expected a model without a memory: EZKL is given one decision at a time")
    if any(shift != SCALE for shift in shifts):
        sys.exit(f"{path}: shape.shifts: expected {SCALE} everywhere, got {shifts}: EZKL would compute something else")
    weights, biases, layers = content["model"]["weights"], content["model"]["biases"], []
    for inputs, outputs in zip(dims, dims[1:]):
        layers.append((numpy.array(weights[: inputs * outputs]).reshape(outputs, inputs), numpy.array(biases[:outputs])))
        weights, biases = weights[inputs * outputs :], biases[outputs:]
    if weights or biases:
        sys.exit(f"{path}: expected as many weights and biases as dims {dims} say, got more")
    return dims, layers


def native(layers, inputs):
    """The network in integers, without the upper clamp. Returns the last accumulators."""
    values = inputs
    for index, (weights, biases) in enumerate(layers):
        acc = values @ weights.T + biases
        values = acc if index == len(layers) - 1 else numpy.maximum((acc + (1 << (SCALE - 1))) >> SCALE, 0)
    return values


def export(layers, batch, path):
    """Writes the network as ONNX: Gemm and Relu, nothing else."""
    nodes, tensors, last = [], [], "x"
    for index, (weights, biases) in enumerate(layers):
        tensors.append(numpy_helper.from_array((weights / 2.0**SCALE).astype(numpy.float32), f"w{index}"))
        tensors.append(numpy_helper.from_array((biases / 4.0**SCALE).astype(numpy.float32), f"b{index}"))
        end = index == len(layers) - 1
        nodes.append(helper.make_node("Gemm", [last, f"w{index}", f"b{index}"], ["y" if end else f"a{index}"], transB=1))
        last = f"a{index}"
        if not end:
            nodes.append(helper.make_node("Relu", [last], [f"r{index}"]))
            last = f"r{index}"
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, layers[0][0].shape[1]])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, layers[-1][0].shape[0]])],
        tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def inputs_of(dims, batch, seed):
    """Features: integers -128 … 127."""
    return numpy.random.default_rng(seed).integers(-128, 128, (batch, dims[0]))


def write_inputs(values, path):
    with open(path, "w", encoding="utf-8") as file:
        json.dump({"input_data": [(values / 2.0**SCALE).flatten().tolist()]}, file)


def cpu_s():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def peak_mb():
    unit = 1 if platform.system() == "Darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def timed(work):
    """(result, seconds by the clock, by the processors)."""
    clock, cpu = time.monotonic(), cpu_s()
    result = work()
    return result, time.monotonic() - clock, cpu_s() - cpu


class Files:
    """The files of one setting."""

    def __init__(self, folder):
        for name in ("network.onnx", "settings.json", "network.ezkl", "kzg.srs", "pk.key", "vk.key", "witness.json", "proof.json", "verifier.sol", "abi.json", "calldata"):
            setattr(self, name.replace(".", "_"), os.path.join(folder, name))
        self.folder = folder

    def data(self, index):
        return os.path.join(self.folder, f"input{index}.json")


def prepare(args, setting):
    """Circuit, SRS and keys of a setting."""
    import ezkl

    files = Files(args.folder)
    os.makedirs(args.folder, exist_ok=True)
    dims, layers = load(args.model)
    export(layers, setting["batch"], files.network_onnx)
    for index in range(args.proofs):
        write_inputs(inputs_of(dims, setting["batch"], index), files.data(index))
    run = ezkl.PyRunArgs()
    run.input_visibility, run.output_visibility = "public", "public"
    run.param_visibility = setting["visibility"]
    run.input_scale = run.param_scale = SCALE
    for knob, value in setting["knobs"].items():
        setattr(run, knob, value)
    if not ezkl.gen_settings(files.network_onnx, files.settings_json, py_run_args=run):
        sys.exit("gen_settings: refused")
    ezkl.calibrate_settings(files.data(0), files.network_onnx, files.settings_json, "resources", scales=[SCALE], lookup_safety_margin=2)
    ezkl.compile_circuit(files.network_onnx, files.network_ezkl, files.settings_json)
    with open(files.settings_json, encoding="utf-8") as file:
        settings = json.load(file)
    logrows = settings["run_args"]["logrows"]
    srs = os.path.join(os.path.dirname(args.folder), f"kzg{logrows}.srs")
    if not os.path.exists(srs):
        ezkl.gen_srs(srs, logrows)
    if os.path.lexists(files.kzg_srs):
        os.remove(files.kzg_srs)
    os.symlink(srs, files.kzg_srs)
    _, seconds, cpu = timed(lambda: ezkl.setup(files.network_ezkl, files.vk_key, files.pk_key, srs_path=files.kzg_srs))
    return {
        "logrows": logrows,
        "rows": settings["num_rows"],
        "setup_s": seconds,
        "setup_cpu_s": cpu,
        "pk_mb": os.path.getsize(files.pk_key) / 1e6,
        "run_args": settings["run_args"],
    }


def prove(args, setting):
    """Witness and proof, several times."""
    import ezkl

    files = Files(args.folder)
    dims, layers = load(args.model)
    with open(files.settings_json, encoding="utf-8") as file:
        scale = json.load(file)["model_output_scales"][0]
    times, largest = [], 0.0
    for index in range(args.proofs):

        def witness():
            if setting["visibility"] == "hashed":
                return ezkl.gen_witness(files.data(index), files.network_ezkl, files.witness_json, vk_path=files.vk_key, srs_path=files.kzg_srs)
            return ezkl.gen_witness(files.data(index), files.network_ezkl, files.witness_json)

        made, witness_s, witness_cpu = timed(witness)
        # EZKL may keep more bits behind the point than the model does: compared as numbers.
        ours = (native(layers, inputs_of(dims, setting["batch"], index)) / 4.0**SCALE).flatten().tolist()
        theirs = [ezkl.felt_to_int(felt) / 2.0**scale for felt in made["outputs"][0]]
        if len(theirs) != len(ours):
            sys.exit(f"outputs: expected {len(ours)}, got {len(theirs)}")
        largest = max(largest, max(abs(a - b) for a, b in zip(ours, theirs)))
        _, prove_s, prove_cpu = timed(
            lambda: ezkl.prove(files.witness_json, files.network_ezkl, files.pk_key, files.proof_json, srs_path=files.kzg_srs)
        )
        times.append({"witness_s": witness_s, "prove_s": prove_s, "s": witness_s + prove_s, "cpu_s": witness_cpu + prove_cpu})
    if largest > MOST_ROUNDING:
        sys.exit(f"outputs: expected those of the integer network within {MOST_ROUNDING}, got a difference of {largest}: not the same network")
    with open(files.proof_json, encoding="utf-8") as file:
        proof = json.load(file)
    return {
        "proofs": times,
        "proof_bytes": len(bytes.fromhex(proof["hex_proof"].removeprefix("0x"))),
        "peak_rss_mb": peak_mb(),
        "output_scale": scale,
        "largest_output_difference": largest,
    }


def verify(args, setting):
    """Verifies the last proof; the same with a changed public value must fail."""
    import ezkl

    files = Files(args.folder)
    times = []
    for _ in range(args.proofs):
        good, seconds, cpu = timed(lambda: ezkl.verify(files.proof_json, files.settings_json, files.vk_key, srs_path=files.kzg_srs))
        if not good:
            sys.exit("verify: expected a good proof, got a refusal")
        times.append((seconds, cpu))
    forged = forge(files)
    try:
        accepted = ezkl.verify(forged, files.settings_json, files.vk_key, srs_path=files.kzg_srs)
    except RuntimeError:
        accepted = False
    if accepted:
        sys.exit("verify: expected a changed output to be refused, got accepted")
    return {
        "verify_ms": 1e3 * statistics.median(seconds for seconds, _ in times),
        "verify_cpu_ms": 1e3 * statistics.median(cpu for _, cpu in times),
        "verify_peak_rss_mb": peak_mb(),
        "forged_output_refused": True,
    }


def forge(files):
    """The last proof beside a changed output; its path."""
    with open(files.proof_json, encoding="utf-8") as file:
        proof = json.load(file)
    value = proof["instances"][0][-1]
    proof["instances"][0][-1] = ("1" if value[0] != "1" else "2") + value[1:]
    if proof.get("pretty_public_inputs"):
        proof["pretty_public_inputs"] = None
    path = os.path.join(files.folder, "forged.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(proof, file)
    return path


def on_chain(args, setting):
    """EZKL's own Solidity verifier, asked about the last proof in a transaction."""
    import ezkl

    files = Files(args.folder)

    async def source():
        made = ezkl.create_evm_verifier(
            vk_path=files.vk_key,
            settings_path=files.settings_json,
            sol_code_path=files.verifier_sol,
            abi_path=files.abi_json,
            srs_path=files.kzg_srs,
            reusable=False,
        )
        await made

    if os.path.exists(files.verifier_sol):
        os.remove(files.verifier_sol)
    said = None
    try:
        asyncio.run(source())
    except RuntimeError as error:
        # The source is written first; then EZKL wants a solc of its own for the ABI, from the internet.
        said = str(error)
        if "svm error" not in said or not os.path.exists(files.verifier_sol):
            raise
    good, forged = (bytes(ezkl.encode_evm_calldata(proof=path, calldata=files.calldata)).hex() for path in (files.proof_json, forge(files)))
    tried = {}
    with evm.chain() as chain:
        for runs in RUNS:
            artifact = evm.compiled(files.verifier_sol, runs)
            tried[runs] = evm.measured(chain, artifact, good, forged)
    best = min(tried, key=lambda runs: tried[runs]["gas"])
    return {
        "evm": tried[best]
        | {
            "optimizer_runs": best,
            "solc": artifact["solc"],
            "hardfork": evm.HARDFORK,
            "fits_in_mainnet_code": tried[best]["code_bytes"] <= evm.LARGEST_CODE,
            "source_bytes": os.path.getsize(files.verifier_sol),
            "by_optimizer_runs": tried,
            "create_evm_verifier_said": said,
            "forged_output_refused": True,
        }
    }


STAGES = {"prepare": prepare, "prove": prove, "verify": verify, "evm": on_chain}


def stage(name, args, folder, setting):
    """Runs a stage in its own process and returns what it measured."""
    command = [sys.executable, os.path.abspath(__file__), "--stage", name, "--folder", folder, "--setting", json.dumps(setting)]
    command += ["--model", args.model, "--proofs", str(args.proofs)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=args.work, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{name}: {done.stderr.strip()[-800:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def measure(args, name, setting):
    folder = os.path.join(os.path.abspath(args.work), name)
    print(f"{name}: {setting['knobs'] or 'default knobs'} …", file=sys.stderr)
    result = {"setting": setting}
    for part in STAGES:
        if part == "evm" and args.no_evm:
            continue
        result.update(stage(part, args, folder, setting))
    batch = setting["batch"]
    result["s_per_decision"] = statistics.median(p["s"] for p in result["proofs"]) / batch
    result["cpu_s_per_decision"] = statistics.median(p["cpu_s"] for p in result["proofs"]) / batch
    print(
        f"{name}: {result['s_per_decision']:.2f} s ({result['cpu_s_per_decision']:.1f} CPU-s) a decision, {result['peak_rss_mb']:.0f} MB, "
        f"{result['proof_bytes']} bytes, verified in {result['verify_ms']:.0f} ms, 2^{result['logrows']} rows",
        file=sys.stderr,
    )
    if "evm" in result:
        contract = result["evm"]
        print(
            f"{name}: on chain {contract['gas']} gas ({contract['gas'] / batch:.0f} a decision), code of {contract['code_bytes']} bytes, "
            f"deployed for {contract['gas_deploy']} gas",
            file=sys.stderr,
        )
    return result


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--work")
    parser.add_argument("--out")
    parser.add_argument("--proofs", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=list(SETTINGS))
    parser.add_argument("--explore", action="store_true")
    parser.add_argument("--no-evm", action="store_true", help="leave out the verifier contract, which needs `make tools`")
    parser.add_argument("--stage", choices=list(STAGES), help=argparse.SUPPRESS)
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    parser.add_argument("--setting", type=json.loads, help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.model = os.path.abspath(args.model)
    if args.stage:
        print(json.dumps(STAGES[args.stage](args, args.setting)))
        return
    if not args.work or not args.out:
        parser.error("expected --work FOLDER and --out FILE")
    os.makedirs(args.work, exist_ok=True)
    names = args.only or list(SETTINGS)
    if args.explore:
        chosen = {f"{n}-{k}": {**SETTINGS[n], "knobs": knobs} for n in names for k, knobs in EXPLORE.items()}
    else:
        chosen = {n: SETTINGS[n] for n in names}
    results, failed = {}, {}
    for name, setting in chosen.items():
        try:
            results[name] = measure(args, name, setting)
        except RuntimeError as error:
            # Exploring may run into knobs that EZKL refuses; a figure that is asked for may not be missing.
            if not args.explore:
                raise SystemExit(f"{name}: {error}") from error
            failed[name] = str(error)
            print(f"{name}: {error}", file=sys.stderr)
    report = {
        "version": 1,
        "peer": "ezkl",
        "network": "16-32-16-3, the shipped model",
        "versions": {p: importlib.metadata.version(p) for p in ("ezkl", "onnx", "numpy")} | {"python": platform.python_version()},
        "machine": {"processors": os.cpu_count(), "system": f"{platform.system()} {platform.machine()}"},
        "not_modelled": NOT_MODELLED,
        "settings": results,
    }
    if "hashed" in results:
        report["ezkl_s"] = results["hashed"]["s_per_decision"]
        if "evm" in results["hashed"]:
            report["ezkl_evm_gas"] = results["hashed"]["evm"]["gas"]
            report["ezkl_evm_code_bytes"] = results["hashed"]["evm"]["code_bytes"]
    if failed:
        report["failed"] = failed
    os.makedirs(os.path.dirname(os.path.abspath(args.out)), exist_ok=True)
    with open(args.out, "w", encoding="utf-8") as file:
        json.dump(report, file, indent=2)
    print(args.out)


if __name__ == "__main__":
    main()
