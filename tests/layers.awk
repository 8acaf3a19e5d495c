# SPDX-License-Identifier: Apache-2.0
# layers.awk - which folder may include which, and which file knows which library. Run over all sources.
function bad(why) {
	printf "%s:%d: %s\n", FILENAME, FNR, why
	failed = 1
}
BEGIN {
	allow["runtime/base"] = "^runtime/base/"
	allow["oci"] = "^(oci|runtime/base)/"
	allow["guest-init"] = "^guest-init/"
	allow["vmm"] = "^(vmm|runtime/base)/|^guest-init/proto\\.h$|^seccomp_filters\\.h$"
	allow["runtime"] = "^(runtime|oci)/|^vmm/config\\.h$|^guest-init/(proto|mirror)\\.h$|^mirror_filter\\.h$"
	allow["tests"] = "."
	only["yajl/"] = "^oci/json"
	only["seccomp.h"] = "^(vmm/seccomp_compile|runtime/guest_seccomp)\\.c$"
	only["cap-ng.h"] = "^(vmm/jail|runtime/caps)\\.c$"
	only["systemd/"] = "^runtime/sdbus\\.h$"
	only["netlink/"] = "^runtime/netlink(_tc)?\\.c$"
	only["linux/kvm.h"] = "^(vmm/(kvm|vcpu|x86/[a-z]+)|runtime/host)\\.c$"
}
FNR == 1 {
	folder = FILENAME
	sub(/\/.*/, "", folder)
	if (FILENAME ~ /^runtime\/base\//)
		folder = "runtime/base"
}
/^#[ \t]*include[ \t]+"/ {
	split($0, part, "\"")
	if (!(folder in allow))
		bad("no layer is known for folder " folder)
	else if (part[2] !~ allow[folder])
		bad(folder "/ may not include \"" part[2] "\"")
}
/^#[ \t]*include[ \t]+</ {
	for (lib in only)
		if (index($0, "<" lib) && folder != "tests" && FILENAME !~ only[lib])
			bad("<" lib "> belongs to " only[lib])
}
END { exit failed }
