/* SPDX-License-Identifier: Apache-2.0 */
/* ps - the processes of a container as a table, for a guest whose image may have no ps. */
#include "guest-init/ps.h"

#include "guest-init/boot.h"
#include "guest-init/path.h"
#include "guest-init/str.h"
#include "guest-init/sys.h"

#define HZ 100u /* USER_HZ: what proc counts in on every architecture */
#define NS_PER_S 1000000000u
#define COMMAND_BYTES 4096
#define ENTRY_BYTES 32768
#define TTY_CONSOLE 5u /* devices.txt: 5:1 is /dev/console, 136 to 143 are /dev/pts */
#define PTS_FIRST 136u
#define PTS_LAST 143u

/* The arguments with spaces between them, or the name in brackets; nothing that moves a cursor. */
static void command(int proc, const char *pid, const struct ps_stat *st, char *out)
{
	char path[64];
	long n;

	str_fmt(path, sizeof(path), "%s/cmdline", pid);
	n = path_read(proc, path, out, COMMAND_BYTES);
	while (n > 0 && out[n - 1] == '\0')
		n--;
	if (n <= 0)
		n = (long)str_fmt(out, COMMAND_BYTES, "[%s]", st->comm);
	for (long i = 0; i < n; i++) {
		unsigned char c = (unsigned char)out[i];

		if (c == '\0')
			out[i] = ' ';
		else if (c < 0x20 || c == 0x7f)
			out[i] = '?';
	}
	out[n] = '\0';
}

static void terminal(uint64_t tty, char *out, size_t cap)
{
	uint64_t major = tty >> 8 & 0xfff, minor = (tty & 0xff) | (tty >> 12 & 0xfff00);

	if (major >= PTS_FIRST && major <= PTS_LAST)
		str_fmt(out, cap, "pts/%lu", (unsigned long)((major - PTS_FIRST) * 256 + minor));
	else if (major == TTY_CONSOLE)
		str_fmt(out, cap, "console");
	else
		str_fmt(out, cap, "?");
}

/* Two digits at least; str_fmt() knows no widths. */
static size_t two(char *out, size_t cap, uint64_t n, char end)
{
	return str_fmt(out, cap, "%s%lu%c", n < 10 ? "0" : "", (unsigned long)n, end);
}

static size_t pad(char *line, size_t at, size_t from, size_t width, bool right)
{
	size_t n = at - from, shift;

	if (n >= width)
		return at;
	shift = width - n;
	if (right)
		memmove(line + from + shift, line + from, n);
	memset(line + (right ? from : at), ' ', shift);
	return at + shift;
}

static size_t column(char *line, size_t at, const char *text, size_t width, bool right)
{
	size_t from = at;

	at += str_fmt(line + at, 64, "%s", text);
	at = pad(line, at, from, width, right);
	line[at++] = ' ';
	return at;
}

/* UID PID PPID C STIME TTY TIME CMD. Return: bytes of the line, with its newline. */
static size_t format(char *line, size_t cap, const char *pid, uint32_t uid,
		     const struct ps_stat *st, const char *cmd)
{
	uint64_t up = boot_now(SYS_CLOCK_BOOTTIME), day = 86400;
	uint64_t start_s = (boot_now(SYS_CLOCK_REALTIME) - up) / NS_PER_S + st->start / HZ;
	uint64_t lived = up / (NS_PER_S / HZ) - st->start, s = st->ticks / HZ;
	char text[64];
	size_t at = 0, n;

	str_fmt(text, sizeof(text), "%u", uid);
	at = column(line, at, text, 8, false);
	at = column(line, at, pid, 7, true);
	str_fmt(text, sizeof(text), "%lu", (unsigned long)st->ppid);
	at = column(line, at, text, 7, true);
	str_fmt(text, sizeof(text), "%lu",
		(unsigned long)(lived > 0 ? st->ticks * 100 / lived : 0));
	at = column(line, at, text, 2, true);
	n = two(text, sizeof(text), start_s % day / 3600, ':');
	two(text + n, sizeof(text) - n, start_s % 3600 / 60, ' ');
	text[5] = '\0';
	at = column(line, at, text, 5, true);
	terminal(st->tty, text, sizeof(text));
	at = column(line, at, text, 8, false);
	n = two(text, sizeof(text), s / 3600, ':');
	n += two(text + n, sizeof(text) - n, s % 3600 / 60, ':');
	n += two(text + n, sizeof(text) - n, s % 60, ' ');
	text[n - 1] = '\0';
	at = column(line, at, text, 8, true);
	return at + str_fmt(line + at, cap - at, "%s\n", cmd);
}

static void put(int fd, const char *text, size_t n)
{
	while (n > 0) {
		long done = sys_write(fd, text, n);

		if (done == -EINTR)
			continue;
		if (done < 0)
			return; /* nobody reads */
		text += done;
		n -= (size_t)done;
	}
}

/* One that ends meanwhile is left out. */
static void print_one(int out, int proc, const char *pid)
{
	static char line[COMMAND_BYTES + 256], cmd[COMMAND_BYTES];
	char path[64], text[1024];
	struct ps_stat st;
	struct stat file;

	str_fmt(path, sizeof(path), "%s/stat", pid);
	if (path_read(proc, path, text, sizeof(text)) <= 0 || !ps_parse(text, &st) ||
	    sys_fstatat(proc, pid, &file, 0) < 0)
		return;
	command(proc, pid, &st, cmd);
	put(out, line, format(line, sizeof(line), pid, file.st_uid, &st, cmd));
}

struct entry { /* getdents64(2) */
	uint64_t ino;
	int64_t off;
	unsigned short len;
	unsigned char type;
	char name[];
};

int ps_print(struct container *c, struct err *e)
{
	static const char head[] = "UID          PID    PPID  C STIME TTY          TIME CMD\n";
	static char entries[ENTRY_BYTES] __attribute__((aligned(8)));
	int proc = container_proc(c), dir;
	char self[16] = "";
	long n;

	dir = proc < 0 ? proc : sys_openat(proc, ".", O_RDONLY | O_DIRECTORY, 0);
	if (dir < 0)
		return err_sys(e, dir, "ps: open \"/proc\"");
	n = sys_readlinkat(dir, "self", self, sizeof(self) - 1);
	self[n > 0 ? n : 0] = '\0';
	put(c->stdio[1], head, sizeof(head) - 1);
	while ((n = sys_getdents(dir, entries, sizeof(entries))) > 0) {
		for (long at = 0; at < n;) {
			const struct entry *d = (const struct entry *)(entries + at);

			at += d->len;
			if (d->name[0] >= '1' && d->name[0] <= '9' && !str_eq(d->name, self))
				print_one(c->stdio[1], dir, d->name);
		}
	}
	return n < 0 ? err_sys(e, (int)n, "ps: read \"/proc\"") : 0;
}
