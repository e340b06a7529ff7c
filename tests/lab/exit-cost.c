// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * exit-cost: how long a round trip through KVM_RUN takes, for an exit that goes
 * to user space (port I/O) and for one that KVM serves itself (CPUID). Under the
 * emulator's -icount a nanosecond is an instruction, and the figures repeat.
 */
#include <err.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
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

static double
measure(int kvm, const unsigned char *code, size_t size, int rounds)
{
    int vm = ioctl(kvm, KVM_CREATE_VM, 0), vcpu, i;
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct kvm_userspace_memory_region region = {
        .memory_size = 4096,
        .userspace_addr = (unsigned long)memory,
    };
    struct kvm_regs regs = {.rflags = 2};
    const struct kvm_run *state;
    struct kvm_sregs sregs;
    double start, end;

    if (vm < 0 || memory == MAP_FAILED)
        err(1, "cannot create a VM");
    memcpy(memory, code, size);
    ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region);
    vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
    state = mmap(NULL, ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ, MAP_SHARED, vcpu, 0);
    if (state == MAP_FAILED)
        err(1, "cannot map a vCPU");
    ioctl(vcpu, KVM_GET_SREGS, &sregs);
    sregs.cs.base = 0;
    sregs.cs.selector = 0;
    ioctl(vcpu, KVM_SET_SREGS, &sregs);
    ioctl(vcpu, KVM_SET_REGS, &regs);

    for (i = 0; i < 100; i++)
        run(vcpu, state);
    start = now();
    for (i = 0; i < rounds; i++)
        run(vcpu, state);
    end = now();

    close(vcpu);
    close(vm);
    return (end - start) / rounds;
}

int
main(void)
{
    int kvm = open("/dev/kvm", O_RDWR), i;

    if (kvm < 0)
        err(1, "/dev/kvm");
    for (i = 0; i < 3; i++)
        printf("io %.1f cpuid %.1f\n", measure(kvm, io_loop, sizeof(io_loop), ROUNDS),
               measure(kvm, cpuid_loop, sizeof(cpuid_loop), ROUNDS / 100) / 100);
    return 0;
}
