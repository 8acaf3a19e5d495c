#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""features.py FILE - is it a features document of runtime-spec 1.3 (features.md, features-linux.md)?

Says what is wrong, one problem a line with its JSON path, and fails if anything is. Stricter than the
specification's JSON schema, which lets any other key pass: a key that nobody defined is a misspelt one. Extensions
belong below `annotations`.
"""
import json
import re
import sys

VERSION = r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$"
ACTIONS = "KILL KILL_PROCESS KILL_THREAD TRAP ERRNO TRACE ALLOW LOG NOTIFY"
ARCHS = ("X86 X86_64 X32 ARM AARCH64 MIPS MIPS64 MIPS64N32 MIPSEL MIPSEL64 MIPSEL64N32 PPC PPC64 PPC64LE S390 S390X "
         "PARISC PARISC64 RISCV64 LOONGARCH64 M68K SH SHEB")
FLAGS = "TSYNC LOG SPEC_ALLOW WAIT_KILLABLE_RECV"
OPERATORS = "NE LT LE EQ GE GT MASKED_EQ"
MODES = "DEFAULT BIND INTERLEAVE WEIGHTED_INTERLEAVE PREFERRED PREFERRED_MANY LOCAL"
MODE_FLAGS = "NUMA_BALANCING RELATIVE_NODES STATIC_NODES"


def one_of(prefix, words):
    return [re.compile("^" + prefix + "(" + "|".join(words.split()) + ")$")]


STRINGS = [re.compile("")]
ENABLED = {"enabled": bool}
# A dict is an object with these keys; a list is an array of strings that match; a pattern is a string; "map" is an
# object of strings.
DOCUMENT = {
    "ociVersionMin": re.compile(VERSION),
    "ociVersionMax": re.compile(VERSION),
    "hooks": one_of("", "prestart createRuntime createContainer startContainer poststart poststop"),
    "mountOptions": STRINGS,
    "annotations": "map",
    "potentiallyUnsafeConfigAnnotations": STRINGS,
    "linux": {
        "namespaces": one_of("", "mount pid network uts ipc user cgroup time"),
        "capabilities": [re.compile("^CAP_[A-Z_]+$")],
        "cgroup": {"v1": bool, "v2": bool, "systemd": bool, "systemdUser": bool, "rdma": bool},
        "seccomp": {
            "enabled": bool,
            "actions": one_of("SCMP_ACT_", ACTIONS),
            "operators": one_of("SCMP_CMP_", OPERATORS),
            "archs": one_of("SCMP_ARCH_", ARCHS),
            "knownFlags": one_of("SECCOMP_FILTER_FLAG_", FLAGS),
            "supportedFlags": one_of("SECCOMP_FILTER_FLAG_", FLAGS),
        },
        "apparmor": ENABLED,
        "selinux": ENABLED,
        "intelRdt": {"enabled": bool, "schemata": bool, "monitoring": bool},
        "memoryPolicy": {"modes": one_of("MPOL_", MODES), "flags": one_of("MPOL_F_", MODE_FLAGS)},
        "mountExtensions": {"idmap": ENABLED},
        "netDevices": ENABLED,
    },
}


def check_strings(path, value, pattern):
    if not isinstance(value, list):
        return [path + ": is no array"]
    bad = [f"{path}[{i}]: {v!r} is no word of the specification" for i, v in enumerate(value)
           if not isinstance(v, str) or not pattern.search(v)]
    if not bad and len(set(value)) != len(value):
        bad = [path + ": names something twice"]
    return bad


def check(path, value, want):
    if want is bool:
        return [] if isinstance(value, bool) else [path + ": is no boolean"]
    if isinstance(want, list):
        return check_strings(path, value, want[0])
    if isinstance(want, re.Pattern):
        return [] if isinstance(value, str) and want.search(value) else [f"{path}: {value!r} is not well-formed"]
    if not isinstance(value, dict):
        return [path + ": is no object"]
    if want == "map":
        return [f"{path}[{k!r}]: is no string" for k, v in value.items() if not k or not isinstance(v, str)]
    bad = []
    for key, v in value.items():
        here = f"{path}.{key}".lstrip(".")
        bad += check(here, v, want[key]) if key in want else [here + ": unknown key"]
    return bad


def problems(doc):
    bad = check("", doc, DOCUMENT)
    if not isinstance(doc, dict):
        return bad
    bad += [key + ": is missing" for key in ("ociVersionMin", "ociVersionMax") if key not in doc]
    if bad:
        return bad
    low, high = ([int(n) for n in re.split("[-+]", doc[k])[0].split(".")] for k in ("ociVersionMin", "ociVersionMax"))
    if low > high:
        bad.append("ociVersionMin: is over ociVersionMax")
    seccomp = doc.get("linux", {}).get("seccomp", {})
    if not set(seccomp.get("supportedFlags", [])) <= set(seccomp.get("knownFlags", [])):
        bad.append("linux.seccomp.supportedFlags: names a flag that knownFlags doesn't")
    return bad


def main():
    def once(pairs):
        keys = [k for k, _ in pairs]
        if len(set(keys)) != len(keys):
            raise ValueError("a key is there twice")
        return dict(pairs)
    try:
        with open(sys.argv[1], encoding="utf-8") as f:
            bad = problems(json.load(f, object_pairs_hook=once))
    except ValueError as e:
        bad = [str(e)]
    print("\n".join(bad), end="")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
