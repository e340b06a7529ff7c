/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bench-tool SOCKET: an introspection tool that listens at SOCKET, for `make bench`
 *
 * It does what its input says, one line at a time, and prints a line for each, a number of
 * microseconds:
 *
 *   own              from accepting the last connection to having answered it
 *   read PAGES       one READ_PHYSICAL a page, from the guest's second megabyte on
 *   pipeline PAGES   the same, with as many sent ahead as fit into WINDOW
 *   watch EVENTS     so many writes to pages that stay watched: each answered with CONTINUE
 *   allow            a write to each of STORE_PAGES pages but the first, as libkvmi's users answer
 * it: the page is allowed, and the instruction executed again
 *
 * The last two want the guest that halting.py calls "storing".
 */
#include <linux/kvmi.h>
#include <poll.h>
#include <sys/param.h>

#include "bench-socket.h"

#define WINDOW 64 /* commands under way; what their replies take is more than a socket holds */

/* halting.py: the pages that the guest writes to, over and over. */
#define STORES 0x10000UL
#define STORE_PAGES 128

#define RWX (KVMI_PAGE_ACCESS_R | KVMI_PAGE_ACCESS_W | KVMI_PAGE_ACCESS_X)

typedef struct {
    struct kvmi_msg_hdr header;
    union {
        struct kvmi_event event;
        struct {
            struct kvmi_error_code error;
            unsigned char data[PAGE];
        } reply;
        unsigned char raw[KVMI_MSG_SIZE];
    };
} Message;

typedef struct {
    int listener;
    int guest;     /* -1: none */
    FILE *from;    /* what comes from it: a call for all that is there, not one for each part */
    long long own; /* microseconds */
    unsigned int seq;
    Message event;
    bool asked; /* event waits for its answer */
} Tool;

static void
read_all(FILE *from, void *data, size_t size)
{
    if (size > 0 && fread(data, size, 1, from) != 1)
        die("the other side has closed the connection");
}

static void
accept_guest(Tool *tool)
{
    struct {
        unsigned int struct_size;
        char rest[92];
    } hello;
    struct {
        unsigned int struct_size;
        char hash[20];
    } answer = {.struct_size = sizeof(answer)};
    int fd = accept(tool->listener, NULL, NULL);
    long long start = now();
    FILE *from = fd < 0 ? NULL : fdopen(fd, "r");

    if (!from)
        die("accept");
    setvbuf(from, NULL, _IOFBF, KVMI_MSG_SIZE);
    read_all(from, &hello, sizeof(hello));
    write_all(fd, &answer, sizeof(answer));
    tool->own = now() - start;
    if (tool->from)
        fclose(tool->from);
    tool->guest = fd;
    tool->from = from;
    tool->asked = false;
}

/* commands */

static void
receive(Tool *tool, Message *message)
{
    read_all(tool->from, &message->header, sizeof(message->header));
    errno = EPROTO;
    if (message->header.size > sizeof(message->raw))
        die("a message too large");
    read_all(tool->from, message->raw, message->header.size);
}

static void
send_command(Tool *tool, unsigned short id, const void *data, unsigned short size)
{
    struct {
        struct kvmi_msg_hdr header;
        unsigned char data[KVMI_MSG_SIZE - sizeof(struct kvmi_msg_hdr)];
    } message = {.header = {.id = id, .size = size, .seq = ++tool->seq}};

    memcpy(message.data, data, size);
    write_all(tool->guest, &message, sizeof(message.header) + size);
}

/* The reply to the command numbered seq. An event that comes before it is kept; there is one vCPU.
 */
static void
receive_reply(Tool *tool, unsigned int seq, Message *reply)
{
    for (;;) {
        receive(tool, reply);
        if (reply->header.id != KVMI_EVENT)
            break;
        tool->event = *reply;
        tool->asked = true;
    }
    errno = EPROTO;
    if (reply->header.seq != seq || reply->reply.error.err != 0) {
        fprintf(stderr, "command %u: error %d\n", reply->header.id, reply->reply.error.err);
        die("reply");
    }
}

static void
command(Tool *tool, unsigned short id, const void *data, unsigned short size)
{
    Message reply;

    send_command(tool, id, data, size);
    receive_reply(tool, tool->seq, &reply);
}

/* reading */

/* So many READ_PHYSICAL in one piece, from that page on. */
static void
send_reads(Tool *tool, int page, int count)
{
    struct {
        struct kvmi_msg_hdr header;
        struct kvmi_read_physical arg;
    } commands[WINDOW];

    for (int i = 0; i < count; i++) {
        commands[i].header = (struct kvmi_msg_hdr){
            .id = KVMI_READ_PHYSICAL, .size = sizeof(commands[i].arg), .seq = ++tool->seq};
        commands[i].arg = (struct kvmi_read_physical){
            .gpa = FIRST + (unsigned long)(page + i) * PAGE, .size = PAGE};
    }
    write_all(tool->guest, commands, count * sizeof(commands[0]));
}

/* @ahead: how many may be under way; there are more to come when half of them are done. */
static long long
read_pages(Tool *tool, int pages, int ahead)
{
    long long start = now();
    int sent = 0;
    Message reply;

    for (int received = 0; received < pages; received++) {
        if (sent < pages && sent - received <= ahead / 2) {
            int count = MIN(ahead - (sent - received), pages - sent);

            send_reads(tool, sent, count);
            sent += count;
        }
        receive_reply(tool, tool->seq - (sent - received - 1), &reply);
        errno = EPROTO;
        if (reply.header.size != sizeof(reply.reply.error) + PAGE)
            die("a page of another size");
    }
    return now() - start;
}

/* events */

static void
set_access(Tool *tool, unsigned long gpa, int count, unsigned char access)
{
    struct {
        struct kvmi_set_page_access arg;
        struct kvmi_page_access_entry entries[STORE_PAGES];
    } set = {.arg = {.count = count}};

    for (int i = 0; i < count; i++)
        set.entries[i] = (struct kvmi_page_access_entry){.gpa = gpa + i * PAGE, .access = access};
    command(tool, KVMI_SET_PAGE_ACCESS, &set, sizeof(set.arg) + count * sizeof(set.entries[0]));
}

static void
want_events(Tool *tool, unsigned char enable)
{
    struct {
        struct kvmi_vcpu_hdr vcpu;
        struct kvmi_control_events arg;
    } message = {.arg = {.event_id = KVMI_EVENT_PF, .enable = enable}};

    command(tool, KVMI_CONTROL_EVENTS, &message, sizeof(message));
}

/* Returns the address that the guest is about to write to. */
static unsigned long
next_write(Tool *tool)
{
    const struct kvmi_event_pf *pf = (const void *)(tool->event.raw + sizeof(struct kvmi_event));

    if (!tool->asked)
        receive(tool, &tool->event);
    errno = EPROTO;
    if (tool->event.header.id != KVMI_EVENT || tool->event.event.event != KVMI_EVENT_PF ||
        pf->access != KVMI_PAGE_ACCESS_W)
        die("not the event that is wanted");
    tool->asked = true;
    return pf->gpa;
}

static void
answer_write(Tool *tool, unsigned char action)
{
    struct {
        struct kvmi_msg_hdr header;
        struct kvmi_vcpu_hdr vcpu;
        struct kvmi_event_reply reply;
        struct kvmi_event_pf_reply pf;
    } message = {
        .header = {.id = KVMI_EVENT_REPLY,
                   .size = sizeof(message) - sizeof(message.header),
                   .seq = tool->event.header.seq},
        .vcpu = {.vcpu = tool->event.event.vcpu},
        .reply = {.action = action, .event = KVMI_EVENT_PF},
    };

    write_all(tool->guest, &message, sizeof(message));
    tool->asked = false;
}

/* From one event to the next: the guest's own way to its next write is in it. So all of the pages
 * are watched that it writes to in turn, and that way is five instructions. A watchpoint of
 * bench-gdb's, where the CPU has them, is in one of the pages: the other stores are in its stops.
 */
static long long
watch(Tool *tool, int events)
{
    long long start, end;

    want_events(tool, 1);
    set_access(tool, STORES, STORE_PAGES, RWX & ~KVMI_PAGE_ACCESS_W);
    next_write(tool);
    start = now();
    for (int i = 0; i < events; i++) {
        answer_write(tool, KVMI_EVENT_ACTION_CONTINUE);
        next_write(tool);
    }
    end = now();
    set_access(tool, STORES, STORE_PAGES, RWX);
    answer_write(tool, KVMI_EVENT_ACTION_RETRY);
    want_events(tool, 0);
    return end - start;
}

static long long
allow(Tool *tool)
{
    long long start, end;

    want_events(tool, 1);
    set_access(tool, STORES, STORE_PAGES, RWX & ~KVMI_PAGE_ACCESS_W);
    next_write(tool);
    start = now();
    for (int i = 1; i < STORE_PAGES; i++) {
        set_access(tool, next_write(tool), 1, RWX);
        answer_write(tool, KVMI_EVENT_ACTION_RETRY);
        next_write(tool);
    }
    end = now();
    set_access(tool, next_write(tool), 1, RWX);
    answer_write(tool, KVMI_EVENT_ACTION_RETRY);
    want_events(tool, 0);
    return end - start;
}

static long long
obey(Tool *tool, const char *line)
{
    int number;

    if (sscanf(line, "read %d", &number) == 1)
        return read_pages(tool, number, 1);
    if (sscanf(line, "pipeline %d", &number) == 1)
        return read_pages(tool, number, WINDOW);
    if (sscanf(line, "watch %d", &number) == 1)
        return watch(tool, number);
    if (strcmp(line, "allow\n") == 0)
        return allow(tool);
    return tool->own;
}

int
main(int argc, char **argv)
{
    struct sockaddr_un address;
    Tool tool = {.guest = -1};
    struct pollfd polled[2] = {{.events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
    char line[64];

    if (argc != 2)
        return EXIT_FAILURE;
    tool.listener = polled[0].fd = open_socket(argv[1], &address);
    unlink(argv[1]);
    if (bind(tool.listener, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(tool.listener, 16) < 0)
        die(argv[1]);
    setvbuf(stdin, NULL, _IONBF, 0);
    while (poll(polled, 2, -1) > 0) {
        if (polled[0].revents)
            accept_guest(&tool);
        if (!polled[1].revents)
            continue;
        if (!fgets(line, sizeof(line), stdin))
            break;
        printf("%lld\n", obey(&tool, line));
        fflush(stdout);
    }
    return EXIT_SUCCESS;
}
