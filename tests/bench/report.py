#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""report.py JSON [SVG [COMMAND]] - the results of in-bed.py as Markdown tables on stdout and as a drawing.

COMMAND is what the reader can type to get the same.
"""
import json, sys
from xml.sax.saxutils import escape

# A table: its title, if any; rows of (metric, percentile, what the reader sees, is less better?); columns
MACHINES = ("", [
    ("start_to_exit", "p50", "start to exit of `true`, p50", True),
    ("start_to_exit", "p90", "start to exit of `true`, p90", True),
    ("exec", "p50", "exec of `true`", True),
    ("vmm_memory", "p50", "memory beyond guest RAM", True),
    ("exits_to_first_byte", "p50", "VM exits to the first byte", True),
    ("exits_mmio", "p50", "… of these on devices", True),
    ("exits_page_fault", "p50", "… of these page faults", True),
    ("stat_uncached", "p50", "stat, first time", False),
    ("stat_cached", "p50", "stat, again", False),
    ("read_sequential", "p50", "read in sequence, 128 KiB", False),
    ("read_random", "p50", "read at random, 4 KiB", False),
], {"coracle": "coracle", "crun": "crun", "runc": "runc", "gVisor": "gVisor (ptrace)",
    "QEMU microvm": "QEMU microvm + virtiofsd"})
NETWORK = ("Network", [
    ("tcp_out", "p50", "TCP, one stream from the container", False),
    ("tcp_in", "p50", "TCP, one stream to the container", False),
    ("udp_in", "p50", "UDP to the container without loss", False),
    ("ping", "p50", "ping, round trip", True),
    ("http", "p50", "HTTP, published port of rootless podman", False),
    ("podman_run", "p50", "rootless `podman run --rm` of `true`", True),
], {"coracle": "coracle", "crun": "crun", "QEMU microvm": "QEMU microvm, tap without vhost"})
TABLES = [MACHINES, NETWORK]
NOTE = ("In brackets: the ratio to coracle. ▼ less is better, ▲ more is better. "
        "Measured in turns in an emulated host: only the ratios mean something.")


def number(value):
    """Three digits are enough: 4.21, 42.1, 421, 42,100."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def ratio(value, base):
    r = value / base
    return f"{r:,.0f}x" if r >= 10 else f"{r:.1f}x" if r >= 0.1 else f"{r:.2g}x"


def cell(value, unit, base):
    if value is None:
        return "–"
    words = number(value) + ("/s" if unit == "1/s" else "" if unit == "exits" else " " + unit)
    return words if base in (None, 0) else f"{words} ({ratio(value, base)})"


def table(results, which=MACHINES):
    """Return: (names of the columns, [(title, less is better, [value], [text])])."""
    _, lines, programs = which
    metrics = {metric for metric, *_ in lines}
    found = {(r["metric"], r["program"]): r for r in results if r["metric"] in metrics}
    shown = [p for p in programs if any(program == p for _, program in found)]
    rows = []
    for metric, percentile, title, less in lines:
        cells = [found.get((metric, p)) for p in shown]
        if not any(cells):
            continue
        unit = next(c["unit"] for c in cells if c)
        values = [c[percentile] if c else None for c in cells]
        base = values[shown.index("coracle")] if "coracle" in shown else None
        rows.append((title, less, values, [cell(v, unit, None if p == "coracle" else base)
                                           for p, v in zip(shown, values)]))
    return [programs[p] for p in shown], rows


def tables(results):
    """Return: [(title, names, rows)] of the tables that have any."""
    made = [(which[0], *table(results, which)) for which in TABLES]
    return [t for t in made if t[2]]


def markdown(results, command=None):
    lines = []
    for title, names, rows in tables(results):
        lines += [" | ".join(["| " + title if title else "|", *names]) + " |", "|---|" + "---:|" * len(names)]
        lines += [f"| {what} {'▼' if less else '▲'} | " + " | ".join(texts) + " |" for what, less, _, texts in rows]
        lines.append("")
    counts = sorted({len(r["samples"]) for r in results})
    lines += [NOTE, f"Samples of each figure: {' or '.join(map(str, counts))}."]
    if command:
        lines += [f"Made by `{command}`."]
    return "\n".join(lines) + "\n"


def svg(results, command=None):
    """The same tables, one below the other; under each figure a bar, as long as the figure is in its row."""
    made = tables(results)
    first, wide, high, top, gap = 270, 175, 34, 44, 14
    width = max([first + wide * len(names) for _, names, _ in made] + [900]) + gap
    height = sum(top + high * len(rows) for _, _, rows in made) + 46
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
           f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="12" fill="#222">',
           f'<rect width="{width}" height="{height}" fill="#fff"/>']

    def text(x, y, words, **attributes):
        more = "".join(f' {k.replace("_", "-")}="{v}"' for k, v in attributes.items())
        out.append(f'<text x="{x}" y="{y}"{more}>{escape(words)}</text>')

    def draw_row(y, names, title, less, values, texts):
        out.append(f'<line x1="{gap}" x2="{width - gap}" y1="{y - 6}" y2="{y - 6}" stroke="#ddd"/>')
        text(gap, y + 12, f"{title.replace('`', '')} {'▼' if less else '▲'}")
        longest = max(v for v in values if v is not None) or 1
        for i, (value, words) in enumerate(zip(values, texts)):
            x = first + wide * i
            text(x, y + 11, words)
            if value is not None:
                colour = "#1f6f8b" if names[i] == "coracle" else "#b8c4c9"
                out.append(f'<rect x="{x}" y="{y + 16}" width="{max(1, (wide - gap) * value / longest):.1f}" '
                           f'height="6" fill="{colour}"/>')

    y = 0
    for title, names, rows in made:
        for i, words in enumerate([title, *names]):
            if words:
                text(first + wide * (i - 1) if i else gap, y + 26, words, font_weight="bold", font_size=11)
        for i, row in enumerate(rows):
            draw_row(y + top + high * i, names, *row)
        y += top + high * len(rows)
    text(gap, height - 28, NOTE, font_size=10, fill="#666")
    if command:
        text(gap, height - 12, f"Made by: {command}", font_size=10, fill="#666")
    return "\n".join(out + ["</svg>"]) + "\n"


def main(argv):
    if not 2 <= len(argv) <= 4:
        print(__doc__, file=sys.stderr)
        return 2
    command = argv[3] if len(argv) > 3 else None
    with open(argv[1]) as f:
        results = json.load(f)
    if len(argv) > 2:
        with open(argv[2], "w") as f:
            f.write(svg(results, command))
    sys.stdout.write(markdown(results, command))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
