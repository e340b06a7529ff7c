// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * exit-cost [on|off|forever]: how long a round trip through KVM_RUN takes, for
 * an exit that goes to user space (port I/O), for one that KVM serves itself
 * (CPUID), and for those of a guest that does its own work, with a timer, and
 * seldom needs user space. Under the emulator's -icount a nanosecond is an
 * instruction, and the figures repeat.
 *
 * With "on" or "off" the VMs have address space isolation, or have it not, and
 * there is a line of KVM's counters for each. "forever" runs the last guest and
 * measures nothing.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/kvm_control.h>
#include <linux/kvm_isolation.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 20000

/* 16-bit code. Each ends a round with an OUT; the second runs CPUID 100 times before. */
static const unsigned char io_loop[] = {0xe6, 0x10, 0xeb, 0xfc};
static const unsigned char cpuid_loop[] = {
    0xbe, 0x64, 0x00, /* mov $100, %si */
    0x31, 0xc0,       /* 1: xor %ax, %ax */
    0x0f, 0xa2,       /* cpuid */
    0x4e,             /* dec %si */
    0x75, 0xf9,       /* jnz 1b */
    0xe6, 0x10,       /* out %al, $0x10 */
    0xeb, 0xf2,       /* jmp to the start */
};

/* Sets up PIC and PIT for 1000 interrupts a second, then 1000 times: counts to 100, and reads a
 * port of the PIC, which is KVM's; then ends the round. With the interrupt's vector and its
 * handler. */
static const unsigned char steady_loop[] = {
    0xb0, 0x11, 0xe6, 0x20, 0xb0, 0x08, 0xe6, 0x21, /* mov $ICW, %al; out %al, $port */
    0xb0, 0x04, 0xe6, 0x21, 0xb0, 0x01, 0xe6, 0x21, /* … */
    0xb0, 0xfe, 0xe6, 0x21,                         /* only IRQ 0 */
    0xb0, 0x34, 0xe6, 0x43,                         /* mode 2, */
    0xb0, 0xa9, 0xe6, 0x40, 0xb0, 0x04, 0xe6, 0x40, /* 1193 ticks */
    0xfb,                                           /* sti */
    0xbe, 0xe8, 0x03,                               /* mov $1000, %si */
    0xb9, 0x64, 0x00,                               /* 1: mov $100, %cx */
    0x49,                                           /* 2: dec %cx */
    0x75, 0xfd,                                     /* jnz 2b */
    0xe4, 0x21,                                     /* in $0x21, %al */
    0x4e,                                           /* dec %si */
    0x75, 0xf5,                                     /* jnz 1b */
    0xe6, 0x10,                                     /* out %al, $0x10 */
    0xeb, 0xee,                                     /* jmp to mov $1000, %si */
};
static const unsigned char timer_handler[] = {
    0x50,       /* push %ax */
    0xb0, 0x20, /* mov $EOI, %al */
    0xe6, 0x20, /* out %al, $0x20 */
    0x58,       /* pop %ax */
    0xcf,       /* iret */
};
#define TIMER_VECTOR 8
#define HANDLER 0x500
#define STEADY 0x600
#define STACK 0x1000

static const struct guest {
    const char *name;
    const unsigned char *code;
    size_t size;
    unsigned int start;
    int rounds;
    int exits; /* of a round */
} guests[] = {
    {"io", io_loop, sizeof(io_loop), 0, ROUNDS, 1},
    {"cpuid", cpuid_loop, sizeof(cpuid_loop), 0, ROUNDS / 100, 100},
    {"steady", steady_loop, sizeof(steady_loop), STEADY, ROUNDS / 200, 1000},
};
#define N_GUESTS (sizeof(guests) / sizeof(guests[0]))

/* What argv[1] says of isolation. */
static enum { NOTHING, OFF, ON } isolation;

static double
now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * 1e9 + ts.tv_nsec;
}

/* The exit that a round ends with. A guest that ends it otherwise has been measured doing something
 * else. */
static void
run(int vcpu, const struct kvm_run *state)
{
    if (ioctl(vcpu, KVM_RUN, 0))
        err(1, "KVM_RUN");
    if (state->exit_reason != KVM_EXIT_IO)
        errx(1, "exit reason %u", state->exit_reason);
}

/* The control fd of the VM; -1 when nothing is said of isolation. */
static int
set_isolation(int kvm)
{
    struct kvm_control_open request = {.pidfd = pidfd_open(getpid(), 0)};
    struct kvm_control_policy policy = {
        .mask = KVM_CONTROL_ISOLATION,
        .value = isolation == ON ? KVM_CONTROL_ISOLATION : 0,
    };
    int control;

    if (isolation == NOTHING)
        return -1;
    control = ioctl(kvm, KVM_CONTROL_OPEN, &request);
    close(request.pidfd);
    if (control < 0)
        err(1, "KVM_CONTROL_OPEN");
    if (ioctl(control, KVM_CONTROL_SET_POLICY, &policy))
        err(1, "KVM_CONTROL_SET_POLICY");
    return control;
}

static void
read_counters(int control, struct kvm_isolation_stats *stats)
{
    if (control >= 0 && ioctl(control, KVM_ISOLATION_GET_STATS, stats))
        err(1, "KVM_ISOLATION_GET_STATS");
}

static void
print_counters(const char *name,
               const struct kvm_isolation_stats *a,
               const struct kvm_isolation_stats *b)
{
#define SHOW(counter) printf(" %s %llu", #counter, b->counter - a->counter)
    printf("counters %s", name);
    SHOW(entries_restricted);
    SHOW(entries_unrestricted);
    SHOW(violations);
    SHOW(exits_fault);
    SHOW(exits_schedule);
    SHOW(exits_userspace);
    SHOW(exits_explicit);
    SHOW(flushes);
    putchar('\n');
#undef SHOW
}

static void
put_guest(const struct guest *guest, unsigned char *memory)
{
    static const unsigned short vector[] = {HANDLER, 0};

    memcpy(memory + guest->start, guest->code, guest->size);
    if (guest->start != STEADY)
        return;
    memcpy(memory + TIMER_VECTOR * sizeof(vector), vector, sizeof(vector));
    memcpy(memory + HANDLER, timer_handler, sizeof(timer_handler));
}

static int
create_vm(int kvm, const struct guest *guest)
{
    struct kvm_pit_config pit = {0};
    int vm = ioctl(kvm, KVM_CREATE_VM, 0);

    if (vm < 0)
        err(1, "cannot create a VM");
    if (guest->start == STEADY &&
        (ioctl(vm, KVM_CREATE_IRQCHIP, 0) || ioctl(vm, KVM_CREATE_PIT2, &pit)))
        err(1, "cannot create PIC and PIT");
    return vm;
}

static int
create_vcpu(int vm, const struct guest *guest)
{
    struct kvm_regs regs = {.rflags = 2, .rip = guest->start, .rsp = STACK};
    struct kvm_sregs sregs;
    int vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);

    ioctl(vcpu, KVM_GET_SREGS, &sregs);
    sregs.cs.base = 0;
    sregs.cs.selector = 0;
    ioctl(vcpu, KVM_SET_SREGS, &sregs);
    ioctl(vcpu, KVM_SET_REGS, &regs);
    return vcpu;
}

/* 0 rounds: without end. */
static double
measure(int kvm, const struct guest *guest, int rounds)
{
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct kvm_userspace_memory_region region = {
        .memory_size = 4096,
        .userspace_addr = (unsigned long)memory,
    };
    struct kvm_isolation_stats before, after;
    int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    const struct kvm_run *state;
    int vm, vcpu, control, i;
    double start, end;

    if (memory == MAP_FAILED)
        err(1, "no memory");
    put_guest(guest, memory);
    vm = create_vm(kvm, guest);
    control = set_isolation(kvm);
    ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region);
    vcpu = create_vcpu(vm, guest);
    state = mmap(NULL, size, PROT_READ, MAP_SHARED, vcpu, 0);
    if (state == MAP_FAILED)
        err(1, "cannot map a vCPU");

    while (!rounds)
        run(vcpu, state);
    for (i = 0; i < 100; i++)
        run(vcpu, state);
    read_counters(control, &before);
    start = now();
    for (i = 0; i < rounds; i++)
        run(vcpu, state);
    end = now();
    read_counters(control, &after);
    if (control >= 0) {
        print_counters(guest->name, &before, &after);
        close(control);
    }
    /* What is mapped keeps the VM, and a control fd is opened for a process that has one. */
    munmap((void *)state, size);
    munmap(memory, 4096);
    close(vcpu);
    close(vm);
    return (end - start) / rounds / guest->exits;
}

int
main(int argc, char **argv)
{
    int kvm = open("/dev/kvm", O_RDWR), i;
    double figures[N_GUESTS];
    unsigned int g;

    if (kvm < 0)
        err(1, "/dev/kvm");
    if (argc > 1 && !strcmp(argv[1], "forever"))
        measure(kvm, &guests[N_GUESTS - 1], 0);
    if (argc > 1)
        isolation = strcmp(argv[1], "on") ? OFF : ON;
    for (i = 0; i < 3; i++) {
        for (g = 0; g < N_GUESTS; g++)
            figures[g] = measure(kvm, &guests[g], guests[g].rounds);
        for (g = 0; g < N_GUESTS; g++)
            printf("%s%s %.1f", g ? " " : "", guests[g].name, figures[g]);
        putchar('\n');
    }
    return 0;
}
