#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""test_report.py - report.py and the arithmetic of in-bed.py on made-up results, as TAP. Needs nothing."""
import importlib.util, os, sys, tempfile, xml.dom.minidom

here = os.path.dirname(os.path.abspath(__file__))
sys.dont_write_bytecode = True


def load(name):
    spec = importlib.util.spec_from_file_location(name.replace("-", "_"), f"{here}/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


report, in_bed = load("report"), load("in-bed")
count = failed = 0


def same(got, want, what):
    global count, failed
    count += 1
    print(f"{'ok' if got == want else 'not ok'} {count} - {what}")
    if got != want:
        failed += 1
        print(f"# got {got!r}, want {want!r}")


def row(metric, unit, program, *samples):
    return {"metric": metric, "unit": unit, "program": program, "p50": in_bed.percentile(samples, 50),
            "p90": in_bed.percentile(samples, 90), "samples": list(samples)}


sample = [
    row("start_to_exit", "ms", "coracle", 300, 310, 320),
    row("start_to_exit", "ms", "crun", 121, 121, 121),
    row("start_to_exit", "ms", "QEMU microvm", 2248, 2200, 2300),
    row("vmm_memory", "KiB", "coracle", 2048),
    row("vmm_memory", "KiB", "QEMU microvm", 46286),
    row("stat_uncached", "1/s", "coracle", 4000),
    row("stat_uncached", "1/s", "crun", 140000),
    row("stat_uncached", "1/s", "QEMU microvm", 20),
    row("read_sequential", "MB/s", "crun", 2133.12),
    row("not_shown", "ms", "coracle", 1),
]

same(in_bed.percentile([3, 1, 2], 50), 2, "p50 of three")
same(in_bed.percentile([1, 2], 50), 1.5, "p50 lies between two")
same(in_bed.percentile(list(range(11)), 90), 9, "p90 of eleven")
same(in_bed.percentile([7], 90), 7, "p90 of one")
same(report.cell(121, "ms", 310), "121 ms (0.4x)", "a time beside coracle's")
same(report.cell(140000, "1/s", 4000), "140,000/s (35x)", "a rate beside coracle's")
same(report.cell(20, "1/s", 4000), "20.0/s (0.005x)", "a small ratio keeps a digit")
same(report.cell(5, "exits", None), "5.00", "nothing to compare with")
same(report.cell(None, "ms", 1), "–", "no figure")

text = report.markdown(sample, "make bench")
lines = text.splitlines()
same(lines[0], "| | coracle | crun | QEMU microvm + virtiofsd |", "columns: who has results, in order")
same(lines[2], "| start to exit of `true`, p50 ▼ | 310 ms | 121 ms (0.4x) | 2,248 ms (7.3x) |", "a row")
same([x for x in lines if "memory" in x], ["| memory beyond guest RAM ▼ | 2,048 KiB | – | 46,286 KiB (23x) |"],
     "a row with a gap")
same([x for x in lines if "sequence" in x], ["| read in sequence, 128 KiB ▲ | – | 2,133 MB/s | – |"],
     "a row without coracle has no ratios")
same(lines[-1], "Made by `make bench`.", "the command")
same({x.count("|") for x in lines if x.startswith("|")}, {5}, "each row is as long")
same(report.table([])[1], [], "no results, no rows")

drawing = xml.dom.minidom.parseString(report.svg(sample, "make <bench> & more"))
words = [t.firstChild.data for t in drawing.getElementsByTagName("text")]
same("121 ms (0.4x)" in words, True, "the drawing has the figures")
same("Made by: make <bench> & more" in words, True, "the drawing is escaped")

network = [
    row("tcp_out", "MB/s", "coracle", 60, 62, 64),
    row("tcp_out", "MB/s", "crun", 124, 124, 124),
    row("tcp_out", "MB/s", "QEMU microvm", 31, 31, 31),
    row("udp_in", "MB/s", "coracle", 0),
    row("udp_in", "MB/s", "crun", 5),
    row("http", "1/s", "coracle", 80),
    row("http", "1/s", "crun", 100),
]
lines = report.markdown(sample + network, "make bench").splitlines()
begin = next(i for i, x in enumerate(lines) if x.startswith("| Network "))
same(lines[0], "| | coracle | crun | QEMU microvm + virtiofsd |", "the first table stays as it is")
same(lines[begin - 1], "", "the second one begins after a blank line")
same(lines[begin], "| Network | coracle | crun | QEMU microvm, tap without vhost |", "and has its own columns")
same(lines[begin + 2], "| TCP, one stream from the container ▲ | 62.0 MB/s | 124 MB/s (2.0x) | 31.0 MB/s (0.5x) |",
     "a row of the second table")
same([x for x in lines if "UDP" in x], ["| UDP to the container without loss ▲ | 0.00 MB/s | 5.00 MB/s | – |"],
     "nothing is compared with nothing")
same([x for x in lines if "HTTP" in x],
     ["| HTTP, published port of rootless podman ▲ | 80.0/s | 100/s (1.2x) | – |"], "a row that not all have")
same(report.markdown(network).splitlines()[0], lines[begin], "the second table alone")
drawing = xml.dom.minidom.parseString(report.svg(sample + network))
words = [t.firstChild.data for t in drawing.getElementsByTagName("text")]
same("Network" in words and "31.0 MB/s (0.5x)" in words and "121 ms (0.4x)" in words, True, "both tables are drawn")
places = [(t.getAttribute("x"), t.getAttribute("y")) for t in drawing.getElementsByTagName("text")]
same(len(places), len(set(places)), "nothing is drawn on top of something else")


def udp(rate, lost):
    return ('udp {"start": {}, "end": {"sum_received": {"bits_per_second": %d, "lost_packets": %d}}}' % (rate, lost))


said = """tcp_out {"end": {"sum_sent": {"bits_per_second": 9e9}, "sum_received": {"bits_per_second": 8e8}}}
tcp_in {"end": {"sum_received": {"bits_per_second": 1.6e9}}}
ping 0.5 0.3 9.0
"""
same(in_bed.network_results("\n".join([said, udp(8e7, 0), udp(1.6e8, 1), udp(1.6e8, 0), udp(3e8, 2), udp(3e8, 9)])),
     {"tcp_out": 100, "tcp_in": 200, "ping": 0.5, "udp_in": 20}, "what arrived, the median, the last rate without loss")
same(in_bed.network_results(said + udp(8e7, 1)),
     {"tcp_out": 100, "tcp_in": 200, "ping": 0.5, "udp_in": 0}, "loss at every rate")
same(in_bed.network_results("out of memory"), {"udp_in": 0}, "nothing was measured")

SMAPS = """\
1000000-1010000 r-xp 00000000 00:01 1    /opt/vmm
Pss:                  12 kB
2000000-2400000 rw-p 00000000 00:00 0 
Pss:                 100 kB
2400000-2500000 rw-p 00200000 00:01 2    /opt/vmlinux
Pss:                  50 kB
2500000-6000000 rw-p 00000000 00:00 0 
Pss:                1000 kB
6000000-6200000 ---p 00000000 00:00 0 
Pss:                   0 kB
6200000-6300000 rw-p 00000000 00:00 0                          [heap]
Pss:                   7 kB
"""
with tempfile.NamedTemporaryFile("w") as f:
    f.write(SMAPS)
    f.flush()
    same(in_bed.pss_of(f.name), 19, "guest RAM is left out, with the kernel mapped into it")

print(f"1..{count}")
sys.exit(1 if failed else 0)
