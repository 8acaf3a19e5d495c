/* SPDX-License-Identifier: Apache-2.0 */
/* log - one line for people or engines, as text or JSON. */
#include "runtime/base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

static struct {
	const char *name;
	enum log_level level;
	int fd;
	bool json;
} sink = { .name = "coracle", .level = LOG_LEVEL_WARN, .fd = -1 };

static const char *const level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARN] = "warning",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
};

void log_set_name(const char *name)
{
	sink.name = name;
}

void log_set_level(enum log_level level)
{
	sink.level = level;
}

int log_parse_level(const char *word, enum log_level *out_level)
{
	if (strcasecmp(word, "warn") == 0)
		word = "warning";
	for (size_t i = 0; i < sizeof(level_names) / sizeof(level_names[0]); i++) {
		if (strcasecmp(word, level_names[i]) == 0) {
			*out_level = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

void log_set_file(int fd, bool json)
{
	sink.fd = fd;
	sink.json = json;
}

static void json_quote(char *dst, size_t size, const char *src)
{
	size_t n = 0;

	for (; *src && n + 7 < size; src++) {
		unsigned char c = (unsigned char)*src;

		if (c == '"' || c == '\\') {
			dst[n++] = '\\';
			dst[n++] = (char)c;
		} else if (c < 0x20 || c == 0x7f) {
			n += (size_t)snprintf(dst + n, size - n, "\\u%04x", c);
		} else {
			dst[n++] = (char)c;
		}
	}
	dst[n] = '\0';
}

/* A log line that can't be written has nowhere to be reported. */
static void put(int fd, const char *line, size_t n)
{
	if (write(fd, line, n) < 0)
		return;
}

static void put_file(enum log_level level, const char *msg)
{
	char quoted[3072];
	char line[3328];
	char when[32];
	time_t now = time(NULL);
	struct tm tm;
	int n;

	(void)gmtime_r(&now, &tm);
	(void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
	json_quote(quoted, sizeof(quoted), msg);
	if (sink.json)
		n = snprintf(line, sizeof(line), "{\"level\":\"%s\",\"msg\":\"%s\",\"time\":\"%s\"}\n",
			     level_names[level], quoted, when);
	else
		n = snprintf(line, sizeof(line), "time=\"%s\" level=%s msg=\"%s\"\n", when,
			     level_names[level], quoted);
	put(sink.fd, line, (size_t)n);
}

enum log_level log_hint_level(void)
{
	return sink.fd >= 0 || isatty(STDERR_FILENO) ? LOG_LEVEL_WARN : LOG_LEVEL_INFO;
}

void log_at(enum log_level level, const char *fmt, ...)
{
	int saved = errno;
	char msg[1536];
	char line[1664];
	va_list ap;
	int n;

	if (level > sink.level)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(msg, sizeof(msg), fmt, ap);
	va_end(ap);
	if (sink.fd >= 0)
		put_file(level, msg);
	if (sink.fd < 0 || level == LOG_LEVEL_ERROR) {
		n = snprintf(line, sizeof(line), "%s: %s%s\n", sink.name,
			     level == LOG_LEVEL_WARN ? "warning: " : "", msg);
		put(STDERR_FILENO, line, (size_t)n);
	}
	errno = saved;
}
