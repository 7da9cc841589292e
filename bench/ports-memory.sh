#!/bin/bash
# SPDX-License-Identifier: BSD-3-Clause
#
# What netloomd costs when nothing happens, and what a port and an FDB entry cost in memory.
#
#   bench/ports-memory.sh [PORTS]        (default 1000; BUILD: directory with netloomd)
#
#   netloomd --- PORTS vhost-user ports, nobody connected, on one switch
#            --- 262 pcap ports with 4000 source addresses each (a second daemon)
#
# Prints one line per figure. RSS is VmRSS of /proc/PID/status; CPU is utime + stime over 10 s.
set -euo pipefail

ports=${1:-1000}
build=${BUILD:-$(dirname "$0")/../build}
dir=$(mktemp -d)
pid=

finish() {
	if [ -n "$pid" ]; then
		kill "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	fi
	rm -rf "$dir"
}
trap finish EXIT

start() {
	"$build/netloomd" --no-huge --socket "$dir/sock" --state "$dir/state" "$@" 2>>"$dir/log" &
	pid=$!
	for _ in $(seq 600); do
		[ -S "$dir/sock" ] && return
		sleep 0.05
	done
	cat "$dir/log" >&2
	exit 1
}

stop() {
	kill "$pid"
	wait "$pid"
	pid=
	rm -f "$dir/state"
}

rss() { awk '/VmRSS/ {print $2}' "/proc/$pid/status"; }
ticks() { awk '{print $14 + $15}' "/proc/$pid/stat"; }

# rpc METHOD PARAMS: prints the answer, fails on an error
rpc() {
	python3 - "$dir/sock" "$1" "${2:-"{}"}" <<'END'
import json, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
request = {"jsonrpc": "2.0", "id": 1, "method": sys.argv[2], "params": json.loads(sys.argv[3])}
f = s.makefile("rw")
f.write(json.dumps(request) + "\n")
f.flush()
answer = json.loads(f.readline())
if "error" in answer:
    sys.exit(answer["error"]["message"])
json.dump(answer["result"], sys.stdout)
END
}

# apply_ports N: one switch with N vhost-user ports
apply_ports() {
	python3 - "$dir" "$1" >"$dir/apply.json" <<'END'
import json, sys
ports = [{"name": f"p{i}", "type": "vhost-user", "socket": f"{sys.argv[1]}/p{i}", "switch": "s",
          "vlan": {"access": 1 + i % 4094}} for i in range(int(sys.argv[2]))]
json.dump({"jsonrpc": "2.0", "id": 1, "method": "apply",
           "params": {"owner": "bench", "switches": [{"name": "s"}], "ports": ports}}, sys.stdout)
print()
END
	python3 - "$dir/sock" "$dir/apply.json" <<'END'
import json, socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
begin = time.monotonic()
s.sendall(open(sys.argv[2], "rb").read())
answer = json.loads(s.makefile().readline())
if "error" in answer:
    sys.exit(answer["error"]["message"])
print(f"apply: {len(answer['result']['changes'])} changes in {time.monotonic() - begin:.3f} s")
END
}

idle() {
	local before after
	before=$(ticks)
	sleep 10
	after=$(ticks)
	echo "idle with $1 ports: $(awk -v n=$((after - before)) -v hz="$(getconf CLK_TCK)" \
		'BEGIN {printf "%.2f", n * 100 / hz / 10}') % of a CPU"
}

start
sleep 1
empty=$(rss)
echo "netloomd without ports: $empty KiB resident"
idle 0
apply_ports 6
sleep 1
echo "netloomd with 6 ports: $(rss) KiB resident"
idle 6
apply_ports "$ports"
sleep 2
full=$(rss)
echo "netloomd with $ports ports: $full KiB resident, $(((full - empty) * 1024 / ports)) bytes a port"
idle "$ports"
stop

# A million stations, 4000 behind each of 262 ports: with learning off and a small table, to know what the captures
# take, and with a table that holds them.
mkdir "$dir/macs"
python3 - "$dir/macs" <<'END'
import struct, sys
for port in range(262):
    with open(f"{sys.argv[1]}/{port}.pcap", "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for i in range(4000):
            f.write(struct.pack("<IIII", 0, 0, 60, 60) + bytes.fromhex("02ffffffffff0200") +
                    struct.pack(">I", port * 4000 + i) + bytes.fromhex("0800") + bytes(46))
END

# stations LEARNING ENTRIES: sets $entries, $bytes and $resident
stations() {
	start --fdb-entries "$2"
	rpc switch.set "{\"name\":\"s\",\"learning\":$1}" >/dev/null
	python3 - "$dir/sock" "$dir/macs" <<'END'
import json, socket, sys, time
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
f = s.makefile("rw")

def call(method, **params):
    f.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}) + "\n")
    f.flush()
    return json.loads(f.readline())["result"]

for port in range(262):
    name = f"m{port}"
    call("port.set", name=name, type="pcap", rx=f"{sys.argv[2]}/{port}.pcap", switch="s",
         vlan={"access": 1})
    while sum(w["frames"] for w in call("status")["workers"]) < 4000 * (port + 1):
        time.sleep(0.001)
END
	sleep 1
	resident=$(rss)
	read -r entries bytes < <(rpc status | python3 -c \
		'import json,sys; fdb = json.load(sys.stdin)["fdb"]; print(fdb["entries"], fdb["bytes"])')
	stop
}

stations false 1024
without=$resident
stations true 1048576
echo "FDB for 1048576 entries: $bytes bytes mapped; holding $entries: $(((resident - without))) KiB" \
	"resident, $(((resident - without) * 1024 / entries)) bytes an entry"
