#!/usr/bin/env python3
"""The page of a hostile log in a real Chromium: nothing runs, nothing is fetched, nothing is empty; and tidy finds it valid.

    pages.py AUTHALERT [DIRECTORY]        screenshots are kept in DIRECTORY"""
import base64, pathlib, re, shutil, subprocess, sys, tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from webdriver import Browser, pixels

AUTHALERT = pathlib.Path(sys.argv[1]).resolve()
passed = failed = 0
MARKUP = ["<script>document.title='ran'</script>", "\"><img src=http://127.0.0.1:9/x onerror=document.title='ran'>", "</title><script>document.title='ran'</script>",
          "--><svg onload=document.title='ran'>", "'onmouseover='document.title=1", "\u202egnol\u202c", "\u2067rtl\u2069", "&lt;b&gt;&#60;i", "</style><style>*{display:none}",
          "<base href=http://127.0.0.1:9/>", "<meta http-equiv=refresh content=0>", "javascript:document.title='ran'", "東京" * 20, "A" * 64, "root", "alice", "admin"]


def ok(good, what, why=""):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    print(f"{'ok' if good else 'not ok'} - {what}" + (f" ({why})" if why and not good else ""), flush=True)


def hostile(file):
    """Failures at many hours of many days, by names that would be markup, and lines of 64 KB."""
    with open(file, "w") as log:
        for i in range(6000):
            day, hour = i // 300 + 1, (i * i) % 24
            name = MARKUP[i % len(MARKUP)]
            rhost = f"192.0.2.{i % 9}" if i % 4 else f"2001:db8::{i % 50:x}"
            log.write(f"Oct {day:2} {hour:02}:{i % 60:02}:11 srv sshd[{3000 + i}]: Failed password for invalid user {name} from {rhost} port 4711 ssh2\n")
            if i % 500 == 0:
                log.write(f"Oct {day:2} {hour:02}:{i % 60:02}:12 srv sshd[9]: Failed password for invalid user {'<b>' * 21845} from {rhost} port 4711 ssh2\n")
                log.write(f"Oct {day:2} {hour:02}:{i % 60:02}:13 srv su[9]: FAILED SU (to <i>x</i>) <u>bob</u> on pts/0\n")
        log.write("Oct 20 23:59:58 srv sshd[99]: Accepted password for root from 192.0.2.1 port 4711 ssh2\n")


def colours(rows):
    seen = {}
    for row in rows:
        for pixel in row:
            seen[pixel] = seen.get(pixel, 0) + 1
    return seen


def looked_at(browser, url, shots):
    grounds = set()
    for scheme in ("light", "dark"):
        for width in (1280, 390):
            browser.open(url, width, scheme)
            what = f"{scheme} at {width} pixels"
            fetched = [u for u in browser.requests() if u != url and not u.startswith("data:")]
            ok(not fetched, f"{what}: nothing is fetched", str(fetched))
            console = browser.log("browser")
            ok(not console, f"{what}: the console is empty", str(console))
            title = browser.run("return document.title")
            ok(title.startswith("Failed logins on "), f"{what}: no script ran", title)
            wide = browser.run("return document.documentElement.scrollWidth")
            ok(wide <= width, f"{what}: the page is no wider than the window", str(wide))
            size = browser.run("return document.documentElement.scrollHeight")
            whole = browser.screenshot({"x": 0, "y": 0, "width": width, "height": min(size, 6000), "scale": 1})
            (shots / f"{scheme}-{width}.png").write_bytes(whole)
            grounds.add(pixels(browser.screenshot({"x": 0, "y": 0, "width": 4, "height": 4, "scale": 1}))[0][0])
            boxes = browser.run("return [...document.querySelectorAll('svg')].map(s=>{s.parentElement.scrollLeft=0;const b=s.getBoundingClientRect();"
                                "return {x:b.x+scrollX,y:b.y+scrollY,width:b.width,height:b.height,scale:1,title:s.querySelector('title').textContent}})")
            ok(len(boxes) == 3, f"{what}: there are three pictures", str(len(boxes)))
            for box in boxes:
                title = box.pop("title")
                box["width"] = min(box["width"], width - box["x"])
                seen = colours(pixels(browser.screenshot(box)))
                ground = max(seen, key=seen.get)
                drawn = sum(n for pixel, n in seen.items() if pixel != ground) / sum(seen.values())
                ok(len(seen) > 8 and drawn > 0.02, f"{what}: '{title}' is not empty", f"{len(seen)} colours, {drawn:.1%} drawn")
    ok(len(grounds) == 2 and sum(min(grounds)) < 150 < 600 < sum(max(grounds)), "light is light and dark is dark", str(grounds))


def printed(browser, url, shots):
    """On A4 nothing is cut off on the right, what can only be clicked is left out, and dark is not printed."""
    width = 680  # of 210 mm less two margins of 15
    browser.open(url, width, "dark")
    browser.cdp("Emulation.setEmulatedMedia", media="print", features=[{"name": "prefers-color-scheme", "value": "dark"}])
    over = browser.run("return [...document.querySelectorAll('svg,table')].filter(e=>e.getBoundingClientRect().width>0)"
                       f".map(e=>Math.round(e.getBoundingClientRect().right)).filter(right=>right>{width})")
    ok(not over, "on paper no picture and no table is cut off", str(over))
    shown = browser.run("return [...document.querySelectorAll('details')].filter(e=>e.getBoundingClientRect().height>0).length")
    ground = browser.run("return getComputedStyle(document.body).backgroundColor")
    ok(shown == 0 and ground == "rgb(255, 255, 255)", "on paper there is nothing to click, and it is white", f"{shown} {ground}")
    pdf = base64.b64decode(browser.cdp("Page.printToPDF", preferCSSPageSize=True)["data"])
    (shots / "printed.pdf").write_bytes(pdf)
    sizes = {(round(float(w)), round(float(h))) for w, h in re.findall(rb"/MediaBox \[0 0 ([0-9.]+) ([0-9.]+)\]", pdf)}
    ok(sizes == {(595, 842)}, "the pages are A4", str(sizes))


def main():
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        shots = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else root
        shots.mkdir(exist_ok=True)
        log, page = root / "auth.log", root / "report.html"
        hostile(log)
        for names in ([], ["--names"]):
            made = subprocess.run([AUTHALERT, "--state", root / "none", "report", log, "--html", page, *names], capture_output=True, text=True)
            ok(made.returncode == 0, "a page is made of a hostile log", made.stderr)
            if shutil.which("tidy"):
                tidy = subprocess.run(["tidy", "-quiet", "-errors", "-utf8", page], capture_output=True, text=True)
                ok(tidy.returncode == 0 and not tidy.stderr, "tidy finds it valid", tidy.stderr[:800])
            else:
                print("left out - tidy: not installed")
        if not shutil.which("chromedriver") or not shutil.which("chromium"):
            return print("left out - Chromium: not installed (Debian: chromium, chromium-driver)")
        with Browser() as browser:
            looked_at(browser, page.as_uri(), shots)
            printed(browser, page.as_uri(), shots)


main()
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
