/* SPDX-License-Identifier: Apache-2.0 */
/* ps_parse - a line of /proc/PID/stat. Pure. */
#include "guest-init/ps.h"
#include "guest-init/str.h"

static bool number(const char **s, uint64_t *out)
{
	const char *at = *s;
	uint64_t n = 0;

	while (*at == ' ' || *at == '-')
		at++;
	if (*at < '0' || *at > '9')
		return false;
	while (*at >= '0' && *at <= '9')
		n = n * 10 + (uint64_t)(*at++ - '0');
	*s = at;
	*out = n;
	return true;
}

/* Fields by their number in proc_pid_stat(5). */
enum { PPID = 4, TTY = 7, UTIME = 14, STIME = 15, START = 22 };

bool ps_parse(const char *text, struct ps_stat *out)
{
	const char *open = str_find(text, '('), *close = NULL;
	uint64_t field[START + 1] = {0};
	size_t n;

	for (const char *s = open; s != NULL; s = str_find(s + 1, ')'))
		if (*s == ')')
			close = s; /* the last one: a name may hold anything */
	if (close == NULL || close[1] != ' ' || close[2] == '\0')
		return false;
	n = (size_t)(close - open) - 1;
	if (n >= sizeof(out->comm))
		n = sizeof(out->comm) - 1;
	memcpy(out->comm, open + 1, n);
	out->comm[n] = '\0';
	text = close + 3; /* behind the state */
	for (int i = PPID; i <= START; i++)
		if (!number(&text, &field[i]))
			return false;
	out->ppid = field[PPID];
	out->tty = field[TTY];
	out->ticks = field[UTIME] + field[STIME];
	out->start = field[START];
	return true;
}
