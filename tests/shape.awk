# SPDX-License-Identifier: Apache-2.0
# shape.awk - report functions over 60 lines and files over 600.
/^[a-zA-Z_].*\(/ && !/;$/ { title = $0; begin = FNR }
/^\{/ { inside = FNR }
/^\}/ && inside {
	if (FNR - inside > 60)
		printf "%s:%d: %d lines: %s\n", FILENAME, begin, FNR - inside, title
	inside = 0
}
{ lines[FILENAME] = FNR }
END {
	for (f in lines)
		if (lines[f] > 600)
			printf "%s: %d lines\n", f, lines[f]
}
