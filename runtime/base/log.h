/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log - one line for people or engines, as text or JSON (engine contract 4.2).
 *
 * errno survives every call. Library code never logs above debug.
 */
#ifndef RUNTIME_BASE_LOG_H
#define RUNTIME_BASE_LOG_H

#include <stdbool.h>

#include "runtime/base/err.h"

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Name put before each text line ("coracle"). Static storage. */
void log_set_name(const char *name);
void log_set_level(enum log_level level);
/* Return: 0, or -EINVAL for a word that is no level. */
int log_parse_level(const char *word, enum log_level *out_level) MUST_CHECK;
/* Also write to @fd (owned from now on), as JSON lines when @json. Errors still go to stderr. */
void log_set_file(int fd, bool json);

enum log_level log_hint_level(void);
void log_at(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);
#define log_err(...) log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...) log_at(LOG_LEVEL_WARN, __VA_ARGS__)
/* What works otherwise than expected: not for a stderr that may be the container's, as it is of engines without a log. */
#define log_hint(...) log_at(log_hint_level(), __VA_ARGS__)
#define log_info(...) log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
