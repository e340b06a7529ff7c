// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * watch-cost: what a guest costs that never touches the pages that a tool watches, and what the
 * same guest costs with no tool. Under the emulator's -icount a nanosecond is an instruction, and
 * the figures repeat.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvmi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096UL
#define LARGE (2UL << 20)
#define CODE 0x1000UL
#define SMALL LARGE /* address; what is below is one large page, what is above are small ones */
#define TOUCHED (64 * PAGE)

/* Watched: one page within the large page, and one beside those that are touched. */
static const uint64_t watched[] = {LARGE - 16 * PAGE, SMALL + TOUCHED};

/* 32-bit code, without paging. Each round ends with an exit to us. */
static const unsigned char memory_loop[] = {
    0xbe, 0x14, 0x00, 0x00, 0x00,       /* mov $20, %esi */
    0xbb, 0x00, 0x00, 0x01, 0x00,       /* 1: mov $0x10000, %ebx */
    0xff, 0x03,                         /* 2: incl (%ebx) */
    0x81, 0xc3, 0x00, 0x10, 0x00, 0x00, /* add $0x1000, %ebx */
    0x81, 0xfb, 0x00, 0x00, 0x09, 0x00, /* cmp $0x90000, %ebx */
    0x75, 0xf0,                         /* jne 2b */
    0x4e,                               /* dec %esi */
    0x75, 0xe8,                         /* jne 1b */
    0xe6, 0x10,                         /* out %al, $0x10 */
    0xeb, 0xdf,                         /* jmp to the start */
};
static const unsigned char io_loop[] = {0xe6, 0x10, 0xeb, 0xfc};
static const unsigned char cpuid_loop[] = {
    0xbe, 0x64, 0x00, 0x00, 0x00, /* mov $100, %esi */
    0x31, 0xc0,                   /* 1: xor %eax, %eax */
    0x0f, 0xa2,                   /* cpuid */
    0x4e,                         /* dec %esi */
    0x75, 0xf9,                   /* jnz 1b */
    0xe6, 0x10,                   /* out %al, $0x10 */
    0xeb, 0xf0,                   /* jmp to the start */
};
static const unsigned char mmio_loop[] = {
    0xc7, 0x05, 0x00, 0x00, 0x00, 0x40, 0x00, 0x00, 0x00, 0x00, /* movl $0, 0x40000000 */
    0xeb, 0xf4,                                                 /* jmp to the start */
};
static const unsigned char fault_loop[] = {
    0xbb, 0x00, 0x00, 0x20, 0x00,       /* mov $0x200000, %ebx */
    0xff, 0x03,                         /* 1: incl (%ebx) */
    0x81, 0xc3, 0x00, 0x10, 0x00, 0x00, /* add $0x1000, %ebx */
    0x81, 0xfb, 0x00, 0x00, 0x24, 0x00, /* cmp $0x240000, %ebx */
    0x75, 0xf0,                         /* jne 1b */
    0xe6, 0x10,                         /* out %al, $0x10 */
    0xeb, 0xe7,                         /* jmp to the start */
};

typedef struct {
    const char *name;
    const unsigned char *code;
    size_t size;
    unsigned exit;
    int rounds;    /* MOST_ROUNDS at most */
    int per_round; /* what is counted */
    int fresh;     /* whether the memory is taken away before each round */
} Workload;

#define WORKLOAD(name, ...)                                                                        \
    {                                                                                              \
#name, name##_loop, sizeof(name##_loop), __VA_ARGS__                                       \
    }
static const Workload workloads[] = {
    WORKLOAD(memory, KVM_EXIT_IO, 20, 1, 0),  WORKLOAD(io, KVM_EXIT_IO, 1000, 1, 0),
    WORKLOAD(cpuid, KVM_EXIT_IO, 10, 100, 0), WORKLOAD(mmio, KVM_EXIT_MMIO, 1000, 1, 0),
    WORKLOAD(fault, KVM_EXIT_IO, 10, 64, 1),
};
#define MOST_ROUNDS 1000
#define WORKLOADS (sizeof(workloads) / sizeof(workloads[0]))

typedef struct {
    int vm, vcpu, tool;
    unsigned char *large, *small;
    struct kvm_run *state;
} Guest;

static double
now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1e9 + ts.tv_nsec;
}

static void
check(int result, const char *what)
{
    if (result < 0)
        err(1, "%s", what);
}

static unsigned char *
add_memory(Guest *guest, int slot, uint64_t address, int advice)
{
    unsigned char *memory =
        mmap(NULL, 2 * LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct kvm_userspace_memory_region region = {.slot = slot, .guest_phys_addr = address};

    if (memory == MAP_FAILED)
        err(1, "mmap");
    memory = (void *)(((uintptr_t)memory + LARGE - 1) & ~(LARGE - 1));
    check(madvise(memory, LARGE, advice), "madvise");
    memset(memory, 0, LARGE);
    region.memory_size = LARGE;
    region.userspace_addr = (uintptr_t)memory;
    check(ioctl(guest->vm, KVM_SET_USER_MEMORY_REGION, &region), "memory");
    return memory;
}

static void
set_flat(struct kvm_segment *segment, unsigned char type)
{
    *segment = (struct kvm_segment){
        .limit = 0xffffffff, .selector = 8, .type = type, .present = 1, .db = 1, .s = 1, .g = 1};
}

static void
create(Guest *guest, int kvm)
{
    struct kvm_sregs sregs;

    guest->vm = ioctl(kvm, KVM_CREATE_VM, 0);
    check(guest->vm, "KVM_CREATE_VM");
    guest->large = add_memory(guest, 0, 0, MADV_HUGEPAGE);
    guest->small = add_memory(guest, 1, SMALL, MADV_NOHUGEPAGE);
    guest->vcpu = ioctl(guest->vm, KVM_CREATE_VCPU, 0);
    check(guest->vcpu, "KVM_CREATE_VCPU");
    guest->state = mmap(NULL, ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE,
                        MAP_SHARED, guest->vcpu, 0);
    if (guest->state == MAP_FAILED)
        err(1, "cannot map a vCPU");
    check(ioctl(guest->vcpu, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
    set_flat(&sregs.cs, 11);
    set_flat(&sregs.ds, 3);
    set_flat(&sregs.es, 3);
    set_flat(&sregs.ss, 3);
    sregs.cr0 |= 1;
    check(ioctl(guest->vcpu, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
    guest->tool = -1;
}

/* Send a command and take the reply, which has as much data as there is room for. */
static void
command(
    const Guest *guest, unsigned short id, const void *arg, size_t size, void *data, size_t room)
{
    struct {
        struct kvmi_msg_hdr header;
        unsigned char arg[64];
    } message = {.header = {.id = id, .size = size, .seq = id}};
    struct {
        struct kvmi_msg_hdr header;
        struct kvmi_error_code error;
        unsigned char data[64];
    } reply;
    size_t wanted = sizeof(reply.header) + sizeof(reply.error) + room;

    memcpy(message.arg, arg, size);
    check(send(guest->tool, &message, sizeof(message.header) + size, 0), "send");
    if (recv(guest->tool, &reply, wanted, MSG_WAITALL) != (ssize_t)wanted || reply.error.err)
        errx(1, "command %u failed", id);
    memcpy(data, reply.data, room);
}

static void
watch(const Guest *guest, uint64_t gpa)
{
    struct {
        struct kvmi_set_page_access arg;
        struct kvmi_page_access_entry entry;
    } set = {.arg = {.count = 1}, .entry = {.gpa = gpa}};
    struct {
        struct kvmi_get_page_access arg;
        uint64_t gpa;
    } get = {.arg = {.count = 1}, .gpa = gpa};
    unsigned char access = 0xff;

    command(guest, KVMI_SET_PAGE_ACCESS, &set, sizeof(set), &access, 0);
    command(guest, KVMI_GET_PAGE_ACCESS, &get, sizeof(get), &access, 1);
    if (access)
        errx(1, "a page is not watched");
}

static void
hook(Guest *guest)
{
    struct kvm_introspection_hook hook = {0};
    int pair[2];

    check(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
    hook.fd = pair[1];
    check(ioctl(guest->vm, KVM_INTROSPECTION_HOOK, &hook), "KVM_INTROSPECTION_HOOK");
    close(pair[1]);
    guest->tool = pair[0];
    for (size_t i = 0; i < sizeof(watched) / sizeof(watched[0]); i++)
        watch(guest, watched[i]);
}

/* The exit that a round ends with. A guest that ends it otherwise has been measured doing something
 * else. */
static double
run(const Guest *guest, const Workload *workload)
{
    double start;

    if (workload->fresh)
        check(madvise(guest->small, TOUCHED, MADV_DONTNEED), "madvise");
    start = now();
    check(ioctl(guest->vcpu, KVM_RUN, 0), "KVM_RUN");
    if (guest->state->exit_reason != workload->exit)
        errx(1, "%s: exit reason %u", workload->name, guest->state->exit_reason);
    return now() - start;
}

/* KVM ends an OUT when the vCPU runs again; by then it would be at the next workload's code. */
static void
end_exit(const Guest *guest)
{
    guest->state->immediate_exit = 1;
    if (ioctl(guest->vcpu, KVM_RUN, 0) == 0 || errno != EINTR)
        err(1, "KVM_RUN that was to end at once");
    guest->state->immediate_exit = 0;
}

static int
by_size(const void *a, const void *b)
{
    double one = *(const double *)a, other = *(const double *)b;

    return (one > other) - (one < other);
}

/* The median of the rounds: what the kernel does meanwhile on its own account falls into few of
 * them. */
static double
measure(const Guest *guest, const Workload *workload)
{
    struct kvm_regs regs = {.rflags = 2, .rip = CODE};
    double times[MOST_ROUNDS];

    memcpy(guest->large + CODE, workload->code, workload->size);
    check(ioctl(guest->vcpu, KVM_SET_REGS, &regs), "KVM_SET_REGS");
    for (int i = 0; i < workload->rounds / 5; i++)
        run(guest, workload);
    for (int i = 0; i < workload->rounds; i++)
        times[i] = run(guest, workload);
    end_exit(guest);
    qsort(times, workload->rounds, sizeof(*times), by_size);
    return times[workload->rounds / 2] / workload->per_round;
}

/* One line: without a tool, or with one. */
static void
measure_all(int kvm, int hooked)
{
    Guest guest;

    create(&guest, kvm);
    if (hooked)
        hook(&guest);
    printf("%s", hooked ? "watched" : "unhooked");
    for (size_t i = 0; i < WORKLOADS; i++)
        printf(" %s %.1f", workloads[i].name, measure(&guest, &workloads[i]));
    puts("");
    if (hooked)
        close(guest.tool);
    close(guest.vcpu);
    close(guest.vm);
}

int
main(void)
{
    int kvm = open("/dev/kvm", O_RDWR);

    check(kvm, "/dev/kvm");
    /* Each run's page faults cost some more than those of the run before: in this order, both
     * alike. */
    measure_all(kvm, 0);
    measure_all(kvm, 1);
    measure_all(kvm, 1);
    measure_all(kvm, 0);
    return 0;
}
