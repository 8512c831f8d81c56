"""A verifier contract on a development chain of this process's own: compiled, deployed, asked, gas from receipts.

Gas is all in: the transaction's 21,000, its call data and the verification. The node is anvil, under the rules that the settlement's own figures
are taken under (Osaka).
"""

import contextlib
import glob
import json
import os
import socket
import subprocess
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
CONTRACTS = os.path.join(HERE, "../../../chain/contracts")
HARDFORK = "osaka"
LARGEST_CODE = 24_576
"""Bytes of code that mainnet accepts (EIP-170)."""
SENDER = "0x8000000000000000000000000000000000000008"
GAS = 16_000_000
"""Of a transaction; EIP-7825 allows 16,777,216."""


def compiled(source, runs):
    """The artifact of a Solidity file with one contract."""
    done = subprocess.run(["node", os.path.join(HERE, "solidity.mjs"), source, str(runs)], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{source}: {done.stderr.strip()[-800:]}")
    return json.loads(done.stdout)


class Chain:
    """One account on one node."""

    def __init__(self, url):
        self.url = url

    def call(self, method, *params):
        """The result of a call, or RuntimeError with what the node says."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        request = urllib.request.Request(self.url, body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            answer = json.load(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error'].get('message')}")
        return answer["result"]

    def send(self, to, data):
        """The receipt of a transaction that succeeded."""
        tx = {"from": SENDER, "data": "0x" + data, "gas": hex(GAS)} | ({"to": to} if to else {})
        sent = self.call("eth_sendTransaction", tx)
        until = time.monotonic() + 60
        while time.monotonic() < until:
            receipt = self.call("eth_getTransactionReceipt", sent)
            if receipt:
                if receipt["status"] != "0x1":
                    raise RuntimeError(f"transaction to {to or 'create'}: expected success, got a failure")
                return receipt
            time.sleep(0.02)
        raise RuntimeError(f"transaction {sent}: no receipt within 60 s")


@contextlib.contextmanager
def chain():
    """A node, ended with the block."""
    found = glob.glob(os.path.join(CONTRACTS, "node_modules/@foundry-rs/anvil-*/bin/anvil"))
    if not found:
        raise RuntimeError("anvil is missing: run `make tools`")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    flags = ["--quiet", "--port", str(port), "--accounts", "0", "--hardfork", HARDFORK, "--disable-code-size-limit"]
    node = subprocess.Popen([found[0], *flags], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        chain = Chain(f"http://127.0.0.1:{port}")
        until = time.monotonic() + 30
        while True:
            try:
                chain.call("eth_chainId")
                break
            except OSError:
                if node.poll() is not None or time.monotonic() > until:
                    raise RuntimeError("anvil does not answer") from None
                time.sleep(0.05)
        chain.call("anvil_impersonateAccount", SENDER)
        chain.call("anvil_setBalance", SENDER, hex(10**21))
        yield chain
    finally:
        node.terminate()
        node.wait()


def measured(chain, artifact, good, forged):
    """Deploys, asks about a good proof and a forged one; gas and bytes."""
    created = chain.send(None, artifact["bytecode"])
    address = created["contractAddress"]
    code = chain.call("eth_getCode", address, "latest")
    said = chain.call("eth_call", {"from": SENDER, "to": address, "data": "0x" + good, "gas": hex(GAS)}, "latest")
    if int(said, 16) != 1:
        raise RuntimeError(f"verifier contract: expected 1 for a good proof, got {said}")
    try:
        said = chain.call("eth_call", {"from": SENDER, "to": address, "data": "0x" + forged, "gas": hex(GAS)}, "latest")
        if int(said, 16) != 0:
            raise RuntimeError("verifier contract: expected a changed output to be refused, got accepted")
    except RuntimeError as error:
        if "revert" not in str(error):
            raise
    receipt = chain.send(address, good)
    return {
        "gas": int(receipt["gasUsed"], 16),
        "gas_deploy": int(created["gasUsed"], 16),
        "code_bytes": len(code) // 2 - 1,
        "calldata_bytes": len(good) // 2,
    }
