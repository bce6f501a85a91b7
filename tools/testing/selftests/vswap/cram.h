/* SPDX-License-Identifier: GPL-2.0 */
/* What the tests of compressed RAM share. */
#ifndef _VSWAP_CRAM_H
#define _VSWAP_CRAM_H

#include "disk.h"

#define CRAM_NODE	"/sys/kernel/mm/cram/node"
#define MEMORY_TIERS	"/sys/devices/virtual/memory_tiering/"

static inline int write_node(int node, const char *file, const char *text)
{
	char path[128];

	snprintf(path, sizeof(path), CRAM_NODE "%d/%s", node, file);
	return write_file(path, text);
}

static inline long read_node(int node, const char *file)
{
	char path[128];

	snprintf(path, sizeof(path), CRAM_NODE "%d/%s", node, file);
	return read_num(path);
}

/* The same of what the driver says: it is not asked more often than every tenth of a second. */
static inline long read_usage(int node, const char *file)
{
	usleep(150000);
	return read_node(node, file);
}

/* Is a node in that state? */
static inline bool node_is(int node, const char *state)
{
	char path[128], text[32];

	snprintf(path, sizeof(path), CRAM_NODE "%d/state", node);
	if (read_file(path, text, sizeof(text)) <= 0)
		return false;
	text[strcspn(text, "\n")] = 0;
	return !strcmp(text, state);
}

/* Wait until there is no such node, false if that does not happen. */
static inline bool wait_gone(int node)
{
	for (int i = 0; i < 1200; i++) {
		if (read_node(node, "stored_pages") < 0)
			return true;
		usleep(50000);
	}
	return false;
}

/* Pages that are on compressed RAM, of all nodes. */
static inline long direct_pages(void)
{
	return read_num(ZSWAP_DEBUG "stored_direct_pages");
}

/* Wait until a number of a node has fallen to a limit. */
static inline long wait_node(int node, const char *file, long limit)
{
	long value = -1;

	for (int i = 0; i < 600; i++) {
		value = read_node(node, file);
		if (value <= limit)
			break;
		usleep(50000);
	}
	return value;
}

/* ... or has grown to one. */
static inline long wait_node_from(int node, const char *file, long limit)
{
	long value = -1;

	for (int i = 0; i < 600; i++) {
		value = read_node(node, file);
		if (value >= limit)
			break;
		usleep(50000);
	}
	return value;
}

/* Is a number in a list as "0,2-5"? */
static inline bool list_has(const char *list, int number)
{
	int from, to, len;

	while (sscanf(list, "%d%n", &from, &len) == 1) {
		list += len;
		to = from;
		if (sscanf(list, "-%d%n", &to, &len) == 1)
			list += len;
		if (number >= from && number <= to)
			return true;
		if (*list++ != ',')
			break;
	}
	return false;
}

/* Does one of the memory tiers @from to @to have the node? */
static inline bool tier_has(int from, int to, int node)
{
	for (int i = from; i <= to; i++) {
		char path[128], text[64];

		snprintf(path, sizeof(path), MEMORY_TIERS "memory_tier%d/nodelist", i);
		if (read_file(path, text, sizeof(text)) > 0 && list_has(text, node))
			return true;
	}
	return false;
}

/* What this process is charged from now on. */
static inline int cgroup_move(const char *path)
{
	char file[256], pid[32];

	snprintf(file, sizeof(file), "%s/cgroup.procs", path);
	snprintf(pid, sizeof(pid), "%d", getpid());
	return write_file(file, pid);
}

/*
 * No more memory for a cgroup, which the caller leaves, nor for zswap. Without a
 * disk what is on compressed RAM can't go anywhere then.
 */
static inline int cgroup_no_room(const char *cgroup)
{
	char text[32];
	int err = cgroup_write(cgroup, "memory.zswap.max", "0");

	snprintf(text, sizeof(text), "%d", getpid());
	err = err ?: write_file(CGROUP "/cgroup.procs", text);
	snprintf(text, sizeof(text), "%ld",
		 cgroup_read(cgroup, "memory.current") + 16 * (long)page_size);
	return err ?: cgroup_write(cgroup, "memory.max", text);
}

/* Wait until a node has that many pages, false if that does not happen. */
static inline bool wait_stored(int node, long pages)
{
	for (int i = 0; i < 60000; i++) {
		if (read_node(node, "stored_pages") >= pages)
			return true;
		usleep(1000);
	}
	return false;
}

/*
 * Out and in for @rounds times at least, and until wait_load() is called with what is
 * returned, in each of @nr children, whose exit status tells whether the data was right.
 */
static inline int fork_load(int nr, int rounds, size_t pages, enum pattern pattern)
{
	int go_on[2];

	/* Closed by its last writer when they are to stop */
	if (pipe2(go_on, O_NONBLOCK))
		return -1;
	for (int i = 0; i < nr; i++) {
		char *p, c;

		if (fork())
			continue;
		close(go_on[1]);
		p = map_region(pages, false);
		for (int n = 0; n < rounds || read(go_on[0], &c, 1) < 0; n++) {
			fill_region(p, pages, pattern, 1000 * i + n);
			madvise(p, pages * page_size, MADV_PAGEOUT);
			if (check_region(p, pages, pattern, 1000 * i + n) != pages)
				_exit(1);
		}
		_exit(0);
	}
	close(go_on[0]);
	return go_on[1];
}

/* How many of @nr children were not content? */
static inline int wait_load(int go_on, int nr)
{
	int status, failed = 0;

	close(go_on);
	while (nr--) {
		if (wait(&status) < 0 || status)
			failed++;
	}
	return failed;
}

#endif
