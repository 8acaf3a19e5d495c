/* SPDX-License-Identifier: Apache-2.0 */
/* pause - stop all vCPUs between two instructions of the guest, and let them go on. */
#include "vmm/pause.h"

#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/vcpu.h"

#define KICK SIGUSR1

static void on_kick(int sig)
{
	(void)sig; /* its arrival ends KVM_RUN */
}

int pause_init(struct pause *p, struct vcpu *vcpus, uint32_t n, struct loop *l,
	       void (*on_paused)(struct event *ev), struct err *e)
{
	/* files are served on these threads too: their calls go on */
	const struct sigaction sa = { .sa_handler = on_kick, .sa_flags = SA_RESTART };

	p->vcpus = vcpus;
	p->n = n;
	p->parked_all.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	p->parked_all.on_ready = on_paused;
	if (p->parked_all.fd < 0 || pthread_mutex_init(&p->lock, NULL) != 0 ||
	    pthread_cond_init(&p->go, NULL) != 0 || sigaction(KICK, &sa, NULL) < 0)
		return err_sys(e, "prepare to pause");
	return loop_add(l, &p->parked_all, EPOLLIN) < 0 ? err_sys(e, "epoll_ctl") : 0;
}

static void say_parked(struct pause *p)
{
	uint64_t one = 1;

	/* a thread that has not gone on since the last pause parks for this one a second time */
	if (p->told)
		return;
	p->told = true;
	while (write(p->parked_all.fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

void pause_ask(struct pause *p)
{
	(void)pthread_mutex_lock(&p->lock);
	__atomic_store_n(&p->wanted, true, __ATOMIC_SEQ_CST);
	p->told = false;
	if (p->parked == p->n)
		say_parked(p);
	(void)pthread_mutex_unlock(&p->lock);
	/* the flag ends a KVM_RUN that is about to begin, the signal one that is under way */
	for (uint32_t i = 0; i < p->n; i++) {
		vcpu_exit_soon(&p->vcpus[i], true);
		(void)pthread_kill(p->vcpus[i].thread, KICK);
	}
}

void pause_end(struct pause *p)
{
	(void)pthread_mutex_lock(&p->lock);
	__atomic_store_n(&p->wanted, false, __ATOMIC_SEQ_CST);
	(void)pthread_cond_broadcast(&p->go);
	(void)pthread_mutex_unlock(&p->lock);
}

bool pause_done(struct pause *p)
{
	uint64_t count;
	bool done;

	if (read(p->parked_all.fd, &count, sizeof(count)) < 0)
		return false;
	(void)pthread_mutex_lock(&p->lock);
	done = p->wanted && p->parked == p->n;
	(void)pthread_mutex_unlock(&p->lock);
	return done;
}

void pause_point(struct pause *p, struct vcpu *v)
{
	if (!vcpu_exits_soon(v) && !__atomic_load_n(&p->wanted, __ATOMIC_SEQ_CST))
		return;
	(void)pthread_mutex_lock(&p->lock);
	while (p->wanted) {
		if (++p->parked == p->n)
			say_parked(p);
		(void)pthread_cond_wait(&p->go, &p->lock);
		p->parked--;
	}
	/* under the lock: a pause that is asked for from here on sets it again */
	vcpu_exit_soon(v, false);
	(void)pthread_mutex_unlock(&p->lock);
}
