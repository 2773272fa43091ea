"""A zenoh router and nothing else, until it is killed or its standard input ends: `router.py ENDPOINT`."""

import sys

from network import open_session

if __name__ == "__main__":
    session = open_session("router", [], [sys.argv[1]])
    print("connected", flush=True)
    sys.stdin.read()
    session.close()
