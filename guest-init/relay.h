/* SPDX-License-Identifier: Apache-2.0 */
/*
 * relay - carry the container's stdio between its pipes or pty and the host's vsock streams.
 *
 * DOC: one stream
 *
 *   up    container -> host: bytes are read only when the last ones have been taken, so a slow
 *         reader on the host stops the writer here. At EOF the socket is half-closed, and the
 *         stream is over when the host has closed its side in answer.
 *   down  host -> container: the host's half-close becomes EOF on the pipe.
 *
 *   The host closes a stream whole (reader gone) -> our end of the pipe is closed, the writer gets
 *   EPIPE; a pty is hung up. The container closes its stdin -> the socket is closed.
 *
 * A pty never says EOF while the container lives: we keep a slave open, since a program may close
 * all of its own and open /dev/tty again.
 */
#ifndef GUEST_INIT_RELAY_H
#define GUEST_INIT_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RELAY_STREAMS 3
#define RELAY_POLLS (2 * RELAY_STREAMS)

struct pollfd;

enum relay_state {
	RELAY_OFF = 0, /* the stream has no such direction, or it is over */
	RELAY_OPEN,
	RELAY_ENDED, /* the source is at its end, bytes may be left here */
	RELAY_ACK,   /* up only: half-closed, waiting for the host */
};

struct relay_flow {
	enum relay_state state;
	uint8_t *buf; /* `piece` bytes of the relay's memory */
	size_t at;  /* first byte not yet passed on */
	size_t len; /* bytes not yet passed on */
};

struct relay_stream {
	int sock;  /* vsock; -1 when over */
	int local; /* pipe end or pty master; -1 when over */
	int slave; /* pty: keeps the master from seeing a hang-up */
	bool is_tty;
	bool probed; /* the host has closed its sending side and still reads */
	struct relay_flow up;
	struct relay_flow down;
};

struct relay {
	struct relay_stream stream[RELAY_STREAMS];
	uint8_t *memory;
	size_t piece;
	uint64_t moved; /* grows with every byte and every stream that ends: progress */
};

/* Begin with no streams. @memory: RELAY_STREAMS buffers of @piece bytes, borrowed. */
void relay_init(struct relay *r, void *memory, size_t piece);

/*
 * Add a pipe: our end @local of stream @index (0: written, else read), its socket @sock. Both are
 * owned from here on; @local must be non-blocking.
 */
void relay_pipe(struct relay *r, int index, int sock, int local);

/* Add a terminal in place of all streams. @master must be non-blocking; all three are owned. */
void relay_tty(struct relay *r, int sock, int master, int slave);

/* Fill @out (RELAY_POLLS entries; unused ones have fd -1) with what to wait for. */
void relay_polls(const struct relay *r, struct pollfd *out);

/* Do what @polls, filled by relay_polls() and poll(2), allows. */
void relay_run(struct relay *r, const struct pollfd *polls);

/* The container's processes are gone: drop input, let output run to its end. */
void relay_process_gone(struct relay *r);

/* Whether all output is over; @out_unsent: whether bytes are still on this side. */
bool relay_over(const struct relay *r, bool *out_unsent);

/* Whether all output that has been written so far was passed on, even if more may come. */
bool relay_quiet(const struct relay *r);

/* Close everything at once: what is under way is lost. */
void relay_cut(struct relay *r);

#endif
