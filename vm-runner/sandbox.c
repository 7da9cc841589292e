/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Confinement. A guest that finds a bug in a device model gets this process; what it can do with it is the list
 * below. Each system call is there because of somebody, who is named.
 */
#include "sandbox.h"

#include <cap-ng.h>
#include <errno.h>
#include <linux/kvm.h>
#include <malloc.h>
#include <seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "vm.h"

static const int allowed[] = {
	/* sockets, eventfds, logs */
	SCMP_SYS(read),
	SCMP_SYS(write),
	SCMP_SYS(readv),
	SCMP_SYS(writev),
	SCMP_SYS(close),
	SCMP_SYS(recvmsg),
	SCMP_SYS(sendmsg),
	SCMP_SYS(recvfrom),
	SCMP_SYS(sendto),
	SCMP_SYS(accept4),
	SCMP_SYS(shutdown),
	SCMP_SYS(fcntl),
	SCMP_SYS(eventfd2),
	SCMP_SYS(getsockopt),
	SCMP_SYS(getsockname),
	/* disks, log rotation */
	SCMP_SYS(pread64),
	SCMP_SYS(pwrite64),
	SCMP_SYS(preadv),
	SCMP_SYS(preadv2), /* doorbells, too */
	SCMP_SYS(pwritev),
	SCMP_SYS(fdatasync),
	SCMP_SYS(fsync),
	SCMP_SYS(fallocate),
	SCMP_SYS(ftruncate),
	SCMP_SYS(lseek),
	SCMP_SYS(fstat),
	SCMP_SYS(newfstatat),
	/* waiting */
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(timerfd_settime),
	SCMP_SYS(futex),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(nanosleep),
	SCMP_SYS(sched_yield),
	/* clocks, where the vDSO does not serve them */
	SCMP_SYS(clock_gettime),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	/* virtio-rng */
	SCMP_SYS(getrandom),
	/* malloc; mmap and mprotect are below */
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	/* threads that end, signals that kick vCPUs */
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	/* our sockets and pidfile at the end; which paths, a filter cannot see */
	SCMP_SYS(unlink),
	SCMP_SYS(unlinkat),
};

static const unsigned long allowed_ioctls[] = {
	KVM_RUN,	KVM_IRQFD,	     KVM_IOEVENTFD, KVM_SET_GSI_ROUTING,
	KVM_SIGNAL_MSI, KVM_IRQ_LINE,	     KVM_GET_REGS,  KVM_SET_REGS,
	KVM_GET_SREGS,	KVM_CHECK_EXTENSION, FIONREAD, /* libevent's buffers */
};

/* Not called through by anything of ours: the list is incomplete, or somebody broke in. */
static void forbidden(int signal, siginfo_t *info, void *context)
{
	(void)signal;
	(void)context;
	log_error("the sandbox stopped system call %d; this is a bug, or an attack",
		  info->si_syscall);
	_exit(VM_EXIT_KILLED);
}

static int rules_add(scmp_filter_ctx filter)
{
	/* Never executable. */
	const struct scmp_arg_cmp not_exec = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	const struct scmp_arg_cmp ourselves = SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0);
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(allowed) / sizeof(allowed[0]); i++)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	for (size_t i = 0; rc == 0 && i < sizeof(allowed_ioctls) / sizeof(allowed_ioctls[0]); i++)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				      SCMP_A1(SCMP_CMP_MASKED_EQ, UINT32_MAX, allowed_ioctls[i]));
	if (rc == 0)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, not_exec);
	if (rc == 0)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, not_exec);
	if (rc == 0)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1, ourselves);
	return rc;
}

static int filter_load(struct err *err)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_TRAP);
	int rc;

	if (!filter)
		return err_set(err, ENOMEM, "no memory for the sandbox");
	rc = rules_add(filter);
	/* All threads at once; disks have theirs already. */
	if (rc == 0)
		rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
	/* A binary tree: ioctl is not looked for behind fifty others at each exit of the guest. */
	if (rc == 0)
		rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (rc == 0)
		rc = seccomp_load(filter);
	seccomp_release(filter);
	if (rc)
		return err_set(err, -rc, "the sandbox cannot be entered: %s", strerror(-rc));
	return 0;
}

int sandbox_enter(struct err *err)
{
	struct sigaction action = {.sa_sigaction = forbidden, .sa_flags = SA_SIGINFO};
	capng_select_t set = CAPNG_SELECT_CAPS;

	/* What libc would open files for later: the time zone of the first log line, and the number of CPUs when
	 * the ninth thread asks for memory. */
	tzset();
	mallopt(M_ARENA_MAX, 2);
	/* Only who may change the bounding set can clear it; no_new_privs makes it idle for the others. */
	capng_get_caps_process();
	if (capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP))
		set = CAPNG_SELECT_BOTH;
	capng_clear(CAPNG_SELECT_BOTH);
	if (capng_apply(set) < 0)
		return err_set(err, EPERM, "capabilities cannot be dropped");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_set(err, errno, "the sandbox cannot be entered: %s", strerror(errno));
	sigaction(SIGSYS, &action, NULL);
	return filter_load(err);
}
