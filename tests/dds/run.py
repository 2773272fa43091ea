"""DDS to policy and back: `run.py BRIDGE RUNTIME`. Starts both and peer.py, and says what the robot on DDS heard.

    peer.py (cyclonedds) <- DDS -> sinew-dds-bridge (zenoh-plugin-ros2dds) <- zenoh -> sinew-runtime run
"""

import os
import random
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

ROOT = Path(__file__).parents[2]
# Loopback has no multicast; the bridge and the peer have to agree on how they find each other.
CYCLONE = (
    '<CycloneDDS><Domain id="any"><General><AllowMulticast>false</AllowMulticast><Interfaces><NetworkInterface name="lo" multicast="false"/></Interfaces>'
    '</General><Discovery><ParticipantIndex>auto</ParticipantIndex><Peers><Peer address="127.0.0.1"/></Peers></Discovery></Domain></CycloneDDS>'
)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(command: list, environment: dict, first: str) -> subprocess.Popen:
    """Starts a program and waits for its first line; what it says later goes nowhere."""
    process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    threading.Thread(target=process.stdout.read, name=Path(command[0]).name, daemon=True).start()
    if first not in line:
        process.kill()
        raise SystemExit(f"{command[0]} said {line!r} rather than {first!r}")
    return process


def main() -> int:
    bridge_program, runtime_program = sys.argv[1:]
    environment = {**os.environ, "CYCLONEDDS_URI": CYCLONE, "ROS_DISTRO": "humble"}
    endpoint, domain = f"tcp/127.0.0.1:{free_port()}", str(random.randrange(1, 100))
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = ROOT / "tests/fixtures/golden/tiny/tokenizer.json"
        make = [ROOT / ".venv/bin/python", ROOT / "tests/oracles/runtime/hold_still.py", folder, "--tokenizer", tokenizer]
        subprocess.run(make, check=True)
        running = [start([bridge_program, endpoint, domain], environment, "connected")]
        try:
            run = [runtime_program, "run", "--bundle", folder, "--mode", "client", "--connect", endpoint, "--instruction", "stay", "--json"]
            running.append(start(run, environment, '"ready"'))
            return subprocess.run([sys.executable, ROOT / "tests/dds/peer.py", domain], env=environment, check=False).returncode
        finally:
            for process in running:
                process.kill()
                process.wait()


if __name__ == "__main__":
    sys.exit(main())
