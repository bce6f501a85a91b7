/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Failing allocations. Uses /proc/thread-self/fail-nth, which makes the n-th
 * allocation of this task fail; needs a kernel with failslab and fail_page_alloc.
 * zswap's decompression is counted with the allocations, as it can be made to fail.
 */
#ifndef _VSWAP_FAULT_H
#define _VSWAP_FAULT_H

#include "../kselftest.h"
#include "disk.h"

#define FAILSLAB	"/sys/kernel/debug/failslab/"
#define FAIL_PAGE	"/sys/kernel/debug/fail_page_alloc/"
#define FAIL_REQUEST	"/sys/kernel/debug/fail_make_request/"
#define FAIL_DECOMPRESS	ZSWAP_DEBUG "fail_decompress/"

/* What tests set there; nothing fails by probability while the others are put back */
static const char * const fault_knobs[] = {
	"probability", "task-filter", "times", "interval", "require-start", "require-end",
	"reject-start", "reject-end", "verbose", "verbose_ratelimit_interval_ms",
	"ignore-gfp-wait", "ignore-gfp-highmem", "min-order",
};

#define NR_FAULT_KNOBS	ARRAY_SIZE(fault_knobs)

static pid_t fault_pid;
static int fail_fd = -1;

/* Remember what they are set to, or put it back. */
static inline void fault_keep(bool save)
{
	static const char * const dirs[] = {
		FAILSLAB, FAIL_PAGE, FAIL_REQUEST, FAIL_DECOMPRESS,
	};
	static char values[4][NR_FAULT_KNOBS][32];
	char path[128];

	for (size_t i = 0; i < 4 * NR_FAULT_KNOBS; i++) {
		char *value = values[i / NR_FAULT_KNOBS][i % NR_FAULT_KNOBS];

		snprintf(path, sizeof(path), "%s%s", dirs[i / NR_FAULT_KNOBS],
			 fault_knobs[i % NR_FAULT_KNOBS]);
		if (save)
			read_file(path, value, sizeof(values[0][0]));
		else if (value[0])
			write_file(path, value);
	}
}

/* As in knobs.h, for the program as a whole: tests are children that _exit(). */
__attribute__((constructor)) static void save_faults(void)
{
	fault_pid = getpid();
	fault_keep(true);
}

__attribute__((destructor)) static void restore_faults(void)
{
	if (getpid() == fault_pid)
		fault_keep(false);
}

/* For this task: a child has to do it again. */
static inline void fail_open(void)
{
	fail_fd = open("/proc/thread-self/fail-nth", O_RDWR);
}

/* Spare what functions of the kernel allocate, and those that they call. */
static inline int fault_reject(const char *from, const char *to)
{
	int err = write_file(FAILSLAB "reject-start", from);

	err = err ?: write_file(FAILSLAB "reject-end", to);
	err = err ?: write_file(FAIL_PAGE "reject-start", from);
	return err ?: write_file(FAIL_PAGE "reject-end", to);
}

static inline int fault_spare(const char *function)
{
	char line[256], name[128], address[2][32] = {};
	FILE *f = fopen("/proc/kallsyms", "r");

	while (f && !address[1][0] && fgets(line, sizeof(line), f)) {
		char *to = address[!!address[0][0]];

		if (sscanf(line, "%*s %*c %127s", name) == 1 &&
		    (address[0][0] || !strcmp(name, function)))
			snprintf(to, sizeof(address[0]), "0x%.16s", line);
	}
	if (f)
		fclose(f);
	return address[1][0] ? fault_reject(address[0], address[1]) : -ENOENT;
}

/* Let every allocation of this task fail on request; why not, if that can't be. */
static inline const char *fault_setup(void)
{
	if (access("/proc/self/fail-nth", W_OK) || access(FAILSLAB, F_OK) ||
	    access(FAIL_PAGE, F_OK))
		return "no fault injection";
	write_file(FAILSLAB "verbose", "0");
	write_file(FAILSLAB "ignore-gfp-wait", "N");
	write_file(FAIL_PAGE "verbose", "0");
	write_file(FAIL_PAGE "ignore-gfp-wait", "N");
	write_file(FAIL_PAGE "ignore-gfp-highmem", "N");
	write_file(FAIL_PAGE "min-order", "0");
	fault_reject("0", "0");
	/* The kernel log tells each of these errors from one that is not meant */
	write_file(FAIL_DECOMPRESS "verbose", "1");
	write_file(FAIL_DECOMPRESS "verbose_ratelimit_interval_ms", "0");
	fail_open();
	return fail_fd < 0 ? "no /proc/thread-self/fail-nth" : NULL;
}

static inline void fail_arm(int nth)
{
	char text[16];
	ssize_t ret;

	snprintf(text, sizeof(text), "%d", nth);
	ret = pwrite(fail_fd, text, strlen(text), 0);
	(void)ret;
}

/* Disarm, true if the failure was injected. */
static inline bool fail_done(void)
{
	char text[16] = "";
	ssize_t ret;

	ret = pread(fail_fd, text, sizeof(text) - 1, 0);
	fail_arm(0);
	return ret > 0 && !atoi(text);
}

/*
 * Let zswap fail to decompress @times pages, with "-1" all, of this task or of all.
 * Who looks for errors in the kernel log can tell that these are meant.
 */
static inline void fail_decompress(bool own_task, const char *times)
{
	write_file("/dev/kmsg", "vswap_decompress: fails from now on\n");
	write_file(FAIL_DECOMPRESS "verbose", "0");
	write_file(FAIL_DECOMPRESS "interval", "1");
	write_file(FAIL_DECOMPRESS "task-filter", own_task ? "1" : "0");
	write_file(FAIL_DECOMPRESS "times", times);
	write_file(FAIL_DECOMPRESS "probability", "100");
}

/*
 * Let so many in a hundred requests to a device fail, until @times have, with "-1" for
 * ever; with "0" of a hundred, none ever again.
 */
static inline int fail_requests(struct disk *disk, const char *percent,
				const char *times)
{
	/* Even with a probability of 0, fail-nth of a task counts the requests */
	const char *may_fail = strcmp(percent, "0") ? "1" : "0";
	char path[128];

	snprintf(path, sizeof(path), "/sys/block/%s/make-it-fail",
		 strrchr(disk->path, '/') + 1);
	write_file(FAIL_REQUEST "verbose", "0");
	return write_file(FAIL_REQUEST "times", times) ? :
	       write_file(FAIL_REQUEST "probability", percent) ? :
	       write_file(path, may_fail);
}

/* Let all of what tasks allocate fail that have set make-it-fail, or nothing. */
static inline void fail_slab(bool fail)
{
	/* Never without the filter: that would be all tasks */
	write_file(FAILSLAB "probability", "0");
	write_file(FAILSLAB "times", "-1");
	write_file(FAILSLAB "task-filter", fail ? "Y" : "N");
	if (fail)
		write_file(FAILSLAB "probability", "100");
}

/* Where a function of the kernel begins, and the next one, 0 if it is not known. */
static inline unsigned long find_function(const char *function, unsigned long *end)
{
	FILE *f = fopen("/proc/kallsyms", "r");
	unsigned long start = 0, addr;
	char line[1024], name[128];

	*end = 0;
	while (f && !*end && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx %*c %127s", &addr, name) != 2)
			continue;
		if (start && addr > start)
			*end = addr;
		else if (!strcmp(name, function))
			start = addr;
	}
	if (f)
		fclose(f);
	return *end ? start : 0;
}

/*
 * Let all pages fail that this task allocates in a function of the kernel, or in what
 * that calls, until it is NULL; after fault_setup(). A function that is called from its
 * own file only may have been inlined. Why not, if that can't be.
 */
static inline const char *fail_pages_in(const char *function)
{
	unsigned long start = 0, end = -1UL;
	char text[32];

	if (access(FAIL_PAGE "require-start", W_OK))
		return "no fault injection by CONFIG_FAULT_INJECTION_STACKTRACE_FILTER";
	write_file(FAIL_PAGE "probability", "0");
	if (function) {
		start = find_function(function, &end);
		if (!start)
			return "the function is not in /proc/kallsyms";
	}
	/* fail-nth goes by them, too */
	snprintf(text, sizeof(text), "%#lx", start);
	write_file(FAIL_PAGE "require-start", text);
	snprintf(text, sizeof(text), "%#lx", end);
	write_file(FAIL_PAGE "require-end", text);
	write_file(FAIL_PAGE "times", "-1");
	write_file(FAIL_PAGE "interval", "1");
	write_file(FAIL_PAGE "task-filter", function ? "Y" : "N");
	write_file("/proc/self/make-it-fail", function ? "1" : "0");
	if (function)
		write_file(FAIL_PAGE "probability", "100");
	return NULL;
}

static inline void fail_decompress_no_more(void)
{
	write_file(FAIL_DECOMPRESS "probability", "0");
	write_file(FAIL_DECOMPRESS "task-filter", "0");
	write_file("/dev/kmsg", "vswap_decompress: fails no more\n");
}

#endif
