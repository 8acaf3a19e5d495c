/* SPDX-License-Identifier: Apache-2.0 */
/* tap - the few lines a unit test needs to speak TAP; `prove` reads it. */
#ifndef TESTS_UNIT_TAP_H
#define TESTS_UNIT_TAP_H

#include <stdio.h>
#include <string.h>

static int tap_count;
static int tap_failed;

#define ok(cond, ...)                                                             \
	do {                                                                      \
		int ok_ = !!(cond);                                               \
		printf("%sok %d - ", ok_ ? "" : "not ", ++tap_count);             \
		printf(__VA_ARGS__);                                              \
		printf("\n");                                                     \
		(void)fflush(stdout); /* whole lines: warnings share the log */   \
		if (!ok_) {                                                       \
			tap_failed++;                                             \
			printf("# %s:%d: %s\n", __FILE__, __LINE__, #cond);       \
		}                                                                 \
	} while (0)

#define is_int(got, want, name)                                                   \
	do {                                                                      \
		long long got_ = (long long)(got), want_ = (long long)(want);     \
		ok(got_ == want_, "%s", name);                                    \
		if (got_ != want_)                                                \
			printf("# got %lld, want %lld\n", got_, want_);           \
	} while (0)

#define is_str(got, want, name)                                                   \
	do {                                                                      \
		const char *got_ = (got), *want_ = (want);                        \
		int same_ = got_ && want_ && strcmp(got_, want_) == 0;            \
		ok(same_, "%s", name);                                            \
		if (!same_)                                                       \
			printf("# got \"%s\"\n# want \"%s\"\n", got_ ? got_ : "(null)", \
			       want_ ? want_ : "(null)");                         \
	} while (0)

static inline int tap_done(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed ? 1 : 0;
}

#endif
