"""Opens an HTML report in headless Chromium, wide and narrow, light and dark: nothing asked of the network, no word on the console, nothing wider than the window.

usage: report_check.py REPORT.html FOLDER
"""

import json
import pathlib
import re
import subprocess
import sys
import tempfile

report, folder = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
folder.mkdir(parents=True, exist_ok=True)

# A window of Chromium is never narrower than some 500 pixels; a frame is. It tells what it measured in its title.
frame = """<!doctype html><meta charset="utf-8"><title>waiting</title><style>body{{margin:0}}iframe{{border:0;width:{width}px;height:3000px}}</style>
<iframe src="{report}" onload="const d = this.contentDocument, e = d.scrollingElement;
  document.title = JSON.stringify({{scroll: e.scrollWidth, client: e.clientWidth, rows: d.querySelectorAll('tr').length, text: d.body.innerText.length,
    asked: this.contentWindow.performance.getEntriesByType('resource').map(r => r.name), colour: getComputedStyle(d.body).backgroundColor}})"></iframe>"""


def chromium(*args):
    with tempfile.TemporaryDirectory() as profile:
        return subprocess.run(
            ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync", "--allow-file-access-from-files", "--enable-logging=stderr",
             "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={profile}", *args],
            capture_output=True, text=True, timeout=120)


problems, colours = [], {}
for width in 1280, 390:
    for name, scheme in ("light", 1), ("dark", 0):
        page = folder / f"{width}-{name}.html"
        page.write_text(frame.format(width=width, report=report.as_uri()))
        flags = [f"--blink-settings=preferredColorScheme={scheme}", f"--window-size={max(width, 500)},3000"]
        done = chromium(*flags, "--dump-dom", page.as_uri())
        title = re.search(r"<title>(\{.*?\})</title>", done.stdout)
        if not title:
            raise SystemExit(f"{page.name}: never loaded\n{done.stderr[-2000:]}")
        seen = json.loads(title.group(1))
        console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
        picture = folder / f"{width}-{name}.png"
        chromium(*flags, f"--screenshot={picture}", page.as_uri())
        print(f"{width} {name}: {seen}, picture of {picture.stat().st_size} bytes")
        colours[width, name] = seen["colour"]
        if seen["scroll"] > seen["client"] or abs(seen["client"] - width) > 20:
            problems.append(f"{page.name}: {seen['scroll']} pixels wide in a window of {seen['client']}")
        if seen["rows"] < 12 or seen["text"] < 1000 or picture.stat().st_size < 20000:
            problems.append(f"{page.name}: hardly anything on it")
        if console:
            problems.append(f"{page.name}: {console}")
        if seen["asked"]:
            problems.append(f"{page.name}: asked for {seen['asked']}")
for width in 1280, 390:
    if colours[width, "light"] == colours[width, "dark"]:
        problems.append(f"{width}: the same background in light and dark")
if problems:
    raise SystemExit("\n".join(problems))
