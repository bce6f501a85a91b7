// SPDX-License-Identifier: GPL-2.0
/* Torture: devices come and go, errors come and pass. */
#define _GNU_SOURCE
#include "torture.h"
#include "dm.h"

#define DISK_PAGES	6144

enum { LOOP_A, LOOP_B, BELOW, FAILING, NR_DISKS };

static struct disk disks[NR_DISKS];
static bool can_fail;

/* A disk that has all of its memory, so that writing to it needs none. */
static const char *disk_full_setup(int n)
{
	const char *missing = disk_setup(&disks[n], n, DISK_PAGES);
	char *buf = malloc(page_size);

	memset(buf, 1, page_size);
	for (size_t i = 1; !missing && i <= DISK_PAGES; i++) {
		if (pwrite(disks[n].fd, buf, page_size, i * page_size) != page_size)
			missing = "a disk can't be filled";
	}
	free(buf);
	fsync(disks[n].fd);
	return missing;
}

static const char *setup_a(void)
{
	return disk_full_setup(LOOP_A);
}

static const char *setup_b(void)
{
	return disk_full_setup(LOOP_B);
}

static const char *setup_failing(void)
{
	const char *missing = disk_full_setup(BELOW) ?: dm_setup(&disks[FAILING], &disks[BELOW]);

	can_fail = !missing;
	return missing;
}

static const char *setup_zram(void)
{
	return access("/sys/class/zram-control/hot_add", R_OK) ? "no zram" : NULL;
}

static const char *setup_errors(void)
{
	return can_fail ? NULL : "no device that can fail";
}

static void on_alarm(int sig)
{
}

/* In a process of its own: it is the first to be killed when memory is short. */
static int do_swapoff(void *arg)
{
	struct disk *disk = arg;
	struct sigaction action = { .sa_handler = on_alarm };
	int err;

	if (one_in(6)) {
		/* A signal that it can't sleep through */
		sigaction(SIGALRM, &action, NULL);
		ualarm(1 + choose(200000), 20000);
	}
	if ((parts & PART_ALLOC) && one_in(6))
		alloc_fail(true);
	err = disk_off(disk);
	alloc_fail(false);
	return err ? 1 : 0;
}

/* What swapoff can't read is lost; only one of these devices fails. */
static void off(struct disk *disk)
{
	unsigned int epoch = epoch_now();
	bool failed;

	if (disk == &disks[FAILING])
		torture->losing = 1;
	failed = in_child_process(do_swapoff, disk);
	if (disk == &disks[FAILING]) {
		if ((epoch & 1) || epoch_now() != epoch)
			__atomic_fetch_add(&torture->losses, 1, __ATOMIC_SEQ_CST);
		torture->losing = 0;
	}
	count(failed ? COUNT_SWAPOFF_FAILED : COUNT_SWAPOFF, 1);
}

static void come_and_go(struct disk *disk)
{
	bool on = disk_used(disk) >= 0;

	/* The failing one is on, and in front, most of the time: errors concern who uses it */
	bool failing = disk == &disks[FAILING];

	while (doze(choose(failing && on ? 16000 : one_in(4) ? 8000 : 2000),
		    on ? "swapoff" : "swapon")) {
		if (on)
			off(disk);
		else if (!disk_on(disk, choose(failing ? 12 : 4)))
			count(COUNT_SWAPON, 1);
		on = disk_used(disk) >= 0;
	}
}

static void run_a(void)
{
	come_and_go(&disks[LOOP_A]);
}

static void run_b(void)
{
	come_and_go(&disks[LOOP_B]);
}

static void run_failing(void)
{
	come_and_go(&disks[FAILING]);
}

/* A new device each time. */
static void run_zram(void)
{
	struct disk disk;
	char number[16];
	int zram;

	while (doze(choose(3000), "new zram")) {
		memset(&disk, 0, sizeof(disk));
		disk.fd = -1;
		if (zram_setup(&disk, &zram, DISK_PAGES))
			continue;
		if (!disk_on(&disk, choose(4)))
			count(COUNT_SWAPON, 1);
		doze(choose(8000), "zram swapoff");
		while (disk_used(&disk) >= 0 && doze(100, "zram swapoff"))
			off(&disk);
		if (disk_used(&disk) >= 0)
			return;		/* its end comes with all the others' */
		close(disk.fd);
		snprintf(number, sizeof(number), "%d", zram);
		write_file("/sys/class/zram-control/hot_remove", number);
	}
}

/* What a device does to some requests. */
static int begin_to_fail(bool *reads)
{
	static const char * const failing[] = { "error_reads", "error_writes" };
	int what = one_in(3);

	*reads = !what;
	if (*reads)
		__atomic_fetch_add(&torture->epoch, 1, __ATOMIC_SEQ_CST);
	return dm_table(&disks[BELOW], failing[what]);
}

/*
 * Have pages go there past zswap, and have them reclaimed once more: what has been
 * written stays in the swap cache. Has that come about?
 */
static bool fill_failing(void)
{
	char text[32];

	snprintf(text, sizeof(text), "%zu", 256 * page_size);
	if (parts & PART_KNOBS)
		write_file(ZSWAP_PARAM "enabled", "0");
	for (int i = 0; i < 2; i++) {
		write_file(TORTURE_CGROUP "/memory.reclaim", text);
		if (!doze(choose(500), "errors"))
			break;
	}
	if (parts & PART_KNOBS)
		write_file(ZSWAP_PARAM "enabled", "1");
	return disk_used(&disks[FAILING]) > 0;
}

static void run_errors(void)
{
	int in_vain = 0;

	while (doze(choose(4000), "errors")) {
		unsigned long before = torture->count[COUNT_UNREADABLE];
		bool reads, used = fill_failing();

		count(COUNT_TRIES, 1);
		/* It may be off, and errors of a disk that nobody uses harm nobody */
		if (!used && ++in_vain % MOST_TRIES)
			continue;
		count(COUNT_ERRORS, !begin_to_fail(&reads));
		doze(choose(2000), "errors pass");
		/* Somebody is to see it, however slow the machine */
		for (int i = 0; reads && i < 10 &&
		     torture->count[COUNT_UNREADABLE] == before; i++) {
			if (disk_used(&disks[FAILING]) <= 0 || !doze(500, "errors pass"))
				break;
		}
		while (dm_table(&disks[BELOW], NULL))
			usleep(10000);
		if (reads)
			__atomic_fetch_add(&torture->epoch, 1, __ATOMIC_SEQ_CST);
	}
}

static void end_failing(void)
{
	dm_table(&disks[BELOW], NULL);
}

static int do_last_swapoff(void *arg)
{
	return disk_off(arg) ? 1 : 0;
}

/* Everything that is on: how many can't be switched off? */
int disks_off(void)
{
	struct disk disk = {};
	char line[256], path[64];
	int failed = 0;
	FILE *f = fopen("/proc/swaps", "r");

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%63s", path) != 1 || path[0] != '/')
			continue;
		snprintf(disk.path, sizeof(disk.path), "%s", path);
		for (int i = 0; disk_used(&disk) >= 0 && i < 50; i++) {
			if (i)
				usleep(100000);
			in_child_process(do_last_swapoff, &disk);
		}
		failed += disk_used(&disk) >= 0;
	}
	if (f)
		fclose(f);
	return failed;
}

/* After disks_off() */
void remove_disks(void)
{
	if (can_fail)
		dm_remove(&disks[FAILING]);
	for (int i = 0; i < FAILING; i++) {
		if (disks[i].pages)
			disk_remove(&disks[i]);
	}
}

const struct chaos disk_chaos[] = {
	{ .name = "disk a", .part = PART_DEVICES, .setup = setup_a, .run = run_a },
	{ .name = "disk b", .part = PART_DEVICES, .setup = setup_b, .run = run_b },
	{ .name = "failing disk", .part = PART_DEVICES, .setup = setup_failing,
	  .run = run_failing, .end = end_failing },
	{ .name = "zram", .part = PART_DEVICES, .setup = setup_zram, .run = run_zram },
	{ .name = "errors", .part = PART_ERRORS, .setup = setup_errors, .run = run_errors },
	{}
};
