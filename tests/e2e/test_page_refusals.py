#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
# shares: the machine
"""
The page's server against clients that are no page: without the token, from other sites, too large, too slow.

    hostile HTTP clients --- netloom web --- netloomd --- a --(s1)--(s2)-- b, which ping each other all the while
"""
import socket
import time

from page_lab import LIMIT_S, PageLab, wait_for


def files_need_no_token_and_lead_nowhere(lab):
    for path, status in (("/", 200), ("/app.js", 200), ("/style.css", 200), ("/etc/passwd", 404),
                         ("/../../etc/passwd", 404), ("/%2e%2e/%2e%2e/etc/passwd", 404), ("/..%2f..%2fetc/passwd", 404),
                         ("//etc/passwd", 404), ("/app.js/../../README.md", 404),
                         ("/files.c", 404), ("/" + "a" * 4000, 414)):
        got, text = raw(lab, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{lab.port}\r\nConnection: close\r\n\r\n".encode())
        assert got == status, (path[:40], got, text[:200])
        assert "root:" not in text
        if status == 200:
            assert "default-src 'none'" in text and "nosniff" in text, text[:600]


def raw(lab, request):
    """Status and all bytes of a connection; 0 when it was closed without an answer."""
    with socket.create_connection(("127.0.0.1", lab.port), timeout=LIMIT_S) as client:
        try:
            client.sendall(request)
            text = b""
            while True:
                some = client.recv(65536)
                if not some:
                    break
                text += some
        except (ConnectionResetError, BrokenPipeError):
            pass
    return (int(text.split()[1]) if text.startswith(b"HTTP/") else 0), text.decode(errors="replace")


def calls_need_the_token(lab):
    for token in (False, "", "0" * 32, lab.token[:-1], lab.token + "0"):
        for path, body in (("/api/stream", None), ("/api/detail?kind=port&name=x", None), ("/api/action", {"do": "stop"}),
                           ("/api/console?node=page/h", None), ("/api/capture", {"target": "page/a:eth1"})):
            status, answer = lab.api(path, body, token=token)
            assert status == 401 and "netloom web" in answer["error"], (token, path, status, answer)
    # A token in the address or in a cookie is none: both travel without the page's doing.
    assert lab.api(f"/api/detail?kind=port&name=x&token={lab.token}", token=False)[0] == 401
    assert lab.api("/api/detail?kind=port&name=x", token=False, headers={"Cookie": f"token={lab.token}"})[0] == 401


def other_sites_are_refused(lab):
    good = {"do": "link", "target": "page/a:eth1", "words": ["down"]}
    for headers, status in (({"Host": "evil.example"}, 421), ({"Host": f"evil.example:{lab.port}"}, 421),
                            ({"Origin": "http://evil.example"}, 403), ({"Origin": "null"}, 403),
                            ({"Sec-Fetch-Site": "cross-site"}, 403)):
        assert lab.api("/api/action", good, headers)[0] == status, headers
    assert "up" in lab.netloom("show", "links", "page")
    assert "admin down" not in lab.netloom("show", "links", "page")


def nonsense_is_answered_with_a_sentence(lab):
    for body in (b"", b"[]", b"{", b'{"do":"start","do":"stop"}', {"do": "rm"}, {"do": "start"}, {"do": "start", "node": 7},
                 {"do": "start", "node": "--help"}, {"do": "start", "node": "page/a;reboot"}, {"do": "start", "node": "x" * 500},
                 {"do": "link", "target": "page/a:eth1"}, {"do": "link", "target": "page/a:eth1", "words": []},
                 {"do": "link", "target": "page/a:eth1", "words": ["--help"]},
                 {"do": "link", "target": "page/a:eth1", "words": ["delay", "$(reboot)"]},
                 {"do": "link", "target": "page/a:eth1", "words": ["down"] * 100},
                 {"do": "link", "target": "-x", "words": ["down"]}, {"do": "admin", "port": "x", "admin": "sideways"}):
        status, answer = lab.api("/api/action", body)
        assert status == 400 and answer["error"], (body, status, answer)
    # What netloom itself refuses comes back as it said it.
    for body, said in (({"do": "link", "target": "page/a:eth1", "words": ["delay", "-5ms"]}, ""),
                       ({"do": "link", "target": "page/a:eth1", "words": ["loss", "101%"]}, "loss"),
                       ({"do": "link", "target": "page/nobody:eth1", "words": ["down"]}, "nobody"),
                       ({"do": "stop", "node": "page/s1"}, "s1")):
        status, answer = lab.api("/api/action", body)
        assert (status == 400) or (status == 200 and not answer["ok"] and said in answer["text"]), (body, status, answer)
    assert lab.api("/api/detail?kind=port&name=none")[0] == 404
    assert lab.api("/api/detail?kind=cow&name=none")[0] == 404
    assert lab.api("/api/detail?kind=port&name=" + "x" * 300)[0] == 400
    assert lab.api("/api/detail?kind=port")[0] == 400
    assert lab.api("/api/console?node=page/h")[0] == 409
    assert lab.api("/api/console?node=../../etc")[0] == 400
    assert lab.api("/api/console?node=page/h", b"ls\r")[0] == 409
    assert lab.api("/api/cow")[0] == 404
    for body, said in (({"filter": "x" * 2000}, "1000 characters"), ({"filter": "no such filter ("}, "filter"), ({"filter": "-w"}, "filter"),
                       ({"target": "page/nobody:eth1"}, "nobody")):
        status, answer = lab.api("/api/capture", {"target": "page/a:eth1", **body})
        assert status == 400 and said in answer["error"], (body, status, answer)


def large_messages_are_refused(lab):
    for path in ("/api/action", "/api/console?node=page/h", "/api/capture"):
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{lab.port}\r\nAuthorization: Bearer {lab.token}\r\n".encode()
        status, _ = raw(lab, head + b"Content-Length: 1000000000\r\n\r\n" + b"x" * 100000)
        assert status in (413, 0), (path, status)
        chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
        status, _ = raw(lab, head + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * 20 + b"0\r\n\r\n")
        assert status in (413, 0), (path, status)
    status, _ = raw(lab, b"GET / HTTP/1.1\r\nX: " + b"y" * 1000000)
    assert status in (431, 413, 400, 0), status


def rss_kib(process):
    with open(f"/proc/{process.pid}/status", encoding="utf-8") as status:
        return int(next(line.split()[1] for line in status if line.startswith("VmRSS")))


def slow_readers_and_crowds_are_bounded(lab):
    """40 streams that nobody reads, and connections that say nothing: the page answers on, and stays small."""
    request = f"GET /api/stream HTTP/1.1\r\nHost: 127.0.0.1:{lab.port}\r\nAuthorization: Bearer {lab.token}\r\n\r\n".encode()
    clients = []
    for i in range(40):
        client = socket.create_connection(("127.0.0.1", lab.port), timeout=LIMIT_S)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(request if i < 36 else b"GET / HT")
        clients.append(client)
    wait_for("an answer beside the crowd", lambda: lab.api("/api/detail?kind=switch&name=page/s1")[0] == 200)
    assert rss_kib(lab.web) < 64 << 10, rss_kib(lab.web)
    refused = 0
    for client in clients[:36]:
        client.settimeout(LIMIT_S)
        refused += b" 503 " in client.recv(64)
    assert refused == 4, refused
    for client in clients:
        client.close()
    wait_for("room for a stream again", lambda: stream_opens(lab, request))


def stream_opens(lab, request):
    with socket.create_connection(("127.0.0.1", lab.port), timeout=LIMIT_S) as client:
        client.sendall(request)
        return b" 200 " in client.recv(64)


def a_capture_that_is_left_ends(lab):
    """Also on a link without a frame that would find out."""
    body = b'{"target": "page/a:eth1", "filter": "udp port 9"}'
    with socket.create_connection(("127.0.0.1", lab.port), timeout=LIMIT_S) as client:
        client.sendall(f"POST /api/capture HTTP/1.1\r\nHost: 127.0.0.1:{lab.port}\r\nAuthorization: Bearer {lab.token}\r\n"
                       f"Content-Length: {len(body)}\r\n\r\n".encode() + body)
        assert b" 200 " in client.recv(64)
        assert "udp port 9" in lab.netloom("capture", "--list")
    wait_for("the end of it", lambda: "udp port 9" not in lab.netloom("capture", "--list"))


def main():
    lab = PageLab()
    try:
        ping = lab.ping("-q", "-i", "0.2")
        for test in (files_need_no_token_and_lead_nowhere, calls_need_the_token, other_sites_are_refused,
                     nonsense_is_answered_with_a_sentence, large_messages_are_refused, slow_readers_and_crowds_are_bounded,
                     a_capture_that_is_left_ends):
            before = time.monotonic()
            test(lab)
            print(f"ok   {test.__name__} ({time.monotonic() - before:.1f} s)", flush=True)
        assert ping.poll() is None and lab.web.poll() is None
    finally:
        lab.end()


if __name__ == "__main__":
    main()
