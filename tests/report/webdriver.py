"""A page in a real Chromium, driven by ChromeDriver: what it fetched, what its console said, how it looks."""
import base64, json, pathlib, socket, struct, subprocess, tempfile, time, urllib.request, zlib

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync", "--hide-scrollbars"]


class Browser:
    def __enter__(self):
        self.profile = tempfile.TemporaryDirectory()
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        self.driver = subprocess.Popen(["chromedriver", f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.base = f"http://127.0.0.1:{port}"
        for _ in range(100):
            try:
                urllib.request.urlopen(self.base + "/status", timeout=5).read()
                break
            except OSError:
                time.sleep(0.1)
        options = {"args": [*FLAGS, f"--user-data-dir={self.profile.name}"]}
        made = self.call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}}})
        self.base += "/session/" + made["sessionId"]
        return self

    def __exit__(self, *_):
        self.call("DELETE", "")
        self.driver.terminate()
        self.driver.wait(20)
        self.profile.cleanup()

    def call(self, method, path, body=None):
        request = urllib.request.Request(self.base + path, json.dumps(body or {}).encode() if method == "POST" else None, method=method)
        request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)["value"]

    def cdp(self, command, **params):
        return self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": params})

    def run(self, script):
        return self.call("POST", "/execute/sync", {"script": script, "args": []})

    def open(self, url, width, scheme):
        self.cdp("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.cdp("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.log("performance"), self.log("browser")
        self.call("POST", "/url", {"url": url})

    def log(self, kind):
        return self.call("POST", "/se/log", {"type": kind})

    def requests(self):
        messages = [json.loads(entry["message"])["message"] for entry in self.log("performance")]
        # Of the page alone: a browser that begins still loads parts of its own.
        return [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"
                and not m["params"]["documentURL"].startswith(("chrome:", "devtools:"))]

    def screenshot(self, clip=None):
        shot = self.cdp("Page.captureScreenshot", captureBeyondViewport=True, **({"clip": clip} if clip else {}))
        return base64.b64decode(shot["data"])


def pixels(png):
    """The pixels of a PNG of eight bits without interlace, as rows of tuples."""
    at, data = 8, b""
    while at < len(png):
        size, kind = struct.unpack(">I4s", png[at:at + 8])
        part = png[at + 8:at + 8 + size]
        if kind == b"IHDR":
            width, height, _, colour = struct.unpack(">IIBB", part[:10])
        elif kind == b"IDAT":
            data += part
        at += 12 + size
    n = {2: 3, 6: 4}[colour]
    raw, before, rows = zlib.decompress(data), bytearray(width * n), []
    for y in range(height):
        kind, row = raw[y * (width * n + 1)], bytearray(raw[y * (width * n + 1) + 1:(y + 1) * (width * n + 1)])
        for i in range(len(row)):
            left, up = row[i - n] if i >= n else 0, before[i]
            corner = before[i - n] if i >= n else 0
            guess = left + up - corner
            paeth = min((left, up, corner), key=lambda v: abs(guess - v))
            row[i] = (row[i] + [0, left, up, (left + up) // 2, paeth][kind]) & 255
        rows.append([tuple(row[i:i + 3]) for i in range(0, len(row), n)])
        before = row
    return rows
