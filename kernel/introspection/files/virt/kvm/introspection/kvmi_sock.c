// SPDX-License-Identifier: GPL-2.0-only
/*
 * KVM introspection: reading from and writing to the tool's socket.
 *
 * The socket comes from user space, which can still reach it and set options
 * on it, and the tool at its other end may do anything. So no option is relied
 * on: every wait ends with a fatal signal, and writing also ends by itself.
 */
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/socket.h>
#include <linux/uio.h>
#include <linux/wait.h>
#include <net/sock.h>

#include "kvmi_int.h"

/*
 * How long a tool may leave its side of the socket full: the sum of the waits,
 * since a machine that stands still in between is no fault of the tool's.
 */
#define KVMI_SEND_TIMEOUT	(5 * HZ)

/* How long to wait before trying again what the socket would not do. */
#define KVMI_RETRY_DELAY	max(HZ / 100, 1)

/**
 * kvmi_sock_get() - the connected stream socket behind a file descriptor
 * @fd: the caller's file descriptor
 *
 * Return: the socket with a reference to its file (see sockfd_put()), or
 * ERR_PTR(-EINVAL).
 */
struct socket *kvmi_sock_get(int fd)
{
	struct socket *sock;
	int r;

	sock = sockfd_lookup(fd, &r);
	if (!sock)
		return ERR_PTR(-EINVAL);

	if (sock->type != SOCK_STREAM || sock->state != SS_CONNECTED) {
		sockfd_put(sock);
		return ERR_PTR(-EINVAL);
	}
	return sock;
}

/**
 * kvmi_sock_shutdown() - end the connection
 * @kvmi: the connection
 *
 * The tool sees the end of the stream, and what waits for data or for room on
 * our side returns.
 */
void kvmi_sock_shutdown(struct kvmi *kvmi)
{
	kernel_sock_shutdown(kvmi->sock, SHUT_RDWR);
}

static int kvmi_sock_pause(void)
{
	schedule_timeout_killable(KVMI_RETRY_DELAY);
	return fatal_signal_pending(current) ? -EINTR : 0;
}

static bool kvmi_sock_has_room(struct socket *sock)
{
	return sock->ops->poll(sock->file, sock, NULL) & (EPOLLOUT | EPOLLERR | EPOLLHUP);
}

/*
 * Wait until the tool has read something, but not long: what poll() says is
 * only a hint. Adds to *waited how long it was, in jiffies.
 */
static int kvmi_sock_wait_room(struct kvmi *kvmi, int *waited)
{
	wait_queue_head_t *queue = sk_sleep(kvmi->sock->sk);
	DEFINE_WAIT_FUNC(wait, woken_wake_function);
	long left = KVMI_RETRY_DELAY;
	bool slept = false;

	add_wait_queue(queue, &wait);
	/* Room wakes up who sleeps interruptibly, which some signals prevent. */
	while (left && !signal_pending(current) && !kvmi_sock_has_room(kvmi->sock)) {
		/* Not wait_event(): some sockets' poll() sleeps itself. */
		left = wait_woken(&wait, TASK_INTERRUPTIBLE, left);
		slept = true;
	}
	remove_wait_queue(queue, &wait);

	/* A signal, or less room than it takes: trying again at once would spin. */
	if (!slept) {
		kvmi_sock_pause();
		left = 0;
	}
	*waited += clamp(KVMI_RETRY_DELAY - left, 1, KVMI_RETRY_DELAY);
	return fatal_signal_pending(current) ? -EINTR : 0;
}

/* Receive at least one byte. Returns how many, -EPIPE at the end of the stream. */
static int kvmi_sock_receive(struct kvmi *kvmi, void *buf, size_t size)
{
	struct kvec vec = { .iov_base = buf, .iov_len = size };
	struct msghdr msg = {};
	int r;

	for (;;) {
		r = kernel_recvmsg(kvmi->sock, &msg, &vec, 1, size, 0);
		if (r != -EAGAIN)
			return r ?: -EPIPE;
		/* Somebody has set SO_RCVTIMEO. */
		r = kvmi_sock_pause();
		if (r)
			return r;
	}
}

/*
 * Most messages are short. One that is there is received with its header, and
 * with those behind it.
 */
static int kvmi_sock_receive_ahead(struct kvmi *kvmi)
{
	int r = kvmi_sock_receive(kvmi, kvmi->ahead, sizeof(kvmi->ahead));

	if (r < 0)
		return r;
	kvmi->ahead_pos = 0;
	kvmi->ahead_end = r;
	return 0;
}

/**
 * kvmi_sock_read() - receive exactly so many bytes
 * @kvmi: the connection
 * @buf: where they go
 * @size: how many
 *
 * Return: 0, -EPIPE at the end of the stream, or another error of the socket.
 *
 * Context: the receiving thread.
 */
int kvmi_sock_read(struct kvmi *kvmi, void *buf, size_t size)
{
	size_t part;
	int r;

	while (size) {
		if (kvmi->ahead_pos < kvmi->ahead_end) {
			part = min(size, kvmi->ahead_end - kvmi->ahead_pos);
			memcpy(buf, kvmi->ahead + kvmi->ahead_pos, part);
			kvmi->ahead_pos += part;
		} else if (size < sizeof(kvmi->ahead)) {
			r = kvmi_sock_receive_ahead(kvmi);
			if (r)
				return r;
			continue;
		} else {
			r = kvmi_sock_receive(kvmi, buf, size);
			if (r < 0)
				return r;
			part = r;
		}
		buf += part;
		size -= part;
	}
	return 0;
}

/**
 * kvmi_sock_write() - send a message, all of it
 * @kvmi: the connection
 * @vec: its parts
 * @count: how many parts
 *
 * Return: 0, -ETIMEDOUT if the tool does not read, or an error of the socket.
 *
 * An error may leave half a message in the stream, so it ends the connection.
 */
int kvmi_sock_write(struct kvmi *kvmi, struct kvec *vec, size_t count)
{
	struct msghdr msg = { .msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL };
	size_t i, size = 0;
	int r, waited = 0;

	lockdep_assert_held(&kvmi->send_lock);

	for (i = 0; i < count; i++)
		size += vec[i].iov_len;
	iov_iter_kvec(&msg.msg_iter, ITER_SOURCE, vec, count, size);

	while (msg_data_left(&msg)) {
		r = sock_sendmsg(kvmi->sock, &msg);
		if (r == -EAGAIN) {
			r = waited < KVMI_SEND_TIMEOUT ? kvmi_sock_wait_room(kvmi, &waited) :
							 -ETIMEDOUT;
		}
		if (r < 0) {
			kvmi_break(kvmi, -r);
			return r;
		}
	}
	return 0;
}
