// SPDX-License-Identifier: GPL-2.0
/*
 * Torture of virtual swap space: workers do random things to memory whose every
 * byte is known, while devices, limits, knobs, CPUs and memory change.
 *
 * usage: torture [-t SECONDS] [-s SEED] [-w WORKERS] [-h SECONDS] [-x PART]... [FILE]...
 *
 * -h SECONDS	without progress a worker hangs after so long
 * -x PART	leave out devices, errors, cgroups, knobs, cpus, memory, poison, alloc
 * FILE		to be kept in memory: the shell that this has been started from would
 *		not survive if a failing device lost it
 *
 * Has to be started in a cgroup that is not swapped out. What a worker chooses
 * depends on the seed, its number and its turn, and on what it finds that others have
 * done to it: a failing seed makes much the same happen again, but not in the same order.
 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <sys/mount.h>
#include <time.h>
#include "../kselftest.h"
#include "torture.h"

struct torture *torture;
struct actor *self;
unsigned int parts = ~0U;

static const char * const part_names[] = {
	"devices", "errors", "cgroups", "knobs", "cpus", "memory", "poison", "alloc",
};

#define NR_PARTS	ARRAY_SIZE(part_names)

/* Seconds after which everything has happened at least once. */
#define LONG_ENOUGH	60
/* Operations after which what only some of them do has, too, and what is rare. */
#define SOME_OPS	300
#define MANY_OPS	600
#define MOST_OPS	2000
/* Times that a device began to fail, after which a page was on it that somebody read. */
#define MANY_ERRORS	8

static const struct chaos *chaos[MAX_CHAOS];
static unsigned long turns[MAX_WORKERS], chaos_turns;
static long oom_kills, hang_after = 120;
static double began;
static int results;
static bool bad;

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

/* Choices */

static uint64_t choice;

void choose_seed(unsigned long process, unsigned long turn)
{
	choice = (torture->seed + 1) * 0x9e3779b97f4a7c15ULL ^
		 (process + 1) * 0xd1342543de82ef95ULL ^ (turn + 1) * 0xa0761d6478bd642fULL;
	if (!choice)
		choice = 1;
	for (int i = 0; i < 8; i++)
		pattern_next(&choice);
}

unsigned long choose(unsigned long below)
{
	return (pattern_next(&choice) >> 16) % below;
}

/* Lines of the report; those of different processes stay whole. */

static void put_line(const char *start, const char *format, va_list args)
{
	char line[1024];
	int len = snprintf(line, sizeof(line), "%s", start);

	len += vsnprintf(line + len, sizeof(line) - len - 1, format, args);
	if (len > sizeof(line) - 2)
		len = sizeof(line) - 2;
	line[len++] = '\n';
	len = write(STDOUT_FILENO, line, len);
}

void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_line("# ", format, args);
	va_end(args);
}

void complain(const char *format, ...)
{
	va_list args;

	__atomic_fetch_add(&torture->failed, 1, __ATOMIC_SEQ_CST);
	va_start(args, format);
	put_line("# FAILED: ", format, args);
	va_end(args);
}

static void result(const char *text, bool good)
{
	printf("%s %d %s\n", good ? "ok" : "not ok", ++results, text);
	fflush(stdout);
	bad |= !good;
}

static void skip(const char *text, const char *why)
{
	printf("ok %d %s # SKIP %s\n", ++results, text, why);
	fflush(stdout);
}

/* What each process does */

void step(const char *what)
{
	snprintf(self->what, sizeof(self->what), "%s", what);
	progress();
}

void park(void)
{
	while (torture->pause) {
		self->parked = true;
		step("parked");
		usleep(20000);
	}
	self->parked = false;
}

bool doze(unsigned long ms, const char *what)
{
	step("asleep");
	while (!torture->calm && !torture->failed) {
		park();
		if (ms < 50)
			break;
		usleep(50000);
		step("asleep");
		ms -= 50;
	}
	usleep(ms % 50 * 1000);
	step(what);
	return !torture->calm && !torture->failed;
}

int in_child_process(int (*run)(void *arg), void *arg)
{
	unsigned long turn = choose(1UL << 40);
	int status = -1;
	pid_t pid = fork();

	if (!pid) {
		choose_seed(2000, turn);
		_exit(run(arg));
	}
	if (pid < 0)
		return -1;
	self->helper = pid;
	waitpid(pid, &status, 0);
	self->helper = 0;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Starting */

static void start_worker(int nr)
{
	pid_t pid = fork();

	if (!pid)
		work(nr, turns[nr]);
	if (pid > 0) {
		turns[nr]++;
		torture->worker[nr].pid = pid;
	}
}

static void start_chaos(int nr)
{
	pid_t pid = fork();

	if (!pid) {
		self = &torture->chaos[nr];
		choose_seed(100 + nr, chaos_turns);
		mlockall(MCL_CURRENT);
		chaos[nr]->run();
		_exit(0);
	}
	chaos_turns++;
	if (pid > 0)
		torture->chaos[nr].pid = pid;
}

static void add_chaos(const struct chaos *one)
{
	for (; one->name; one++) {
		const char *missing;

		if (!(parts & one->part))
			continue;
		missing = one->setup ? one->setup() : NULL;
		/* What can't be had is to be left out by whoever starts this */
		if (missing)
			complain("no %s: %s", one->name, missing);
		else
			chaos[torture->nr_chaos++] = one;
	}
}

static void lock_file(const char *path)
{
	int fd = open(path, O_RDONLY);
	off_t size = lseek(fd, 0, SEEK_END);
	void *p = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);

	if (fd < 0 || p == MAP_FAILED || mlock(p, size))
		say("%s can't be kept in memory", path);
	close(fd);
}

static const char * const huge[] = { "never", "always", "within_size", "advise" };

static void mount_tmpfs(void)
{
	mkdir(TORTURE_TMPFS, 0755);
	for (int i = 0; i < 4; i++) {
		char path[64], options[64];

		snprintf(path, sizeof(path), TORTURE_TMPFS "/%s", huge[i]);
		mkdir(path, 0755);
		snprintf(options, sizeof(options), "size=4G,huge=%s", huge[i]);
		if (mount("tmpfs", path, "tmpfs", 0, options))
			mount("tmpfs", path, "tmpfs", 0, "size=4G");
	}
}

static void umount_tmpfs(void)
{
	for (int i = 0; i < 4; i++) {
		char path[64];

		snprintf(path, sizeof(path), TORTURE_TMPFS "/%s", huge[i]);
		umount2(path, MNT_DETACH);
		rmdir(path);
	}
	rmdir(TORTURE_TMPFS);
}

/* How much memory is each worker's? */
static size_t share_of_memory(int workers)
{
	long available = read_key("/proc/meminfo", "MemAvailable") * 1024L / page_size;

	/* Generations of it, children with copies, and what the kernel needs: a half */
	return available / 2 / workers;
}

/* Watching */

static void show_file(const char *name, pid_t pid)
{
	char path[64], buf[4096], *line, *save = NULL;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	if (read_file(path, buf, sizeof(buf)) <= 0)
		return;
	for (line = strtok_r(buf, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		say("    %s", line);
}

/* Where a process is, and its children. */
static void show_process(pid_t pid)
{
	char path[64], buf[1024], *child, *save = NULL;

	say("  process %d", pid);
	show_file("stat", pid);
	show_file("wchan", pid);
	show_file("stack", pid);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	if (read_file(path, buf, sizeof(buf)) <= 0)
		return;
	for (child = strtok_r(buf, "\n ", &save); child; child = strtok_r(NULL, "\n ", &save)) {
		say("  its child %s", child);
		show_file("stat", atoi(child));
		show_file("stack", atoi(child));
	}
}

struct progress {
	unsigned long steps;
	double since;
	bool told;
};

static bool gets_on(const struct actor *actor, struct progress *p, double limit)
{
	if (!actor->pid || actor->steps != p->steps || !p->since) {
		p->steps = actor->steps;
		p->since = now();
		return true;
	}
	return now() - p->since < limit;
}

static void tell_hang(const char *who, int nr, struct actor *actor, struct progress *p)
{
	if (p->told)
		return;
	p->told = true;
	complain("%s %d (process %d) hangs in: %s", who, nr, actor->pid, actor->what);
	show_process(actor->pid);
	write_file("/proc/sysrq-trigger", "w");
	write_file("/proc/sysrq-trigger", "m");
}

static void watch(void)
{
	static struct progress workers[MAX_WORKERS], others[MAX_CHAOS];

	for (int i = 0; i < torture->nr_workers; i++) {
		if (!gets_on(&torture->worker[i], &workers[i], hang_after))
			tell_hang("worker", i, &torture->worker[i], &workers[i]);
	}
	/* swapoff takes as long as it takes */
	for (int i = 0; i < torture->nr_chaos; i++) {
		if (!gets_on(&torture->chaos[i], &others[i], 2 * hang_after))
			tell_hang(chaos[i]->name, i, &torture->chaos[i], &others[i]);
	}
}

static void remove_cgroup(const char *path)
{
	rmdir(path);
}

/* Those that nobody is in any longer. */
static void remove_cgroups(void)
{
	each_cgroup(remove_cgroup);
}

static void judge_worker(int nr, int status)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
		count(COUNT_OOM, 1);
	} else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS && torture->epoch &&
		   !strcmp(torture->worker[nr].what, "start")) {
		count(COUNT_UNREADABLE, 1);	/* own memory, before it was locked */
	} else if (status && !torture->failed) {
		complain("worker %d, in: %s: status %x", nr, torture->worker[nr].what, status);
	}
}

/* Those that have ended; others take their place while @again. */
static void collect(bool again)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (int i = 0; i < torture->nr_workers; i++) {
			if (torture->worker[i].pid != pid)
				continue;
			torture->worker[i].pid = 0;
			judge_worker(i, status);
		}
		for (int i = 0; i < torture->nr_chaos; i++) {
			if (torture->chaos[i].pid != pid)
				continue;
			torture->chaos[i].pid = 0;
			if (status && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL))
				complain("%s: status %x", chaos[i]->name, status);
		}
	}
	if (!again)
		return;
	for (int i = 0; i < torture->nr_workers; i++) {
		if (!torture->worker[i].pid)
			start_worker(i);
	}
	for (int i = 0; i < torture->nr_chaos; i++) {
		if (!torture->chaos[i].pid)
			start_chaos(i);
	}
}

static int nr_left(const struct actor *actors, int nr)
{
	int left = 0;

	for (int i = 0; i < nr; i++)
		left += actors[i].pid != 0;
	return left;
}

/* Wait until all of them have ended. */
static bool wait_end(const struct actor *actors, int nr)
{
	while (nr_left(actors, nr)) {
		collect(false);
		watch();
		usleep(50000);
		for (int i = 0; i < nr; i++) {
			/* It hangs and has been told about; nothing will end it */
			if (torture->failed && actors[i].pid) {
				static double since;

				since = since ?: now();
				if (now() - since > 60)
					return false;
			}
		}
	}
	return true;
}

/* Judging */

static bool all_parked(const struct actor *actors, int nr)
{
	for (int i = 0; i < nr; i++) {
		if (actors[i].pid && !actors[i].parked)
			return false;
	}
	return true;
}

/* Everything stands still, and has to be consistent. */
static void look_around(void)
{
	bool quiet;

	if (access(VSWAP_VALIDATE, R_OK))
		return;
	torture->pause = 1;
	for (int i = 0; i < 200; i++) {
		collect(true);
		if (all_parked(torture->worker, torture->nr_workers) &&
		    all_parked(torture->chaos, torture->nr_chaos))
			break;
		usleep(50000);
	}
	if (validate_until_quiet(&quiet))
		complain("the structures are not consistent");
	torture->pause = 0;
	count(COUNT_ROUNDS, 1);
	count(COUNT_QUIET, quiet);
}

/* With nobody left it has to be quiet. */
static bool consistent(void)
{
	bool quiet;

	if (validate_until_quiet(&quiet))
		return false;
	if (!quiet)
		say("the kernel does not stand still");
	return quiet;
}

static void run(double seconds)
{
	double round = now();

	while (now() - began < seconds && !torture->failed) {
		collect(true);
		watch();
		remove_cgroups();
		/* Everybody waits for who is slowest: less often once it has been quiet */
		if (now() - round > (torture->count[COUNT_QUIET] ? 40 : 20)) {
			look_around();
			round = now();
		}
		usleep(200000);
	}
}

/*
 * A scan does not tell of what is younger than five seconds when it begins, nor of what
 * has changed since the last one.
 */
static bool leaks(void)
{
	double first = now();
	char buf[4096];

	for (int i = 0; i < 2; i++) {
		while (i && now() - first < 6)
			usleep(100000);
		if (write_file(KMEMLEAK, "scan")) {
			say("kmemleak is off");
			return true;
		}
	}
	if (read_file(KMEMLEAK, buf, sizeof(buf)) <= 0)
		return false;
	say("%s", buf);
	return true;
}

/* What pages have to have done */
static struct {
	const char *event, *name;
	unsigned int part, cause;	/* one of each has to be there */
	unsigned long ops;		/* after so many of them */
	long before;
} moves[] = {
	{ "zswpout", "pages into zswap", ~0U, ~0U, 0, 0 },
	{ "zswpin", "pages out of zswap", ~0U, ~0U, 0, 0 },
	{ "pswpout", "pages to devices", PART_DEVICES, ~0U, 0, 0 },
	{ "pswpin", "pages from devices", PART_DEVICES, ~0U, SOME_OPS, 0 },
	{ "zswpwb", "pages written back", PART_DEVICES, PART_KNOBS | PART_CGROUPS, MOST_OPS, 0 },
};

static void count_moves(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(moves); i++)
		moves[i].before = vm_events(moves[i].event);
}

static long moved(size_t i)
{
	return vm_events(moves[i].event) - moves[i].before;
}

static void show_counts(void)
{
	static const char * const names[NR_COUNTERS] = {
		"operations", "pages verified", "pages unreadable", "pages lost with a device",
		"forks", "pages moved", "killed for lack of memory", "cgroups", "swapon",
		"swapoff", "swapoff failed", "tries of errors", "error phases", "knobs", "CPUs off",
		"pages poisoned", "validator runs", "of these with totals",
	};

	for (int i = 0; i < NR_COUNTERS; i++)
		say("%-26s %lu", names[i], torture->count[i]);
	for (size_t i = 0; i < ARRAY_SIZE(moves); i++)
		say("%-26s %ld", moves[i].name, moved(i));
	if (parts & PART_ALLOC)
		say("%-26s %ld of objects, %ld of pages", "allocations failed",
		    allocs_failed(0), allocs_failed(1));
}

/* Has all that was asked for come about? A short run may be too short for some. */
static bool all_happened(double seconds)
{
	static const struct {
		enum counter what;
		unsigned int part;
		const char *name;
		unsigned long ops;		/* after so many of them */
		enum counter after;		/* and so many of these */
		unsigned long times;
	} wanted[] = {
		{ COUNT_FORKS, ~0U, "fork", SOME_OPS, 0, 0 },
		{ COUNT_MOVED, ~0U, "UFFDIO_MOVE", SOME_OPS, 0, 0 },
		{ COUNT_SWAPON, PART_DEVICES, "swapon", 0, 0, 0 },
		{ COUNT_SWAPOFF, PART_DEVICES, "swapoff", 0, 0, 0 },
		{ COUNT_ERRORS, PART_ERRORS, "error", SOME_OPS, COUNT_TRIES, MOST_TRIES },
		{ COUNT_UNREADABLE, PART_ERRORS, "unreadable page", MANY_OPS, COUNT_ERRORS,
		  MANY_ERRORS },
		{ COUNT_CGROUPS, ~0U, "cgroup", 0, 0, 0 },
		{ COUNT_KNOBS, PART_KNOBS, "knob", 0, 0, 0 },
		{ COUNT_CPUS, PART_CPUS, "CPU", 0, 0, 0 },
		{ COUNT_POISONED, PART_POISON, "poisoned page", MANY_OPS, 0, 0 },
	};
	bool good = true;

	for (size_t i = 0; i < ARRAY_SIZE(wanted) && seconds >= LONG_ENOUGH; i++) {
		if (torture->count[COUNT_OPS] < wanted[i].ops ||
		    torture->count[wanted[i].after] < wanted[i].times)
			continue;
		if ((parts & wanted[i].part) && !torture->count[wanted[i].what]) {
			say("there was no %s", wanted[i].name);
			good = false;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(moves) && seconds >= LONG_ENOUGH; i++) {
		if (torture->count[COUNT_OPS] < moves[i].ops)
			continue;
		if ((parts & moves[i].part) && (parts & moves[i].cause) && moved(i) <= 0) {
			say("there were no %s", moves[i].name);
			good = false;
		}
	}
	if (seconds >= LONG_ENOUGH && torture->count[COUNT_OPS] >= MANY_OPS &&
	    (parts & PART_ALLOC) && (!allocs_failed(0) || !allocs_failed(1))) {
		say("no allocation of one kind has failed");
		good = false;
	}
	if (seconds >= LONG_ENOUGH && !access(VSWAP_VALIDATE, R_OK) &&
	    !torture->count[COUNT_QUIET]) {
		say("there was no quiet round");
		good = false;
	}
	return good;
}

/* Everybody goes, and nothing may be left. False if somebody hangs. */
static bool finish(double seconds, long slots, long dying)
{
	bool ended, early, out = false;
	char text[128];

	torture->calm = 1;
	/* swapoff takes long, and less when less is out; it can be interrupted */
	for (int i = 0; i < torture->nr_chaos; i++) {
		if (torture->chaos[i].helper)
			kill(torture->chaos[i].helper, SIGKILL);
	}
	ended = wait_end(torture->chaos, torture->nr_chaos);
	for (int i = 0; i < torture->nr_chaos; i++) {
		if (chaos[i]->end)
			chaos[i]->end();
	}
	/* Once the memory is looked at where it is, once after that has gone */
	early = ended && torture->seed % 2 && !disks_off();
	torture->stop = 1;
	ended &= wait_end(torture->worker, torture->nr_workers);
	show_counts();
	if (torture->count[COUNT_OOM] > vm_events("oom_kill") - oom_kills)
		complain("processes were killed, but not for lack of memory");
	snprintf(text, sizeof(text), "memory is right, %s", early ? "devices are off" :
		 "devices are on");
	/* However short the run, pages have gone somewhere */
	for (size_t i = 0; i < ARRAY_SIZE(moves); i++)
		out |= moved(i) > 0;
	result(text, !torture->failed && torture->count[COUNT_VERIFIED] && out);
	result("all that was asked for has happened", all_happened(seconds));
	result("everybody has come to an end", ended);
	if (!ended)
		return false;

	result("devices are off", !disks_off());
	remove_cgroups();
	result("no slot is left",
	       !slots_left(slots, torture->nr_workers * torture->worker_pages));
	result("no cgroup is left", !cgroups_left(dying));
	result("nothing is lost", vswap_stat("lost") == 0);
	result("nobody is stuck", !anybody_stuck());
	if (access(VSWAP_VALIDATE, R_OK))
		skip("structures are consistent", "no " VSWAP_VALIDATE);
	else
		result("structures are consistent", consistent());
	if (access(KMEMLEAK, W_OK))
		skip("no leaks", "no kmemleak");
	else
		result("no leaks", !leaks());
	return true;
}

static bool leave_out(const char *name)
{
	for (int i = 0; i < NR_PARTS; i++) {
		if (!strcmp(name, part_names[i])) {
			parts &= ~(1 << i);
			return true;
		}
	}
	return false;
}

static int usage(const char *name)
{
	fprintf(stderr, "%s: no such option or part, see the start of torture.c\n", name);
	return 2;
}

static void setup(void)
{
	const char *missing = alloc_setup();

	write_file("/proc/self/oom_score_adj", "-1000");
	mkdir(TORTURE_CGROUP, 0755);
	write_file(TORTURE_CGROUP "/cgroup.subtree_control", "+memory");
	mount_tmpfs();
	if (missing && (parts & PART_ALLOC)) {
		skip("allocations fail", missing);
		parts &= ~PART_ALLOC;
	}
	if (!(parts & PART_DEVICES))
		parts &= ~PART_ERRORS;
	add_chaos(disk_chaos);
	add_chaos(other_chaos);
	mlockall(MCL_CURRENT);
}

int main(int argc, char **argv)
{
	const char *missing = vswap_missing();
	long slots, dying;
	double seconds = 60;
	int opt;

	torture = mmap(NULL, sizeof(*torture), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (torture == MAP_FAILED)
		return 2;
	torture->seed = time(NULL) * 1000003UL + getpid();
	torture->nr_workers = 3 * sysconf(_SC_NPROCESSORS_ONLN);
	while ((opt = getopt(argc, argv, "t:s:w:h:x:")) != -1) {
		switch (opt) {
		case 't':
			seconds = atof(optarg);
			break;
		case 's':
			torture->seed = strtoul(optarg, NULL, 0);
			break;
		case 'w':
			torture->nr_workers = atoi(optarg);
			break;
		case 'h':
			hang_after = atoi(optarg);
			break;
		case 'x':
			if (!leave_out(optarg))
				return usage(argv[0]);
			break;
		default:
			return usage(argv[0]);
		}
	}
	if (torture->nr_workers > MAX_WORKERS)
		torture->nr_workers = MAX_WORKERS;

	printf("TAP version 13\n");
	fflush(stdout);
	if (missing) {
		printf("1..0 # SKIP %s\n", missing);
		return 4;
	}
	while (optind < argc)
		lock_file(argv[optind++]);
	self = &torture->chaos[MAX_CHAOS - 1];
	choose_seed(9999, 0);
	setup();
	torture->worker_pages = share_of_memory(torture->nr_workers);
	say("seed %lu, %d workers with %zu kB each, %.0f s", torture->seed,
	    torture->nr_workers, torture->worker_pages * page_size / 1024, seconds);
	slots = vswap_stat("slots_used");
	dying = dying_cgroups();
	count_moves();
	oom_kills = vm_events("oom_kill");
	began = now();
	run(seconds);
	/* Whoever hangs in the kernel would have this hang, too */
	if (finish(seconds, slots, dying)) {
		remove_disks();
		restore_knobs();
		umount_tmpfs();
	}
	printf("1..%d\n", results);
	return bad ? 1 : 0;
}
